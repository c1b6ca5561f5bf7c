"""collect, condition, split, set, tag, score, goto with return, hangup: where they lead, and why."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from pbx import events
from pbx.clock import VirtualClock
from pbx.config.models import Queue
from pbx.flows.control import CallerHistory
from pbx.flows.flow import Flow
from pbx.flows.interpreter import DEEPEST, run
from pbx.flows.outcome import Outcome
from pbx.flows.simulated import Script, SimulatedCall
from pbx.flows.steps.split import Split, place
from pbx.flows.trace import trace
from tests.pbx.flows.worlds import facts, flow, surroundings

SATURDAY_EVENING = datetime(2026, 11, 29, 0, 30, tzinfo=UTC)  # 19:30 on Saturday in New York
AFTER = "\nyes: {say: 'yes'}\nno: {say: 'no'}\n"


class Told:
    """A flow that was run, and what it told."""

    def __init__(
        self,
        steps: str,
        *others: Flow,
        press: Sequence[str] = (),
        history: CallerHistory | None = None,
        at: datetime = SATURDAY_EVENING,
        **about: str,
    ) -> None:
        self.happened: list[events.CallEvent] = []
        clock = VirtualClock(at)

        async def main() -> Outcome:
            around = surroundings(clock, *others, queues={"sales": Queue(members=["alice", "bob"])})
            script = Script(press=press, history=history or CallerHistory(), agent_hangs_up=True)
            self.call = SimulatedCall(facts(**about), clock, self.happened.append, script)
            return await run(self.call, flow(steps), around, self.happened.append)

        self.outcome = clock.run(main())
        self.path = list(self.outcome.path)
        self.heard = self.call.heard
        self.reasons = [turn.because for turn in trace(self.happened)]

    @property
    def recorded(self) -> Mapping[str, str]:
        return {event.name: event.value for event in self.happened if isinstance(event, events.ValueSet)}


# collect

ZIP = "zip: {collect: Your ZIP code, digits: 5, next: 'yes', otherwise: 'no'%s}" + AFTER


def collect(more: str = "", press: Sequence[str] = (), **about: str) -> Told:
    return Told(ZIP % (more and f", {more}"), press=press, **about)


def test_digits_are_the_steps_value():
    told = collect(press=["10001"])
    assert told.path == ["zip", "yes"]
    assert told.reasons[0] == "the caller entered 10001"
    assert told.recorded["zip"] == "10001"


def test_digits_end_when_there_are_enough_of_them():
    assert collect(press=["100019"]).recorded["zip"] == "10001"


def test_too_few_digits_are_told_and_asked_for_again():
    told = collect("invalid: That is no ZIP code.", press=["12", "10001"])
    assert told.heard == ["Your ZIP code", "That is no ZIP code.", "Your ZIP code", "yes"]
    assert told.reasons[:2] == [
        "the caller entered 12, 2 of 5 digits; asking again (1 of 2)",
        "the caller entered 10001",
    ]


def test_silence_is_not_told_to_be_invalid():
    told = collect("invalid: That is no ZIP code., retries: 1")
    assert told.heard == ["Your ZIP code", "Your ZIP code", "no"]
    assert told.reasons[1] == "no key within 5 s, and that was the last try"
    assert told.recorded["zip"] == ""


@pytest.mark.parametrize(("keys", "step"), [("0123", "no"), ("1234", "yes"), ("*234", "no")])
def test_a_pattern_is_matched_whole(keys: str, step: str):
    steps = (
        "a: {collect: Which, digits: 2-4, pattern: '[1-9][0-9]*', retries: 0, next: 'yes', otherwise: 'no'}"
    )
    assert Told(steps + AFTER, press=[keys]).path == ["a", step]


def test_digits_are_read_back_and_confirmed():
    told = collect("confirm: true", press=["10001", "1"])
    assert told.path == ["zip", "yes"]
    assert told.heard[1] == "You entered 1 0 0 0 1. Press 1 to confirm, or 2 to enter it again."


def test_digits_that_are_not_confirmed_are_asked_for_again():
    told = collect("confirm: 'So, {entered}?', retries: 1", press=["10001", "2", "10002", ""])
    assert told.heard == [*["Your ZIP code", "So, 1 0 0 0 1?"], *["Your ZIP code", "So, 1 0 0 0 2?"], "no"]
    assert told.reasons[:2] == [
        "the caller entered 10001 and pressed 2; asking again (1 of 1)",
        "the caller entered 10002 and did not confirm it within 5 s, and that was the last try",
    ]


def test_they_are_read_back_in_the_callers_language():
    assert "Ha marcado 1 0 0 0 1." in collect("confirm: true", press=["10001", "1"], language="es").heard[1]


def test_another_terminator_ends_the_keys():
    steps = "a: {collect: Which, terminator: '*', next: 'yes'}" + AFTER
    assert Told(steps, press=["123*"]).recorded["a"] == "123"


def test_hidden_digits_can_be_used_and_are_shown_nowhere():
    steps = """
a: {collect: Your PIN, digits: 4, hidden: true, next: b}
b: {condition: [{when: {a: 1234}, to: 'yes'}], otherwise: 'no'}
"""
    told = Told(steps + AFTER, press=["1234"])
    assert told.path == ["a", "b", "yes"]
    assert told.call.values["a"] == "1234"
    assert told.recorded["a"] == "•••"
    assert "1234" not in repr([event for event in told.happened if isinstance(event, events.TurnTaken)][:1])
    assert told.reasons[1] == "a is 1234: a is •••"


# condition


def verdict(when: str, **about: object) -> bool:
    told = Told(f"a: {{condition: [{{when: {when}, to: 'yes'}}], otherwise: 'no'}}" + AFTER, **about)
    return told.path[1] == "yes"


REGULAR = CallerHistory(4, SATURDAY_EVENING - timedelta(days=3), "radio", "bob")


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ("{source: yellow-pages}", True),
        ("{source: Yellow-*}", True),
        ("{source: yellow}", False),
        ("{source: [radio, yellow-pages]}", True),
        ("{source: '!= radio'}", True),
        ("{caller: '+1212*', did: '+12125550100'}", True),
        ("{caller: '+1212*', did: '+12125550199'}", False),
        ("{day: sat}", True),
        ("{day: mon-fri}", False),
        ("{time: '18:00-20:00'}", True),
        ("{time: '22:00-19:00'}", False),
        ("{time: '19:30-19:00'}", True),
        ("{time: '> 19:00'}", True),
        ("{date: 2026-11-28}", True),
        ("{date: '>= 2026-11-29'}", False),
        ("{caller.calls: '>= 4', caller.new: no, caller.days: 3}", True),
        ("{caller.new: yes}", False),
        ("{caller.last_agent: bob, caller.last_source: radio}", True),
        ("{any: [{source: radio}, {caller.calls: '< 9'}]}", True),
        ("{any: [{source: radio}, {caller.calls: '< 2'}]}", False),
        ("{all: [{day: sat}, {not: {day: sun}}]}", True),
        ("{not: {attestation: [A, B]}}", True),
        ("{queue.sales.waiting: 0, queue.sales.available: 2}", True),
        ("{queue.sales.longest_wait: '> 1m'}", False),
        ("{nothing: ''}", True),
        ("{nothing: '> 0'}", False),
        ("{nothing: '!= x'}", True),
    ],
)
def test_conditions(when: str, holds: bool):
    assert verdict(when, history=REGULAR) is holds


def test_attestation():
    assert verdict("{attestation: A}", attestation="A")


def test_the_first_case_that_holds_wins_and_its_values_are_told():
    steps = """
a:
  condition:
    - {when: {source: radio}, to: 'no'}
    - {name: regulars, when: {caller.calls: '>= 3', source: 'yellow*'}, to: 'yes'}
    - {when: {source: 'yellow*'}, to: 'no'}
"""
    told = Told(steps + AFTER, history=REGULAR)
    assert told.path == ["a", "yes"]
    assert told.reasons[0] == "regulars: caller.calls is 4; source is yellow-pages"
    assert told.recorded["a"] == "regulars"


def test_when_no_case_holds_everything_asked_for_is_told():
    steps = "a: {condition: [{when: {source: radio, zip: 1}, to: 'yes'}], otherwise: 'no'}" + AFTER
    told = Told(steps)
    assert told.path == ["a", "no"]
    assert told.reasons[0] == "no case holds: source is yellow-pages; zip has no value yet"


def test_tags_and_earlier_results_can_be_asked_for():
    steps = """
a: {tag: [vip, spanish], next: b}
b: {menu: m, keys: {'4': c}, next: c}
c: {condition: [{when: {tag: VIP, b: 4}, to: 'yes'}], otherwise: 'no'}
"""
    told = Told(steps + AFTER, press=["4"])
    assert told.path == ["a", "b", "c", "yes"]
    assert told.reasons[2] == "tag is VIP and b is 4: tag is vip, spanish; b is 4"


# split


def test_a_caller_always_goes_the_same_way():
    steps = "a: {split: {'yes': 50, 'no': 50}}" + AFTER
    ways = {number: Told(steps, caller=f"+1212555{number}").path[1] for number in range(7700, 7720)}
    assert set(ways.values()) == {"yes", "no"}
    assert {number: Told(steps, caller=f"+1212555{number}").path[1] for number in ways} == ways


def test_a_split_says_where_the_caller_stands():
    told = Told("a: {split: {'yes': 99.9, 'no': 0.1}}" + AFTER)
    at = place("main", "a", "+12125557788")
    assert told.reasons[0] == f"this caller stands at {at:.1f}, yes has 0 to 99.9"
    assert told.recorded["a"] == "yes"


def test_who_withholds_the_number_is_drawn_by_call():
    steps = "a: {split: {'yes': 50, 'no': 50}}" + AFTER
    ways = {Told(steps, caller="", call_id=f"call{number}").path[1] for number in range(20)}
    assert ways == {"yes", "no"}
    assert "this call, whose number is withheld, stands at" in Told(steps, caller="").reasons[0]


def test_shares_are_met():
    split = Split(split={"new": 20, "old": 80})
    chosen = Counter(split.chosen(place("main", "a", f"+1212{n:07}"))[0] for n in range(10_000))
    assert 1850 < chosen["new"] < 2150


# set, tag, score


def test_set_keeps_values_with_others_in_them():
    told = Told(
        "a: {set: {who: 'the {caller} from {source}', n: 3}, next: b}\nb: {say: 'You are {who}. {n}'}"
    )
    assert told.recorded == {"who": "the +12125557788 from yellow-pages", "n": "3"}
    assert told.heard == ["You are the +12125557788 from yellow-pages. 3"]
    assert told.reasons == [
        "who is the +12125557788 from yellow-pages; n is 3",
        "the text was spoken; who is the +12125557788 from yellow-pages; n is 3",
    ]


def test_set_chooses_the_language_for_texts_and_files():
    steps = """
a: {say: {en: Hello, es: Hola}, next: b}
b: {play: hello.wav, next: c}
c: {set: {language: es}, next: d}
d: {say: {en: Hello, es: Hola}, next: e}
e: {menu: {play: hello.wav}, keys: {'1': f}, next: f, retries: 0}
f: {say: {en: 'It is {day}.', es: 'Hoy es {day}.'}, next: g}
g: {play: jingle.wav}
"""
    told = Told(steps)
    assert told.heard == ["Hello", "hello.wav", "Hola", "hello.wav", "Hoy es sábado.", "jingle.wav"]
    assert told.recorded["language"] == "es"


def test_a_language_that_cannot_be_spoken_is_a_failure():
    assert "'xx' is no language that can be spoken" in str(Told("a: {set: {language: xx}}").outcome.failure)


def test_a_value_that_there_is_not_is_spoken_as_nothing_and_told():
    told = Told("a: {say: 'Your code is {code}.'}")
    assert told.heard == ["Your code is ."]
    assert told.reasons == ["the text was spoken; code has no value yet"]


def test_tags_and_scores_are_recorded_with_the_step():
    told = Told("a: {tag: vip, next: b}\nb: {score: 4}")
    assert [(e.tag, e.because) for e in told.happened if isinstance(e, events.Tagged)] == [
        ("vip", "the flow's step a")
    ]
    assert [(e.score, e.because) for e in told.happened if isinstance(e, events.Scored)] == [
        (4, "the flow's step b")
    ]
    assert told.reasons == ["tagged vip", "scored 4 of 5"]


# goto with return, hangup

ASK = "zip: {collect: Your ZIP code, digits: 5, next: thanks}\nthanks: {say: Thanks.}"


def test_a_flow_that_was_gone_to_comes_back():
    told = Told(
        "a: {goto: {flow: ask, return: b}}\nb: {say: 'From {zip|digits}'}", flow(ASK, "ask"), press=["10001"]
    )
    assert told.path == ["a", "ask/zip", "ask/thanks", "b"]
    assert told.heard == ["Your ZIP code", "Thanks.", "From 1 0 0 0 1"]
    turns = trace(told.happened)
    assert turns[0].because == "the flow goes on at ask, then comes back to b"
    assert [turn.next for turn in turns] == ["ask/zip", "ask/thanks", "b", None]


def test_without_return_it_does_not():
    told = Told("a: {goto: ask}\nb: {say: x}", flow(ASK, "ask"), press=["10001"])
    assert told.path == ["a", "ask/zip", "ask/thanks"]


@pytest.mark.parametrize("end", ["hangup", "bye"])
def test_hanging_up_in_it_ends_the_call(end: str):
    part = flow(f"x: {{say: x, next: {end}}}\nbye: {{hangup: }}", "part")
    told = Told("a: {goto: {flow: part, return: b}}\nb: {say: b}", part)
    assert "b" not in told.path


def test_flows_within_flows_come_back_one_by_one():
    outer = flow("x: {goto: {flow: inner, return: y}}\ny: {say: y}", "outer")
    told = Told("a: {goto: {flow: outer, return: b}}\nb: {say: b}", outer, flow("z: {say: z}", "inner"))
    assert told.path == ["a", "outer/x", "inner/z", "outer/y", "b"]


def test_how_deep_flows_may_go_is_bounded():
    again = flow("x: {goto: {flow: again, return: y}}\ny: {say: y}", "again")
    told = Told("a: {goto: {flow: again, return: b}}\nb: {say: b}", again)
    assert f"flows lead into each other {DEEPEST} deep" in str(told.outcome.failure)


def test_the_reason_for_hanging_up_is_the_calls():
    told = Told("a: {hangup: 'spam from {source}'}")
    assert told.outcome.reason == "spam from yellow-pages"
    assert told.reasons == ["spam from yellow-pages"]
    assert Told("a: {hangup: }").outcome.reason == ""


@pytest.mark.parametrize(
    ("utc", "is_open"),
    [
        (datetime(2026, 7, 1, 14, 30, tzinfo=UTC), False),  # 10:30 in New York, 07:30 in Los Angeles
        (datetime(2026, 7, 1, 23, 30, tzinfo=UTC), True),  # 19:30 and 16:30
        (datetime(2026, 12, 1, 15, 30, tzinfo=UTC), False),  # the same hours of the wall in winter
        (datetime(2026, 12, 2, 0, 30, tzinfo=UTC), True),
        (datetime(2026, 12, 25, 6, 30, tzinfo=UTC), True),  # still the 24th there
        (datetime(2026, 12, 26, 6, 30, tzinfo=UTC), False),  # still the holiday there
    ],
)
def test_a_schedule_of_another_zone_goes_by_the_clock_there(utc: datetime, is_open: bool):
    told = Told(
        """
hours:
  schedule: {mon-fri: "08:00-23:00"}
  holidays: [2026-12-25]
  timezone: America/Los_Angeles
  open: yes
  closed: no
"""
        + AFTER,
        at=utc,
    )
    assert told.path == ["hours", "yes" if is_open else "no"]
