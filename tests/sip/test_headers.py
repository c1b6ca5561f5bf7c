"""The typed header values: what each reads, writes and refuses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.errors import SipError
from sip.headers import (
    MAX_CSEQ,
    Challenge,
    Credentials,
    CSeq,
    NameAddr,
    Refresher,
    Replaces,
    SessionExpires,
    Via,
    parse_delta_seconds,
    quote,
    split_list,
    unquote,
)
from sip.uri import URI

tokens = st.from_regex(r"[A-Za-z0-9\-.!%*_+`'~]{1,12}", fullmatch=True)
line_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=20)
params = st.dictionaries(tokens.map(str.lower), st.none() | tokens | line_text.map(quote), max_size=4)
hosts = st.from_regex(r"[a-z0-9]([a-z0-9.\-]{0,10}[a-z0-9])?", fullmatch=True) | st.ip_addresses().map(str)
ports = st.none() | st.integers(0, 65535)
uris = st.builds(URI, st.just("sip"), tokens, st.none(), hosts, ports)

TYPES = {
    "name-addr": (NameAddr, st.builds(NameAddr, line_text, uris, params)),
    "via": (Via, st.builds(Via, tokens.map(str.upper), hosts, ports, params)),
    "cseq": (CSeq, st.builds(CSeq, st.integers(0, MAX_CSEQ), tokens)),
    "replaces": (Replaces, st.builds(Replaces, tokens, tokens, tokens, st.booleans())),
    "session-expires": (
        SessionExpires,
        st.builds(SessionExpires, st.integers(0, 2**32 - 1), st.none() | st.sampled_from(Refresher)),
    ),
    "challenge": (
        Challenge,
        st.builds(
            Challenge, st.just("digest"), st.dictionaries(st.sampled_from(["realm", "nonce"]), line_text)
        ),
    ),
}


@pytest.mark.parametrize("name", TYPES)
@given(data=st.data())
def test_what_is_written_is_read_as_it_was(name, data):
    kind, values = TYPES[name]
    value = data.draw(values)
    assert kind.parse(str(value)) == value


@pytest.mark.parametrize("kind", [NameAddr, Via, CSeq, Replaces, SessionExpires, Challenge, Credentials])
@given(text=st.text(max_size=40) | st.text('<>";,=\\ :@a1SIP/2.0', max_size=40))
def test_any_text_is_read_or_a_sip_error(kind, text):
    try:
        kind.parse(text)
    except SipError as error:
        assert error.status == 400  # noqa: PT017 - it is one of two right outcomes


@given(line_text)
def test_a_quoted_string_holds_any_line(text):
    assert unquote(quote(text)) == text


def test_a_quoted_string_cannot_hold_a_line_end():
    assert quote("a\r\nVia: b") == '"a  Via: b"'


@pytest.mark.parametrize(
    ("value", "items"),
    [
        ("a", ["a"]),
        ("a, b ,c", ["a", "b", "c"]),
        ('"x, y" <sip:a@b>, <sip:c,d@e>;q=1', ['"x, y" <sip:a@b>', "<sip:c,d@e>;q=1"]),
        (r'"a\", b" <sip:a@b>, <sip:c@d>', [r'"a\", b" <sip:a@b>', "<sip:c@d>"]),
        ("a,,b", ["a", "", "b"]),
    ],
)
def test_lists_are_cut_outside_quotes_and_brackets(value, items):
    assert split_list(value) == items


@pytest.mark.parametrize(
    ("text", "display", "uri", "parameters"),
    [
        ("<sip:a@b>", "", "sip:a@b", {}),
        ("sip:a@b;tag=1", "", "sip:a@b", {"tag": "1"}),
        ("<sip:a@b;lr>;TAG=1 ; x", "", "sip:a@b;lr", {"tag": "1", "x": None}),
        ('"A \\"B\\" C"<sip:a@b>', 'A "B" C', "sip:a@b", {}),
        ("Alice Smith   <sip:a@b>", "Alice Smith", "sip:a@b", {}),
        ("Jörg (Werk 2.1) <sip:a@b>", "Jörg (Werk 2.1)", "sip:a@b", {}),
        ('<sip:a@b>;+sip.instance="<urn:uuid:7>"', "", "sip:a@b", {"+sip.instance": '"<urn:uuid:7>"'}),
        ("<sip:a@b>;reg-id=1;x=[::1]", "", "sip:a@b", {"reg-id": "1", "x": "[::1]"}),
    ],
)
def test_name_addr(text, display, uri, parameters):
    address = NameAddr.parse(text)
    assert (address.display, str(address.uri), dict(address.params)) == (display, uri, parameters)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "<sip:a@b",
        '"a <sip:a@b>',
        "Smith, A <sip:a@b>",
        "< sip:a@b>",
        "<sip:a@b>x",
        "<sip:a@b>;",
        "<sip:a@b>;a=1;A=2",
        "sip:a@b?x=y",
        "sip:a@b, sip:c@d",
    ],
)
def test_what_is_no_name_addr(text):
    with pytest.raises(SipError, match=r"^400 Bad"):
        NameAddr.parse(text)


def test_a_tag_is_added_or_replaced():
    address = NameAddr.parse("<sip:a@b>;x=1;tag=old")
    assert str(address.with_tag("new")) == "<sip:a@b>;x=1;tag=new"


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("SIP/2.0/UDP h:5060;branch=z9hG4bKa;rport", "SIP/2.0/UDP h:5060;branch=z9hG4bKa;rport"),
        (
            "sip / 2.0 / tcp  [2001:db8::1] : 5061 ; branch = z9hG4bKa",
            "SIP/2.0/TCP [2001:db8::1]:5061;branch=z9hG4bKa",
        ),
        ("SIP/2.0/UDP h;received=2001:db8::2", "SIP/2.0/UDP h;received=2001:db8::2"),
    ],
)
def test_via(text, written):
    assert str(Via.parse(text)) == written


@pytest.mark.parametrize(
    "text", ["", "SIP/2.0/UDP", "SIP/1.0/UDP h", "SIP/2.0/UDP h:99999", "SIP/2.0/UDP h;;"]
)
def test_what_is_no_via(text):
    with pytest.raises(SipError, match=r"^400 Bad Via"):
        Via.parse(text)


@pytest.mark.parametrize(
    ("branch", "identifies"),
    [("z9hG4bK7", True), ("z9hG4bK", False), ("7", False)],
)
def test_only_a_branch_with_the_cookie_and_more_identifies(branch, identifies):
    via = Via.parse(f"SIP/2.0/UDP h;branch={branch}")
    assert via.branch == (branch if identifies else None)
    assert via.params["branch"] == branch


def test_via_gains_what_the_receiver_saw():
    via = Via.parse("SIP/2.0/UDP H:5060;branch=z9hG4bK7;rport").with_params(
        received="10.0.0.1", rport="40000"
    )
    assert str(via) == "SIP/2.0/UDP H:5060;branch=z9hG4bK7;rport=40000;received=10.0.0.1"
    assert via.sent_by == "h:5060"


@pytest.mark.parametrize(
    "text", ["", "1", "INVITE", "-1 INVITE", "2147483648 INVITE", "1 IN VITE", "9" * 5000 + " A"]
)
def test_what_is_no_cseq(text):
    with pytest.raises(SipError, match=r"^400 Bad CSeq"):
        CSeq.parse(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3600", 3600),
        ("0", 0),
        ("120 (in a meeting)", 120),
        ("18000;duration=3600", 18000),
        ("9" * 400, 2**32 - 1),
        ("0" * 30 + "7", 7),
    ],
)
def test_delta_seconds(text, seconds):
    assert parse_delta_seconds(text, "Retry-After") == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1"])
def test_what_is_no_delta_seconds(text):
    with pytest.raises(SipError, match=r"^400 Bad Expires"):
        parse_delta_seconds(text, "Expires")


def test_session_expires_with_a_strange_refresher():
    assert SessionExpires.parse("1800; refresher=UAC;x") == SessionExpires(1800, Refresher.UAC)
    with pytest.raises(SipError, match="refresher 'nobody' is not uac or uas"):
        SessionExpires.parse("1800;refresher=nobody")


@pytest.mark.parametrize("text", ["", "a;to-tag=1", "a;from-tag=1", "a b;to-tag=1;from-tag=2"])
def test_what_is_no_replaces(text):
    with pytest.raises(SipError, match=r"^400 Bad Replaces"):
        Replaces.parse(text)


def test_challenge_as_servers_write_them():
    challenge = Challenge.parse(
        'Digest  realm="a, \\"b\\"",nonce="n=1",qop="auth,auth-int" , algorithm=MD5,stale=FALSE'
    )
    assert challenge.scheme == "digest"
    assert dict(challenge.params) == {
        "realm": 'a, "b"',
        "nonce": "n=1",
        "qop": "auth,auth-int",
        "algorithm": "MD5",
        "stale": "FALSE",
    }


def test_credentials_are_quoted_as_the_rfc_says():
    written = str(
        Credentials(
            "digest", {"username": "a", "response": "r", "qop": "auth", "nc": "00000001", "algorithm": "MD5"}
        )
    )
    assert written == 'Digest username="a", response="r", qop=auth, nc=00000001, algorithm=MD5'


@pytest.mark.parametrize("text", ["", 'Digest realm="a', "Digest realm", "Digest a=1, a=2"])
def test_what_is_no_challenge(text):
    with pytest.raises(SipError, match=r"^400 Bad authorization"):
        Challenge.parse(text)
