"""The flows of tests/data/flows: the good ones are, the bad ones say what they carry as comments."""

import re
import struct
from datetime import timedelta
from pathlib import Path

import pytest

from pbx.config.load import Severity
from pbx.config.problems import listed
from pbx.flows.steps import STEPS
from tests.pbx.config.conftest import is_advice

FLOWS = Path(__file__).parents[2] / "data" / "flows"
GOOD = sorted((FLOWS / "good").glob("*.yaml"))
BAD = sorted((FLOWS / "bad").glob("*.yaml"))
WAV = b"RIFF" + struct.pack("<I", 36) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 8000, 16000, 2, 16)


def install(disk, flow: Path) -> None:
    disk.write("config.yaml", (FLOWS / "site.yaml").read_text().replace("FLOW", flow.stem))
    (disk.folder / "ivr_flows" / "main.yaml").unlink()
    disk.write(f"ivr_flows/{flow.name}", flow.read_bytes())


@pytest.mark.parametrize("flow", GOOD, ids=lambda path: path.stem)
def test_good_flows_have_no_problem(disk, flow):
    install(disk, flow)
    site, problems = disk.examine()
    assert [problem for problem in problems if not is_advice(problem)] == []
    assert list(site.flows) == [flow.stem]


def told(flow: Path) -> list[str]:
    """What a bad flow carries as comments; ANY STEP stands for all of them."""
    written = flow.read_text().replace("ANY STEP", listed(sorted(STEPS), "or"))
    return re.findall(r"^#! (.*)$", written, re.MULTILINE)


@pytest.mark.parametrize("flow", BAD, ids=lambda path: path.stem)
def test_bad_flows_are_told_so(disk, flow):
    install(disk, flow)
    site, problems = disk.examine()
    assert site is None
    said = [
        f"{p.line}:{p.column}: {p.message}" for p in problems if p.file.name == flow.name and not is_advice(p)
    ]
    assert said == told(flow)


def test_numbers_to_dial_are_e164(disk):
    install(disk, FLOWS / "good" / "everything.yaml")
    flow = disk.examine()[0].flows["everything"]
    assert flow.name == "Everything"
    assert flow.steps["ring"].dial == ["desk", "+19735550150"]
    assert flow.steps["together"].timeout == timedelta(seconds=25)
    assert flow.steps["record"].record == "off"


def flow(disk, steps: str, start: str = "a") -> list[str]:
    disk.write("ivr_flows/main.yaml", f"start: {start}\nsteps:\n  {steps}\n")
    return [line.removeprefix("ivr_flows/main.yaml:") for line in disk.said()]


def test_audio_lies_beside_the_flow_or_in_prompts(disk):
    step = "a: {play: hello.wav, next: hangup}"
    disk.write("prompts/helo.wav", WAV)
    assert flow(disk, step) == [
        "3:13: no audio file 'hello.wav', neither beside the flow nor in prompts/; did you mean 'helo.wav'?"
    ]
    in_prompts = disk.write("prompts/hello.wav", WAV)
    assert flow(disk, step) == []
    site, _ = disk.examine()
    assert site.find_audio(site.flows["main"], "hello.wav") == in_prompts
    beside = disk.write("ivr_flows/hello.wav", WAV)
    assert site.find_audio(site.flows["main"], "hello.wav") == beside
    assert site.find_audio(site.flows["main"], "other.wav") is None


def test_audio_is_wav(disk):
    disk.write("ivr_flows/hello.wav", b"ID3 mp3")
    assert flow(disk, "a: {play: hello.wav}") == ["3:13: 'hello.wav' is no WAV file"]


@pytest.mark.parametrize(
    ("holidays", "says"),
    [
        ("[2020-12-25, 2021-01-01]", ["3:54: warning: holidays in the past: 2 of 2"]),
        ("[2099-12-25, 2021-01-01]", ["3:66: warning: holidays in the past: 1 of 2"]),
        ("[2026-11-24]", []),
    ],
)
def test_holidays_in_the_past(disk, holidays, says):
    steps = (
        f'a: {{schedule: {{mon-fri: "08:00-18:00"}}, holidays: {holidays}, open: b}}\n  b: {{dial: alice}}'
    )
    assert flow(disk, steps) == says


def test_a_misspelt_target_makes_nothing_else_unreachable(disk):
    steps = "a: {say: Hi, next: bb}\n  b: {say: Hi, next: cc}\n  c: {dial: alice}"
    steps = steps.replace("b:", "bbb:").replace("c:", "ccc:")
    assert flow(disk, steps) == [
        "3:22: no step 'bb'; did you mean 'bbb'?",
        "4:24: no step 'cc'; did you mean 'ccc'?",
    ]


def test_an_unreadable_step_makes_nothing_else_unreachable(disk):
    steps = "a: {menu: Hi, keys: 7, otherwise: [b], next: c}\n  b: {dial: alice}\n  c: {dial: desk}"
    assert flow(disk, steps) == [
        "3:23: expected a mapping (key: value), not '7'",
        "3:37: expected text, not a list",
    ]


def test_circles_through_several_flows(disk):
    disk.write("ivr_flows/other.yaml", "start: x\nsteps:\n  x: {say: Hi, next: y}\n  y: {goto: main}\n")
    said = flow(disk, "a: {say: Hi, next: b}\n  b: {goto: {flow: other, step: y}}")
    assert said[0] == (
        "3:3: 'a', 'b' and 'other: y' lead in a circle without waiting for the caller;"
        " put a menu, or a way out, among them"
    )
    assert len(said) == 1


def test_an_empty_queue_that_leads_to_itself_waits_for_nobody(disk):
    assert flow(disk, "a: {queue: sales, on_empty: a, on_timeout: b}\n  b: {voicemail: }") == [
        "3:3: the step 'a' leads to itself without waiting for the caller; put a menu, or a way out, among them"
    ]
    assert flow(disk, "a: {queue: sales, on_timeout: a}") == []


def test_a_circle_of_phones_is_warned_of(disk):
    steps = "a: {dial: alice, on_no_answer: b, next: hangup}\n  b: {say: Hold on, next: a}"
    assert flow(disk, steps) == [
        "3:3: warning: 'a' and 'b' lead in a circle: where nobody can be rung, nobody is waited for, and the"
        " call fails; put a queue, a menu or a voicemail among them"
    ]
    assert flow(disk, steps.replace("say: Hold on,", "menu: Again, keys: {'1': a},")) == []


def test_a_key_that_a_step_has_no_place_for_is_not_offered(disk):
    assert "3:25: 'next' has no place here; leave it out" in flow(disk, "a: {goto: main, next: a}")
    assert any(
        "unknown key 'return'; there is 'goto'" in each for each in flow(disk, "a: {goto: main, return: a}")
    )


def test_a_circle_that_waits_is_fine(disk):
    assert flow(disk, 'a: {menu: Hi, keys: {"1": b}, otherwise: a}\n  b: {say: Hi, next: a}') == []


def test_a_step_is_reached_from_another_flow(disk):
    disk.write(
        "ivr_flows/other.yaml",
        "start: x\nsteps:\n  x: {dial: alice}\n  y: {say: Hi, next: z}\n  z: {say: Bye}\n",
    )
    assert flow(disk, "a: {goto: {flow: other, step: y}}") == []


def test_numbers_need_a_trunk_with_a_host(disk):
    disk.write("config.yaml", disk.config.read_text().replace(", host: 192.0.2.1", ""))
    assert flow(disk, 'a: {dial: "+19735550150"}') == [
        "3:13: no trunk has a host, so '+19735550150' cannot be called"
    ]
    assert flow(disk, 'a: {dial: "+19735550150", trunk: carrier}') == [
        "3:13: no trunk has a host, so '+19735550150' cannot be called",
        "3:36: no call can go out over 'carrier': the trunk has no host",
    ]


def test_of_an_unreadable_config_nothing_is_known(disk):
    disk.write("config.yaml", "a: b: c\n")
    disk.write("ivr_flows/main.yaml", "start: a\nsteps: {a: {dial: nobody, next: b}}\n")
    said = disk.said()
    assert len(said) == 2
    assert said[1] == "ivr_flows/main.yaml:2:33: no step 'b'; there are 'a' and 'hangup'"


def test_variables_in_flows(disk):
    steps = 'a: {say: "${GREETING:-Hello}", next: b}\n  b: {dial: "${AGENT}"}'
    assert flow(disk, steps)[0].startswith("4:13: the environment variable AGENT is not set")
    assert disk.said({"AGENT": "alise"}) == [
        "ivr_flows/main.yaml:4:13: no agent ${AGENT}; did you mean 'alice'?"
    ]
    site, problems = disk.examine({"AGENT": "alice"})
    assert [problem for problem in problems if not is_advice(problem)] == []
    assert site.flows["main"].steps["a"].say == "Hello"


def test_warnings_are_told_apart(disk):
    disk.write("ivr_flows/spare.yaml", "start: a\nsteps: {a: {dial: alice}}\n")
    (problem,) = [each for each in disk.examine()[1] if not is_advice(each)]
    assert problem.severity is Severity.WARNING
    assert not problem.is_error
