"""What is said of a config that is wrong: place, fault, remedy."""

import pytest

from pbx.config.load import ConfigErrors, load
from pbx.config.models import Config
from tests.pbx.config.conftest import CONFIG


def test_the_good_config_has_no_problem(disk):
    site, problems = disk.examine()
    assert site is not None
    assert problems == []


POOL = 'pools: {web: {flow: main, numbers: ["+12125550110", "%s"]}}\n'


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        # Shape.
        ("server: {name", "server: {nmae", "1:10: unknown key 'nmae'; did you mean 'name'?"),
        ("queues:", "queus:", "9:1: unknown key 'queus'; did you mean 'queues'?"),
        ("country: US", "country: USA", "1:31: 'USA' is no country; write its two letters, such as US or GB"),
        ("{name: Radio spot, ", "{", "3:3: the key 'name' is missing"),
        ("kind: offline", "kind: ofline", "3:35: 'ofline' is not known here; did you mean 'offline'?"),
        ("kind: offline", "kind: tv", "3:35: 'tv' is not known here; it is one of 'online' or 'offline'"),
        ("extension: 101", "extension: 1x1", "7:35: '1x1' is not of the form [0-9]{1,10}"),
        ("name: Alice", "name: 7", "7:17: expected text, not '7'; write \"7\", in quotes"),
        ("members: [alice, desk]", "members: alice", "10:20: expected a list, not 'alice'"),
        ("members: [alice, desk]", "members: []", "10:20: 'members' is empty"),
        ("192.0.2.0/24", "192.0.2.0/33", "5:26: expected a network such as 203.0.113.0/24"),
        ("192.0.2.0/24", "192.0.2.7/24", "5:26: expected a network such as 203.0.113.0/24"),
        ("host: 192.0.2.1", "host: a b", "5:47: 'a b' is neither an IP address nor a host name"),
        ("host: 192.0.2.1", "port: 99999", "5:47: '99999' is out of range: at most 65535"),
        ("host: 192.0.2.1", "port: sip", "5:47: expected a whole number, not 'sip'"),
        ("sip:desk@127.0.0.1:5080", "desk@127.0.0.1", "8:37: 'desk@127.0.0.1' is no SIP URI"),
        ("sip:desk@127.0.0.1:5080", "sip:desk@127.0.0.1:x", "8:37: '127.0.0.1:x' is no address and port"),
        # References.
        ("source: radio", "source: raido", "12:28: no source 'raido'; did you mean 'radio'?"),
        ("flow: main}", "flow: mian}", "12:41: no flow 'mian'; did you mean 'main'?"),
        ("[alice, desk]", "[alise, desk]", "10:21: no agent 'alise'; did you mean 'alice'?"),
        ("[alice, desk]", "[alice, desk, alice]", "10:34: 'alice' is a member twice"),
        # Numbers.
        ('"+12125550100"', "+12125550100", "12:3: a telephone number must be quoted"),
        ("+12125550100", "555-0100", "12:3: '555-0100' is no telephone number of US; write a whole one"),
        ("+12125550100", "+999", "12:3: '+999' is no telephone number: its length or country code cannot be"),
        # Agents.
        ("desk: {name", "1desk: {name", "8:3: the agent's id '1desk' looks like a number"),
        ('"a long password"', '""', "7:50: the password is empty"),
        ('"a long password"', "'${NOT_SET}'", "7:50: the environment variable NOT_SET is not set"),
        ('"a long password"', "12345678", "7:50: expected text, not (hidden); put it in quotes"),
        ("host: 192.0.2.1", "username: acme", "5:41: a username without a password"),
    ],
)  # fmt: skip
def test_mistakes_in_place(complaints, old, new, says):
    assert any(line.startswith(says) for line in complaints(old=old, new=new)), complaints(old=old, new=new)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ('  "(212) 555-0100": {source: radio, flow: main}\n',
         "13:3: +12125550100 is claimed twice: numbers has it in line 12"),
        (POOL % "212-555-0100", "13:53: +12125550100 is claimed twice: numbers has it in line 12"),
        (POOL % "+12125550110", "13:53: +12125550110 is claimed twice: the pool 'web' has it in line 13"),
        (POOL % "2125550", "13:53: '2125550' is no telephone number of US"),
        ("media: {rtp_ports: 20000}\n", "13:20: expected text, not '20000'"),
        ("media: {rtp_ports: 30000-20000}\n", "13:20: '30000-20000' holds no call"),
        ("media: {rtp_ports: 100-200}\n", "13:20: '100-200': ports go from 1024 to 65535"),
        ("media: {rtp_ports: 5000-6000}\nsip: {listen: ['udp://127.0.0.1:5060']}\n",
         "14:16: port 5060 lies within media.rtp_ports, 5000-6000"),
        ("media: {codecs: []}\n", "13:17: there is no codec to speak"),
        ("media: {codecs: [pcmx]}\n", "13:18: 'pcmx' is not known here; did you mean 'pcmu'?"),
        ("sip: {listen: ['udp:127.0.0.1:5060']}\n", "13:16: 'udp:127.0.0.1:5060' is no address to listen on"),
        ("sip: {listen: ['sctp://127.0.0.1:5060']}\n", "13:16: transport 'sctp' in"),
        ("sip: {listen: ['udp://127.0.0.300:5060']}\n", "13:16: '127.0.0.300' is neither an IP address"),
        ("sip: {listen: ['udp://127.0.0.1:70000']}\n", "13:16: port 70000 in"),
        ("sip: {listen: ['udp://:5060', 'udp://:5060']}\n", "13:31: 'udp://:5060' is listed twice"),
        ("sip: {listen: []}\n", "13:15: there is no address to listen on"),
        ("web: {listen: localhost}\n", "13:15: 'localhost' is no address and port"),
        ("web: {listen: '[::g]:80'}\n", "13:15: '::g' in '[::g]:80' is no IPv6 address"),
        ("feature_codes: {ecko: '*9'}\n", "13:17: no feature code 'ecko'; did you mean 'echo'?"),
        ("feature_codes: {echo: '43'}\n", "13:23: '43' is no feature code; write * and digits"),
        ("feature_codes: {echo: '*69'}\n", "13:23: '*69' is the code of 'call_back' already"),
        ("outbound: {number: '5550'}\n", "13:20: '5550' is no telephone number of US"),
        ("recording: {keep: 5 years}\n", "13:19: '5 years' is not a duration"),
        ("recording: {enabled: perhaps}\n", "13:22: expected true or false, not 'perhaps'"),
    ],
)  # fmt: skip
def test_mistakes_in_further_sections(complaints, more, says):
    assert any(line.startswith(says) for line in complaints(more)), complaints(more)


def test_an_extension_has_one_owner(complaints):
    said = complaints(old="desk: {", new="desk: {extension: 101, ")
    assert said == ["8:21: the extension 101 is 'alice''s already"]


def test_a_network_has_one_trunk(complaints):
    said = complaints(old="trunks:\n", new="trunks:\n  other: {allow_from: [192.0.2.0/24], host: h}\n")
    assert said == ["6:26: calls from 192.0.2.0/24 are the trunk 'other''s already"]


def test_shape_faults_do_not_hide_reference_faults(complaints, disk):
    disk.write("ivr_flows/main.yaml", "start: ring\nsteps:\n  ring: {dial: bob, tiemout: 3s}\n")
    said = complaints(
        '  "1": {source: tv, flow: other, colour: red}\nqueues2: {}\nrecording: {keep: 7}\n',
        old="members: [alice, desk]",
        new="members: [bob], ring_timeout: soon, stategy: ring-all",
    )
    assert len(said) == 11
    assert [line.split(": ", 1)[0].rstrip(":") for line in said] == [
        "10:21", "10:41", "10:47", "13:3", "13:17", "13:27", "13:34", "14:1", "15:19",
        "ivr_flows/main.yaml:3:16", "ivr_flows/main.yaml:3:21",
    ]  # fmt: skip


def test_a_variable_makes_a_port(complaints, disk):
    assert complaints(old="host: 192.0.2.1", new="host: h, port: '${PORT}'", env={"PORT": "5070"}) == []
    site, _ = disk.examine({"PORT": "5070"})
    assert site.config.trunks["carrier"].port == 5070
    said = complaints(old="host: 192.0.2.1", new="host: h, port: '${PORT}'", env={"PORT": "high"})
    assert said == ["5:56: expected a whole number, not ${PORT}"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("name: Alice", "name: Alice, contact: ${S}"),
        ("host: 192.0.2.1", "host: ${S}"),
        ("host: 192.0.2.1", "port: ${S}"),
        ("source: radio", "source: ${S}"),
        ("[alice, desk]", "['${S}']"),
        ("country: US", "country: '${S}', timezone: '${S}'"),
        ("server: {", "server: {database: '${S}', drain: '${S}', "),
        ("queues:\n", "recording: {keep: '${S}', from: '${S}'}\nqueues:\n"),
    ],
)
def test_what_the_environment_says_is_never_repeated(complaints, old, new):
    said = complaints(old=old, new=new, env={"S": "hunter2 is secret"})
    assert said
    assert not any("hunter2" in line for line in said)


def test_a_password_is_never_repeated(complaints):
    said = complaints(old='password: "a long password"', new="password: [hunter2], extention: 5")
    assert len(said) == 2
    assert not any("hunter2" in line for line in said)
    said = complaints(old="server: {", new="server: {database: 'mysql://u:hunter2@h/d', ")
    assert len(said) == 1
    assert "hunter2" not in said[0]


def test_warnings_do_not_stop_anything(complaints, disk):
    said = complaints(
        'pools: {web: {flow: main, numbers: ["+12125550110"], targets: ["+12125550110"], hold: 5m,'
        " sources: [radio]}}\n"
        "alerts: {dispatch: {webhook: http://127.0.0.1}}\n"
        "intelligence: {keywords: {}}\n"
        "transcription: {live: true}\n"
        "media: {codecs: [pcmu, opus]}\n"
        "web: {public_listen: ':80', public_url: http://h, sites: [http://h]}\n",
        old="desk: {name: Front desk, contact",
        new="carol: {name: Carol, skills: [x]}\n  desk: {name: Front desk, contact",
    )
    assert said == [
        "8:3: warning: 'carol' has neither a password to register with nor a contact: nobody can ring",
        "14:64: warning: the target +12125550110 is also a tracking number (the pool 'web', line 14), which"
        " beats the pool",
        "15:1: warning: 'alerts' does nothing yet; to come: alerts",
        "16:1: warning: 'intelligence' does nothing yet; to come: keyword rules",
        "17:17: warning: 'live' does nothing yet; to come: transcription during the call",
    ]
    assert disk.examine()[0] is not None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("{allow_from: [192.0.2.0/24], host: 192.0.2.1}", "{}", "5:3: warning: 'carrier' takes no calls"),
        ("192.0.2.0/24", "0.0.0.0/0", "5:26: warning: 0.0.0.0/0 is the whole internet"),
        ('"a long password"', '"101"', "7:40: warning: the password is the agent's id or extension"),
        ("{allow_from", "{register: true, allow_from", "5:13: registering needs a username"),
        (
            "kind: offline",
            "kind: offline, match: {param: gclid}",
            "3:44: warning: an offline source has no visitors; its match does nothing",
        ),
    ],
)
def test_further_warnings(complaints, old, new, says):
    (line,) = complaints(old=old, new=new)
    assert line.startswith(says)


def test_a_flow_that_nothing_leads_to(disk):
    disk.write("ivr_flows/spare.yaml", "start: ring\nsteps: {ring: {dial: alice}}\n")
    assert disk.said() == [
        "ivr_flows/spare.yaml:1:1: warning: no number, pool or goto leads to the flow 'spare'"
    ]


def test_a_flow_has_one_file(disk):
    disk.write("ivr_flows/main.yml", "start: ring\nsteps: {ring: {dial: alice}}\n")
    assert disk.said() == ["ivr_flows/main.yml:1:1: main.yaml is the flow 'main' already"]


def test_no_flows_at_all(disk):
    (disk.folder / "ivr_flows" / "main.yaml").unlink()
    (disk.folder / "ivr_flows").rmdir()
    assert disk.said() == ["config.yaml:12:41: no flow 'main'"]


@pytest.mark.parametrize("text", ["", "# only a comment\n"])
def test_an_empty_config(disk, text):
    disk.write("config.yaml", text)
    assert disk.examine()[0] is None
    assert "config.yaml:1:1: the file is empty" in disk.said()


def test_a_config_of_another_shape(disk):
    disk.write("config.yaml", "- a\n- b\n")
    assert "config.yaml:1:1: expected a mapping (key: value), not a list" in disk.said()


def test_load_raises_with_everything(disk):
    disk.write("config.yaml", CONFIG.replace("source: radio", "source: tv").replace("alice, desk", "x, desk"))
    with pytest.raises(ConfigErrors) as caught:
        load(disk.config, {})
    assert len([problem for problem in caught.value.problems if problem.is_error]) == 2
    assert str(caught.value).count("config.yaml:") == 2


def test_every_setting_is_described():
    """What the schema, and so an editor, tells of a key."""
    undescribed = {
        f"{section}.{name}"
        for section, model in _models(Config)
        for name, field in model.model_fields.items()
        if not field.description
    }
    assert undescribed == set()


def _models(model, name="config", above=()):
    if model in above:  # a match within a match
        return
    yield name, model
    for key, field in model.model_fields.items():
        for kind in (field.annotation, *getattr(field.annotation, "__args__", ())):
            if isinstance(kind, type) and hasattr(kind, "model_fields"):
                yield from _models(kind, key, (*above, model))


def test_tls_needs_its_files(complaints):
    added = "sip: {listen: ['wss://127.0.0.1:1'], tls: {certificate: no.pem, key: no.key}}\n"
    assert complaints(added) == [
        "13:57: there is no file no.pem",
        "13:70: there is no file no.key",
    ]
    assert complaints("sip: {listen: ['wss://127.0.0.1:1']}\n") == [
        "13:16: 'wss://127.0.0.1:1' needs a certificate: write sip.tls"
    ]
