"""What `pbx check` warns of although every name exists: ways to nobody, and what nothing leads to."""

from datetime import date

import pytest

from pbx.config.codes import CODES
from pbx.config.load import examine
from tests.pbx.config.test_flows import WAV

REMEDY = "; lead it to somebody or to a voicemail, or end it in a step that says why (hangup: why)"
CLOSED_REMEDY = "; lead 'closed' to a voicemail, or end it in a step that says why (hangup: why)"


def ways(disk, steps: str, **others: str) -> list[str]:
    """The warnings of ways to nobody, of a flow that calls begin with at its first step."""
    disk.write("ivr_flows/main.yaml", f"start: a\nsteps:\n  {steps}\n")
    for name, text in others.items():
        disk.write(f"ivr_flows/{name}.yaml", f"start: x\nsteps:\n  {text}\n")
    told = [line.removeprefix("ivr_flows/main.yaml:") for line in disk.advice()]
    return [line for line in told if "unused" not in line and "reach" in line]


@pytest.mark.parametrize(
    "steps",
    [
        "a: {dial: alice, on_no_answer: b}\n  b: {voicemail: , next: hangup}",
        "a: {queue: sales, on_timeout: b}\n  b: {voicemail: }",
        "a: {dial: alice, on_no_answer: b, next: c}\n  b: {voicemail: }\n  c: {say: Goodbye}",
        "a: {say: We have closed for good, next: b}\n  b: {hangup: closed for good}",
        "a: {menu: Hi, keys: {1: b}, otherwise: b}\n  b: {voicemail: }",
        "a: {menu: Hi, keys: {1: b}, otherwise: a}\n  b: {voicemail: }",
    ],
)
def test_ways_that_lead_to_somebody_are_fine(disk, steps):
    assert ways(disk, steps) == []


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ("a: {say: Hi}", ["3:3: warning: a caller can be left here without having reached anybody:"
                          f" a → the call ends{REMEDY}"]),
        ("a: {dial: alice}", ["3:3: warning: a caller can be left here without having reached anybody:"
                              f" a (no answer) → the call ends{REMEDY}"]),
        (
            "a: {menu: Hi, keys: {1: b}}\n  b: {queue: sales, on_timeout: hangup}",
            [
                "3:3: warning: a caller can be left here without having reached anybody:"
                f" a (otherwise) → the call ends{REMEDY}",
                "4:21: warning: a caller can be left here without having reached anybody:"
                f" a (key 1) → b (max_wait is over) → the call ends{REMEDY}",
            ],
        ),
        (
            "a: {say: Hi, next: b}\n  b: {hangup: }",
            ["4:3: warning: a caller can be left here without having reached anybody:"
             f" a → b → the call ends{REMEDY}"],
        ),
    ],
)  # fmt: skip
def test_ways_to_nobody_are_told_in_words(disk, steps, told):
    assert ways(disk, steps) == told


def test_ends_without_a_word_and_hangups_have_codes_of_their_own(disk):
    disk.write(
        "ivr_flows/main.yaml",
        "start: a\nsteps:\n  a: {menu: Hi, keys: {1: hangup}}\n",
    )
    found = {problem.code for problem in disk.examine()[1]}
    assert {"dead-end", "reaches-nobody"} <= found


HOURS = 'a: {schedule: {mon-fri: "08:00-18:00"}, open: b, closed: c}\n  b: {dial: alice, on_no_answer: d}\n'


@pytest.mark.parametrize(
    ("closed", "told"),
    [
        ("  c: {say: Closed, next: d}\n  d: {voicemail: }", []),
        (
            "  c: {say: Closed}\n  d: {voicemail: }",
            ["3:52: warning: when 'a' is closed a caller reaches nobody:"
             f" a (closed) → c → the call ends{CLOSED_REMEDY}"],
        ),
        ("  c: {hangup: closed}\n  d: {voicemail: }", []),
    ],
)  # fmt: skip
def test_hours_that_are_not_covered(disk, closed, told):
    assert ways(disk, HOURS + closed) == told


def test_what_is_wrong_in_and_out_of_hours_is_told_once(disk):
    steps = HOURS.replace("closed: c", "closed: b") + "  d: {say: Nobody is in}"
    assert len(ways(disk, steps)) == 1


def test_a_way_through_another_flow(disk):
    told = ways(disk, "a: {goto: other}", other="x: {say: Hi, next: y}\n  y: {dial: desk}")
    assert told == [
        "ivr_flows/other.yaml:4:3: warning: a caller can be left here without having reached anybody:"
        f" a → other/x → other/y (no answer) → the call ends{REMEDY}"
    ]


def test_a_flow_that_no_number_names_is_followed_from_where_calls_come_from(disk):
    """By itself it would end in nothing; no call begins there."""
    steps = "a: {goto: {flow: other, step: y}}"
    assert ways(disk, steps, other="x: {say: Hi}\n  y: {voicemail: }") == []


@pytest.mark.parametrize(
    ("schedule", "told"),
    [
        ('{mon-fri: "08:00-12:00, 13:00-18:00", sat: "09:00-13:00"}', None),
        ('{mon-fri: "08:00-18:00", fri: "09:00-13:00"}', "fri 09:00-13:00 overlaps fri 08:00-18:00; write one range"),
        ('{mon: ["08:00-12:00", "11:00-18:00"]}', "mon 11:00-18:00 overlaps mon 08:00-12:00; write one range"),
        ('{sun: "22:00-06:00", mon: "05:00-12:00"}', "mon 05:00-12:00 overlaps sun 22:00-06:00; write one range"),
        ('{mon-sun: "00:00-24:00"}', "the hours fill the whole week, so no call is ever 'closed'"),
    ],
)  # fmt: skip
def test_hours_that_cannot_be_meant(disk, schedule, told):
    disk.write(
        "ivr_flows/main.yaml",
        f"start: a\nsteps:\n  a: {{schedule: {schedule}, open: b, closed: b}}\n  b: {{voicemail: }}\n",
    )
    said = [line.split("warning: ")[1] for line in disk.said()]
    assert said == ([told] if told else [])


def test_an_area_that_an_earlier_one_holds(disk):
    disk.write(
        "ivr_flows/main.yaml",
        "start: a\nsteps:\n"
        '  a: {geo: [{name: East, areas: ["+1212", NJ], to: b}, {name: West, areas: ["+1212555", nj], to: b}],'
        " otherwise: b}\n  b: {voicemail: }\n",
    )
    assert disk.said() == [
        "ivr_flows/main.yaml:3:77: warning: callers from '+1212555' go to 'East' already; put it before",
        "ivr_flows/main.yaml:3:89: warning: callers from 'nj' go to 'East' already; put it before",
    ]


def test_what_nothing_leads_to(disk):
    disk.write(
        "config.yaml",
        disk.config.read_text()
        .replace("agents:\n", 'agents:\n  bob: {name: Bob, contact: "sip:bob@127.0.0.1"}\n')
        .replace("queues:\n", "queues:\n  spare: {members: [desk]}\n")
        .replace("sources:\n", "sources:\n  van: {name: Van, kind: offline}\n"),
    )
    disk.write("prompts/old.wav", WAV)
    disk.write("prompts/hello.wav", WAV)
    disk.write(
        "ivr_flows/main.yaml",
        "start: a\nsteps:\n  a: {play: hello.wav, next: b}\n  b: {queue: sales, on_timeout: c}\n  c: {voicemail: }\n",
    )
    assert disk.advice() == [
        "config.yaml:3:3: warning: no number and no pool is of the source 'van'",
        "config.yaml:8:3: warning: no queue has the agent 'bob', and no flow dials it",
        "config.yaml:12:3: warning: no flow leads to the queue 'spare'",
        "prompts/old.wav:1:1: warning: no flow plays this file",
    ]


def test_a_hundred_flows_are_checked_in_one_pass(disk):
    """No figure of speed: each file is read once, and each problem is told once."""
    numbers = "".join(f'  "+1212555{1000 + n}": {{source: radio, flow: f{n}}}\n' for n in range(100))
    disk.write("config.yaml", disk.config.read_text() + numbers)
    for n in range(100):
        steps = "".join(
            f'  s{i}: {{menu: Step {i}, keys: {{"1": s{i + 1}, "2": line}}, otherwise: message}}\n'
            for i in range(20)
        )
        disk.write(
            f"ivr_flows/f{n}.yaml",
            f"start: s0\nsteps:\n{steps}  s20: {{say: Bye}}\n"
            "  line: {queue: sales, on_timeout: message}\n  message: {voicemail: }\n",
        )
    site, problems = disk.examine()
    assert site is not None
    assert len(site.flows) == 101
    assert [problem.code for problem in problems] == ["dead-end"] * 100


def test_every_code_that_is_told_is_documented(disk):
    disk.write("config.yaml", disk.config.read_text().replace("flow: main", "flow: mian"))
    site, problems = examine(disk.config, {}, date(2026, 11, 24))
    assert site is None
    assert {problem.code for problem in problems} <= set(CODES)
