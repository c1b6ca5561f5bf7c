"""Files of flow tests: what differs is shown, what cannot be read is reported with its place."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pbx.config.load import ConfigErrors, Site, load
from pbx.flows.control import CallerHistory
from pbx.flows.flow_tests import Difference, TestCall, TestResult, check_file, run_file, test_files

CONFIG = """
sources: {radio: {name: Radio, kind: offline}}
numbers: {"+12125550100": {source: radio, flow: main}}
texts: {sms: {from: "+12125550100", url: "https://sms.test/", form: {To: "{to}"}}}
agents:
  alice: {name: Alice, contact: "sip:alice@127.0.0.1"}
  bob: {name: Bob, contact: "sip:bob@127.0.0.1"}
"""
FLOW = """
start: hello
steps:
  hello: {say: Hello and welcome, next: ask}
  ask: {menu: Press 1, keys: {"1": agents, "2": ask_crm}, retries: 0, otherwise: message}
  agents: {dial: [alice, bob], on_no_answer: message}
  message: {voicemail: {tag: vm}}
  ask_crm: {webhook: "https://crm.test/", retries: 0, next: thanks, on_failure: sorry, on_timeout: late}
  thanks: {message: "Thanks, {ask_crm.name}"}
  sorry: {say: Sorry}
  late: {say: Late}
"""
CALL = 'call: {to: "+12125550100", from: "+12125557788", at: 2026-12-05 10:00}'


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "ivr_flows").mkdir()
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "ivr_flows" / "main.yaml").write_text(FLOW)
    return load(tmp_path / "config.yaml", {})


def run(site: Site, text: str) -> list[TestResult]:
    path = site.folder / "one.test.yaml"
    path.write_text(text)
    return run_file(site, path, env={})


def said(site: Site, text: str) -> list[str]:
    with pytest.raises(ConfigErrors) as caught:
        run(site, text)
    return [str(problem).removeprefix(f"{site.folder}/") for problem in caught.value.problems]


@pytest.mark.parametrize(
    "more",
    [
        'press: ["1"], expect: {path: [hello, ask, agents], rings: [alice], status: answered}',
        "press: [1], expect: {rings: [alice]}",
        'press: "1", expect: {rings: [alice]}',
        "press: 1, agents: {alice: busy}, expect: {rings: [alice, bob], status: answered}",
        "press: 1, agents: none, expect: {path: [hello, ask, agents, message], tags: [vm]}",
        "press: 1, agents: away, expect: {rings: []}",
        "expect: {source: radio, heard: [welcome, Press], tags: [vm]}",
        "hang_up: 500ms, expect: {path: [hello], status: abandoned}",
        "expect: {}",
        'press: 2, webhooks: {ask_crm: {body: {name: Jo}}}, expect: {messages: ["Thanks, Jo"]}',
        "press: 2, webhooks: {ask_crm: {status: 500}}, expect: {heard: [Sorry], messages: []}",
        "press: 2, webhooks: {ask_crm: [{timeout: true}]}, expect: {heard: [Late]}",
        'press: 2, expect: {messages: [{to: "+12125557788", text: Thanks}]}',
    ],
)
def test_what_can_be_expected(site: Site, more: str):
    (result,) = run(site, f"- {{name: t, {CALL}, {more}}}")
    assert result.differences == ()


@pytest.mark.parametrize(
    ("expect", "difference"),
    [
        ("source: tv", Difference("source", "tv", "radio")),
        ("path: [hello]", Difference("path", ["hello"], ["hello", "ask", "message"])),
        ("rings: [alice]", Difference("rings", ["alice"], [])),
        ("tags: []", Difference("tags", [], ["vm"])),
        ("status: missed", Difference("status", "missed", "voicemail")),
        (
            "heard: [Press, welcome]",
            Difference("heard", ["Press", "welcome"], ["Hello and welcome", "Press 1"]),
        ),
    ],
)
def test_what_differs(site: Site, expect: str, difference: Difference):
    (result,) = run(site, f"- name: t\n  {CALL}\n  expect: {{{expect}}}")
    assert result.differences == (difference,)
    assert result.line == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "one.test.yaml:1:1: a file of flow tests is a list: - name: …, call: …, expect: …"),
        ("- name: t\n  expect: {}", "one.test.yaml:1:3: the key 'call' is missing"),
        (
            f"- name: t\n  {CALL}\n  expects: {{}}\n  expect: {{}}",
            "one.test.yaml:3:3: unknown key 'expects'; did you mean 'expect'?",
        ),
        (
            "- name: t\n  call: {to: '+12125550199'}\n  expect: {}",
            "one.test.yaml:2:14: +12125550199 is neither in numbers nor in a pool",
        ),
        (
            "- name: t\n  call: {to: '+12125550100', at: noon}\n  expect: {}",
            "one.test.yaml:2:34: 'noon' is no time; write it like 2026-12-05 10:00",
        ),
        (
            f"- name: t\n  {CALL}\n  agents: {{alcie: busy}}\n  expect: {{}}",
            "one.test.yaml:3:12: there is no agent 'alcie'; did you mean 'alice'?",
        ),
    ],
)
def test_what_is_wrong_with_a_file_and_where(site: Site, text: str, message: str):
    assert said(site, text) == [message]


def test_every_mistake_at_once(site: Site):
    assert len(said(site, "- {name: a, expect: {}}\n- {name: b, expect: {}}\n- [c]")) == 3


def test_files_and_folders(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    one, other = tmp_path / "b.test.yaml", tmp_path / "sub" / "a.test.yml"
    for file in (one, other, tmp_path / "notes.txt"):
        file.touch()
    assert test_files([tmp_path]) == [one, other]
    assert test_files([other]) == [other]
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        test_files([tmp_path / "absent"])


def test_what_is_known_of_the_caller_can_be_told():
    call = TestCall.model_validate(
        {"to": "+12125550100", "history": {"calls": 3, "days": 10, "agent": "bob"}, "attestation": "A"}
    )
    at = datetime(2026, 11, 25, 12, tzinfo=UTC)
    assert call.history is not None
    assert call.history.before(at) == CallerHistory(3, at - timedelta(days=10), "", "bob")
    assert call.attestation == "A"


def test_conditions_on_the_caller_can_be_tested(tmp_path: Path):
    (tmp_path / "ivr_flows").mkdir()
    (tmp_path / "ivr_flows" / "main.yaml").write_text(
        "start: who\nsteps:\n"
        "  who: {condition: [{when: {caller.calls: '>= 3', attestation: A}, to: known}], otherwise: new}\n"
        "  known: {say: Welcome back., next: new}\n  new: {dial: desk}\n"
    )
    (tmp_path / "config.yaml").write_text(
        "sources: {radio: {name: Radio}}\nagents: {desk: {name: Desk, contact: 'sip:desk@127.0.0.1:5080'}}\n"
        "numbers: {'+12125550100': {source: radio, flow: main}}\n"
    )
    tests = tmp_path / "test.yaml"
    tests.write_text(
        "- name: regular\n"
        "  call: {to: '+12125550100', from: '+12125557788', history: {calls: 3}, attestation: A}\n"
        "  expect: {path: [who, known, new]}\n"
        "- name: stranger\n"
        "  call: {to: '+12125550100', from: '+12125557788'}\n"
        "  expect: {path: [who, new]}\n"
    )
    results = run_file(load(tmp_path / "config.yaml", {}), tests)
    assert [result.differences for result in results] == [(), ()]


@pytest.mark.parametrize(
    ("more", "column", "problem"),
    [
        (
            "expect: {path: [hello, agnets]}",
            "agnets",
            "a call to the flow main comes to no step 'agnets'; did you mean 'agents'?",
        ),
        ("expect: {path: [other/x]}", "other/x", "a call to the flow main comes to no step 'other/x'"),
        ("expect: {rings: [alcie]}", "alcie", "there is no agent 'alcie'; did you mean 'alice'?"),
        (
            'expect: {rings: ["(973) 555-0150"]}',
            '"(973)',
            "'(973) 555-0150' rings as '+19735550150'; write it so",
        ),
        ("expect: {called_back: [boob]}", "boob", "there is no agent 'boob'; did you mean 'bob'?"),
        ("expect: {source: raido}", "raido", "there is no source 'raido'; did you mean 'radio'?"),
        (
            "webhooks: {ask_crn: {status: 500}}, expect: {}",
            "ask_crn",
            "a call to the flow main comes to no step 'ask_crn'; did you mean 'ask_crm'?",
        ),
    ],
)
def test_a_name_of_nothing_is_found_at_its_place(site: Site, more: str, column: str, problem: str):
    text = f"- {{name: t, {CALL}, {more}}}\n"
    path = site.folder / "one.test.yaml"
    path.write_text(text)
    (found,) = check_file(site, path, env={})
    assert found.message.startswith(problem)
    assert (found.line, found.column) == (1, text.index(column) + 1)


def test_an_expected_step_that_nothing_has_fails_the_test_and_not_the_file(site: Site):
    (result,) = run(site, f"- {{name: t, {CALL}, press: '1', expect: {{path: [hello, aks, agents]}}}}")
    assert [each.what for each in result.differences] == ["path"]


def test_names_that_are_there_are_in_order(site: Site):
    path = site.folder / "one.test.yaml"
    path.write_text(
        f"- {{name: t, {CALL}, webhooks: {{ask_crm: {{status: 500}}}},"
        ' expect: {source: radio, path: [hello, ask, ask_crm], rings: [alice, "+19735550150"]}}'
    )
    assert check_file(site, path, env={}) == []
