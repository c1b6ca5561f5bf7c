"""Ways round and round, words that no call ever has, and twenty flows in which nothing is wrong."""

import time

import pytest

from pbx.config.codes import CODES
from tests.pbx.config.conftest import CONFIG

ROOMS = 'conferences: {board: {pin: "1234"}}\n'


def warnings(disk, steps: str, **others: str) -> list[str]:
    disk.write("ivr_flows/main.yaml", f"start: a\nsteps:\n  {steps}\n")
    for name, text in others.items():
        disk.write(f"ivr_flows/{name}.yaml", f"start: x\nsteps:\n  {text}\n")
    found = disk.examine()[1]
    assert {problem.code for problem in found} <= set(CODES)
    return [f"{each.line}:{each.column}: {each.message}" for each in found if each.code != "unused"]


TRAPPED = "reaches nobody there; lead a key, or 'otherwise', to somebody or to a voicemail"


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ("a: {menu: Hi, keys: {1: a}, otherwise: a}", f"3:3: a caller never gets out of 'a', and {TRAPPED}"),
        (
            "a: {menu: Hi, keys: {1: b}, otherwise: a}\n  b: {say: Hm, next: a}",
            f"3:3: a caller never gets out of 'a' and 'b', and {TRAPPED}",
        ),
        (
            "a: {say: Hi, next: b}\n  b: {collect: Which?, digits: 1, next: a}",
            f"3:3: a caller never gets out of 'a' and 'b', and {TRAPPED}",
        ),
    ],
)
def test_menus_without_a_way_out(disk, steps, told):
    assert warnings(disk, steps) == [told]


def test_a_circle_through_two_flows(disk):
    steps = "a: {menu: Hi, keys: {1: b}, otherwise: a}\n  b: {goto: other}"
    told = warnings(disk, steps, other="x: {goto: main}")
    assert told == [f"3:3: a caller never gets out of 'a', 'b' and 'other: x', and {TRAPPED}"]


@pytest.mark.parametrize(
    "steps",
    [
        "a: {menu: Hi, keys: {1: a}, otherwise: b}\n  b: {voicemail: }",
        "a: {menu: Hi, keys: {1: b}, otherwise: a}\n  b: {dial: alice, on_no_answer: a}",
        "a: {menu: Hi, keys: {1: b}, otherwise: a}\n  b: {hangup: they asked for it}",
    ],
)
def test_menus_with_one(disk, steps):
    assert warnings(disk, steps) == []


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("{source: raido}", "source is never 'raido'; did you mean 'radio'?"),
        ("{source: [radio, tv]}", "source is never 'tv'; there are 'radio' and 'unknown'"),
        ("{not: {trunk: carier}}", "trunk is never 'carier'; did you mean 'carrier'?"),
        ("{any: [{attestation: Z}]}", "attestation is never 'Z'; there are 'A', 'B', 'C' and 'failed'"),
        ("{caller.new: maybe}", "caller.new is never 'maybe'; there are 'no' and 'yes'"),
        ("{flow: mian}", "flow is never 'mian'; did you mean 'main'?"),
        ("{caller.last_agent: alcie}", "caller.last_agent is never 'alcie'; did you mean 'alice'?"),
        ('{caller.calls: "=> 3"}', "'=> 3' is no comparison; write '>= 3'"),
        ('{caller.calls: "== 3"}', "'== 3' is no comparison; write '3'"),
    ],
)
def test_words_that_no_call_ever_has(disk, when, told):
    steps = (
        f"a: {{condition: [{{when: {when}, to: b}}], otherwise: b}}\n  b: {{dial: alice, on_no_answer: c}}\n"
    )
    (line,) = warnings(disk, f"{steps}  c: {{voicemail: }}")
    assert line.partition(": ")[2] == told


def test_a_case_that_another_leaves_nothing(disk):
    cases = "[{when: {source: radio}, to: b}, {name: same, when: {source: radio}, to: b}]"
    (line,) = warnings(disk, f"a: {{condition: {cases}, otherwise: b}}\n  b: {{voicemail: }}")
    assert line.partition(": ")[2] == "'same' is never taken: 'case 1' says the same, and comes first"


def test_fields_that_a_webhook_does_not_keep(disk):
    steps = (
        'a: {webhook: "https://crm.example/", keep: {tier: a.b}, next: b}\n  b: {say: "{a.teir}", next: c}'
    )
    (line,) = warnings(disk, f"{steps}\n  c: {{voicemail: }}")
    assert line.endswith("no call has a value 'a.teir'; did you mean 'a.tier'?")


@pytest.mark.parametrize(
    "step",
    ["{dial: alice, timeout: 0s, on_no_answer: c}", "{voicemail: {max: 0s}}", "{park: any, timeout: 0s, on_timeout: c}"],
)  # fmt: skip
def test_no_time_at_all(disk, step):
    told = warnings(disk, f"a: {step}\n  c: {{voicemail: }}")
    assert any("0 s is no time at all; write how long, such as 20s" in line for line in told)


def test_an_office_that_leads_to_no_step_is_told_at_its_name(disk):
    geo = '[{name: near, offices: {newrk: "Newark, NJ"}}]'
    told = warnings(disk, f"a: {{geo: {geo}, otherwise: newark}}\n  newark: {{voicemail: }}")
    assert told == ["3:36: no step 'newrk'; did you mean 'newark'?"]


def test_a_key_deep_in_a_match_is_suggested(disk):
    match = "{any: [{utm_sorce: google}]}"
    disk.write("config.yaml", CONFIG.replace("kind: offline}", f"kind: online, match: {match}}}"))
    assert any(line.endswith("unknown key 'utm_sorce'; did you mean 'utm_source'?") for line in disk.said())


END = "end: {voicemail: {max: 60s}}"
RING = "ring: {dial: [desk, alice], on_no_answer: end}"
LINE = "line: {queue: sales, on_timeout: end}"

FINE = {
    "straight to an agent": f"a: {{dial: alice, on_no_answer: end}}\n  {END}",
    "a message only": "a: {voicemail: {greeting: Speak after the tone.}}",
    "closed for good": "a: {say: We have moved., next: b}\n  b: {hangup: the office has moved}",
    "night and weekend": f'a: {{schedule: {{mon-fri: "08:00-18:00", "sat,sun": "22:00-02:00"}}, open: ring, closed: end}}\n  {RING}\n  {END}',
    "a menu that asks for ever until somebody is chosen": f"a: {{menu: One or two?, keys: {{1: ring, 2: line}}, otherwise: a}}\n  {RING}\n  {LINE}\n  {END}",
    "a menu with a menu behind it and a way back": f"a: {{menu: Hi, keys: {{1: b, 2: ring}}, otherwise: ring}}\n  b: {{menu: More, keys: {{'*': a, 1: line}}, otherwise: a}}\n  {RING}\n  {LINE}\n  {END}",
    "queue, key, callback": f"a: {{queue: sales, keys: {{'2': c}}, on_timeout: c}}\n  c: {{callback: sales, offer: Press 1., otherwise: end}}\n  {END}",
    "try again later": f"a: {{queue: sales, on_timeout: b}}\n  b: {{menu: Hold?, keys: {{1: a}}, otherwise: end}}\n  {END}",
    "nearest by ZIP": f'a: {{collect: ZIP?, digits: 5, next: b, otherwise: ring}}\n  b: {{by: [a, number], geo: [{{name: near, offices: {{ring: "Newark, NJ", line: "02108, US"}}}}], otherwise: ring}}\n  {RING}\n  {LINE}\n  {END}',
    "by state": f"a: {{geo: [{{name: Jersey, areas: [NJ], to: line}}, {{name: rest, areas: [US], to: ring}}], otherwise: ring}}\n  {LINE}\n  {RING}\n  {END}",
    "a trial": f"a: {{split: {{ring: 12.5, line: 87.5}}}}\n  {RING}\n  {LINE}\n  {END}",
    "regulars first": f'a: {{condition: [{{when: {{caller.calls: ">= 3", caller.days: "< 90"}}, to: line}}, {{when: {{source: "rad*", day: mon-fri, time: "09:00-17:00"}}, to: ring}}], otherwise: end}}\n  {LINE}\n  {RING}\n  {END}',
    "whoever is free": f'a: {{condition: [{{when: {{queue.sales.available: 0, queue.sales.longest_wait: "> 2m"}}, to: end}}, {{when: {{not: {{attestation: [A, B]}}}}, to: ring}}], otherwise: line}}\n  {LINE}\n  {RING}\n  {END}',
    "ask the shop's program": f'a: {{webhook: "https://crm.example/{{caller}}", keep: {{tier: customer.tier}}, on_timeout: ring, next: b}}\n  b: {{condition: [{{when: {{a.tier: gold}}, to: ring}}, {{when: {{a: failure}}, to: line}}], otherwise: line}}\n  {RING}\n  {LINE}\n  {END}',
    "values, tags, score, whisper": f'a: {{set: {{place: "{{source}}"}}, next: b}}\n  b: {{tag: [x, y], next: c}}\n  c: {{score: 4, next: d}}\n  d: {{whisper: "From {{place}}", next: e}}\n  e: {{condition: [{{when: {{tag: x}}, to: ring}}], otherwise: end}}\n  {RING}\n  {END}',
    "card data left out": f"a: {{record: pause, next: b}}\n  b: {{collect: Card?, digits: 16, hidden: yes, next: c, otherwise: c}}\n  c: {{record: resume, next: ring}}\n  {RING}\n  {END}",
    "by name": f"a: {{directory: Three letters., agents: [alice], on_nobody: ring, on_no_answer: end}}\n  {RING}\n  {END}",
    "a room": f"a: {{conference: board, on_wrong_pin: end, on_full: end}}\n  {END}",
    "parked": f"a: {{park: any, timeout: 1m, on_timeout: ring}}\n  {RING}\n  {END}",
    "wait and music": f"a: {{wait: 2s, next: b}}\n  b: {{play: jingle.wav, next: ring}}\n  {RING}\n  {END}",
    "on to another flow": f"a: {{goto: {{flow: part, return: ring}}}}\n  {RING}\n  {END}",
}  # fmt: skip


@pytest.mark.parametrize("steps", FINE.values(), ids=FINE)
def test_nothing_is_said_of_flows_in_which_nothing_is_wrong(disk, steps):
    disk.write("config.yaml", CONFIG + ROOMS)
    disk.write("prompts/jingle.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ")
    others = {"part": "x: {say: Hello}"} if "part" in steps else {}
    assert [line for line in warnings(disk, steps, **others) if "jingle" not in line] == []


def test_a_hundred_flows_of_fifty_steps_are_checked_soon(disk):
    """It takes about a second of CPU time; the bound is for what grows faster than the flows do."""
    for number in range(100):
        steps = "".join(
            f"  s{at}: {{menu: Press one or two for more, keys: {{1: s{at + 1}, 2: s0}}, otherwise: s{at + 1}}}\n"
            for at in range(49)
        )
        disk.write(f"ivr_flows/f{number}.yaml", f"start: s0\nsteps:\n{steps}  s49: {{voicemail: }}\n")
    numbers = "".join(f'  "+1212555{2000 + n}": {{source: radio, flow: f{n}}}\n' for n in range(100))
    disk.write("config.yaml", CONFIG + numbers)
    began = time.process_time()
    site, problems = disk.examine()
    took_s = time.process_time() - began
    assert site is not None
    assert [each for each in problems if each.code != "unused"] == []
    assert took_s < 10
