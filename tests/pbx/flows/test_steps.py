"""Every step on a simulated call: where it leads, and the reason it gives."""

from collections.abc import Sequence

import pytest
from pydantic import ValidationError

from pbx import events
from pbx.clock import VirtualClock
from pbx.config.models import Queue
from pbx.flows.control import DialOutcome
from pbx.flows.interpreter import run
from pbx.flows.outcome import EndedBy, Outcome
from pbx.flows.simulated import Reaction, Script, SimulatedCall
from pbx.flows.step import ReferenceKind
from pbx.flows.steps import STEPS
from pbx.flows.trace import trace
from tests.pbx.flows.worlds import facts, flow, reacting, surroundings

NO_ANSWER = Reaction(DialOutcome.NO_ANSWER)
BUSY = Reaction(DialOutcome.BUSY)
AWAY = Reaction(DialOutcome.UNREACHABLE)


class Told:
    """A flow that was run, and everything that happened."""

    def __init__(
        self,
        steps: str,
        *others: object,
        press: Sequence[str] = (),
        caller: str = "+12125557788",
        whisper: str = "",
        queue: Queue | None = None,
        away: Sequence[str] = (),
        **reactions: Reaction,
    ) -> None:
        self.happened: list[events.CallEvent] = []
        clock = VirtualClock()

        async def main() -> Outcome:
            around = surroundings(
                clock,
                *others,
                queues={"sales": queue} if queue else {},
                reachable=lambda agent: agent not in away,
            )
            script = Script(
                press=press, reacts=reacting(**reactions), agent_hangs_up=True, hang_up_after_s=3600
            )
            self.call = SimulatedCall(
                facts(caller=caller, whisper=whisper), clock, self.happened.append, script
            )
            return await run(self.call, flow(steps), around, self.happened.append)

        began = clock.monotonic()
        self.outcome = clock.run(main())
        self.lasted_s = clock.monotonic() - began
        self.path = list(self.outcome.path)
        self.reasons = [turn.because for turn in trace(self.happened)]


AFTER = "\nyes: {say: 'yes'}\nno: {say: 'no'}\n"


def test_every_step_has_its_own_file_and_key():
    for kind, step in STEPS.items():
        assert step.kind == kind
        assert step.__module__ == f"pbx.flows.steps.{kind}"
        assert kind in step.model_fields


def test_every_field_of_every_step_is_described():
    undescribed = [
        f"{kind}.{name}"
        for kind, step in STEPS.items()
        for name, field in step.model_fields.items()
        if not field.description and name != "next"
    ]
    assert undescribed == []


def test_say_and_play_are_heard():
    told = Told("a: {say: Hello, next: b}\nb: {play: music.wav}")
    assert told.call.heard == ["Hello", "music.wav"]
    assert told.reasons == ["the text was spoken", "music.wav was played"]


def test_wait_answers_and_stays_silent():
    told = Told("a: {wait: 2s}")
    assert told.call.answered
    assert told.call.heard == []
    assert told.reasons == ["2 s have passed"]


@pytest.mark.parametrize(("word", "on"), [("on", True), ("off", False)])
def test_record(word: str, on: bool):
    assert Told(f"a: {{record: '{word}'}}").call.recording is on


def test_record_pauses_and_resumes():
    told = Told("a: {record: pause, next: b}\nb: {record: resume}")
    assert [event.kind for event in told.happened if event.kind.startswith("recording.")] == [
        "recording.paused",
        "recording.resumed",
    ]


MENU = "a: {menu: Press 1 or 2, keys: {'1': yes, '2': no}, otherwise: no}" + AFTER


def test_a_key_leads_where_it_should():
    told = Told(MENU, press=["1"])
    assert told.path == ["a", "yes"]
    assert told.reasons[0] == "the caller pressed 1"


def test_no_key_asks_again_and_then_gives_up():
    told = Told(MENU)
    assert told.path == ["a", "a", "a", "no"]
    assert told.call.heard == ["Press 1 or 2"] * 3 + ["no"]
    assert told.reasons[:3] == [
        "no key within 5 s; asking again (1 of 2)",
        "no key within 5 s; asking again (2 of 2)",
        "no key within 5 s, and that was the last try",
    ]


def test_a_key_that_is_no_choice_counts_as_a_try_and_says_so():
    told = Told(MENU, press=["9", "2"])
    assert told.path == ["a", "a", "no"]
    assert told.reasons[0] == "the caller pressed 9, which is none of 1, 2; asking again (1 of 2)"


def test_the_tries_count_anew_when_the_caller_comes_back():
    told = Told(
        "a: {menu: m, keys: {'1': b}, retries: 1, otherwise: yes}\nb: {say: back, next: a}" + AFTER,
        press=["", "1", ""],
    )
    assert told.path == ["a", "a", "b", "a", "a", "yes"]


def test_a_menu_may_have_hash_and_several_digits():
    steps = "a: {menu: m, keys: {'#': no, '12': yes}, retries: 0}" + AFTER
    assert Told(steps, press=["12"]).path == ["a", "yes"]
    assert Told(steps, press=["#"]).path == ["a", "no"]


@pytest.mark.parametrize(
    ("keys", "path", "waits"), [("1", "yes", False), ("4", "no", True), ("42", "yes", False)]
)
def test_a_menu_waits_for_another_key_only_if_it_could_lead_on(keys: str, path: str, waits: bool):
    """Who presses 1 must not wait because there is a 42."""
    told = Told("a: {menu: m, keys: {'1': yes, '4': no, '42': yes}, timeout: 30s}" + AFTER, press=[keys])
    assert told.path == ["a", path]
    assert (told.lasted_s > 30) is waits


def test_of_keys_in_a_row_each_prompt_takes_its_own():
    steps = """
a: {menu: m, keys: {'1': zip}, retries: 0}
b: {menu: m, keys: {'3': yes}, retries: 0}
zip: {collect: Your ZIP code, digits: 5, next: b}
"""
    assert Told(steps + AFTER, press="1").path == ["a", "zip", "zip", "zip", "b"]
    assert Told(steps + AFTER, press="1100013").path == ["a", "zip", "b", "yes"]


def test_without_otherwise_a_menu_falls_back_on_next():
    assert Told("a: {menu: m, keys: {'1': no}, retries: 0, next: yes}" + AFTER).path == ["a", "yes"]


@pytest.mark.parametrize("key", ["x", "", "123456789", "1 2"])
def test_what_is_no_key_is_refused(key: str):
    with pytest.raises(ValidationError, match="is no key of a telephone"):
        flow(f"a: {{menu: m, keys: {{'{key}': a}}}}")


def test_a_prompt_is_a_text_or_a_file():
    assert Told("a: {menu: {play: ask.wav}, keys: {'1': a}, retries: 0}").call.heard == ["ask.wav"]
    with pytest.raises(ValidationError, match=r"write a text, \{say: text\} or \{play: file\}"):
        flow("a: {menu: {say: x, play: y}, keys: {'1': a}}")


GEO = (
    "a: {geo: [{name: Manhattan, areas: ['+1212', '+1646'], to: yes}, "
    "{name: Newark, areas: ['+1973', New Jersey], to: no}], otherwise: z}\nz: {say: z}" + AFTER
)


@pytest.mark.parametrize(
    ("caller", "target", "reason"),
    [
        ("+12125557788", "yes", "Manhattan: the number begins with +1212"),
        ("+19735551234", "no", "Newark: the number begins with +1973"),
        ("+12015551234", "no", "Newark: "),
        ("+442071234567", "z", "the caller's number is from none of the areas"),
        ("", "z", "the caller withheld the number"),
    ],
)
def test_geo(caller: str, target: str, reason: str):
    told = Told(GEO, caller=caller)
    assert told.path == ["a", target]
    assert told.reasons[0].startswith(reason)


DIAL = (
    "a: {dial: [alice, bob], timeout: 20s, on_no_answer: no, on_busy: yes, next: after}\nafter: {say: x}"
    + AFTER
)


def test_dial_rings_in_order_until_one_answers():
    told = Told(DIAL, alice=NO_ANSWER)
    assert told.path == ["a", "after"]
    assert told.call.rang == ["alice", "bob"]
    assert told.reasons[0] == "bob answered and hung up after 60 s"


def test_nobody_answers():
    told = Told(DIAL, alice=NO_ANSWER, bob=AWAY)
    assert told.path == ["a", "no"]
    assert told.reasons[0] == "alice did not answer; bob cannot be reached"


def test_busy_has_a_way_of_its_own():
    told = Told(DIAL, alice=NO_ANSWER, bob=BUSY)
    assert told.path == ["a", "yes"]


def test_busy_falls_back_on_no_answer():
    assert Told("a: {dial: alice, on_no_answer: no}" + AFTER, alice=BUSY).path == ["a", "no"]


def test_without_a_way_out_the_call_ends():
    told = Told("a: {dial: alice}", alice=NO_ANSWER)
    assert (told.path, told.outcome.ended_by) == (["a"], EndedBy.FLOW)


def test_ring_all_rings_agents_and_numbers_together():
    told = Told('a: {dial: [alice, "(973) 555-0150"], trunk: carrier, ring: all}', alice=NO_ANSWER)
    assert told.call.rang == ["alice", "+19735550150"]
    assert told.reasons == ["+19735550150 answered and hung up after 60 s"]


@pytest.mark.parametrize(
    ("step", "spoken"), [("", ["number"]), (", whisper: step", ["step"]), (", whisper: ''", [])]
)
def test_whisper(step: str, spoken: list[str]):
    assert Told(f"a: {{dial: alice{step}}}", whisper="number").call.whispered == spoken


def test_the_numbers_whisper_has_the_calls_values():
    told = Told("a: {dial: alice}", whisper="{source}: {caller}, call {caller.calls|count}, {{sic}}")
    assert told.call.whispered == ["yellow-pages: 2 1 2, 5 5 5, 7 7 8 8, call 0, {sic}"]


QUEUE = "a: {queue: sales, on_timeout: no, next: yes}" + AFTER
SALES = Queue(members=["alice", "bob"])


def test_queue_ends_in_a_talk():
    told = Told(QUEUE, queue=SALES)
    assert told.path == ["a", "yes"]
    assert told.reasons[0] == "alice answered after 0 s and hung up after 60 s"


def test_queue_times_out():
    told = Told(QUEUE, queue=SALES, alice=NO_ANSWER, bob=BUSY)
    assert told.path == ["a", "no"]
    assert told.reasons[0] == "nobody answered within 300 s"
    assert not told.call.music


def test_queue_is_empty():
    told = Told("a: {queue: sales, on_empty: no}" + AFTER, queue=SALES, away=["alice", "bob"])
    assert told.path == ["a", "no"]
    assert told.reasons[0] == "nobody of sales can be reached"


def test_voicemail_greets_tags_and_takes_a_message():
    told = Told("a: {voicemail: {max: 30s, tag: vm, greeting: Speak}, next: yes}" + AFTER)
    assert told.path == ["a", "yes"]
    assert told.call.heard[0] == "Speak"
    assert [event.tag for event in told.happened if isinstance(event, events.Tagged)] == ["vm"]
    assert told.reasons[0] == "a message of 10 s, ended by key"


def test_voicemail_needs_no_settings():
    assert Told("a: {voicemail: {}}").reasons == ["a message of 10 s, ended by key"]


@pytest.mark.parametrize(
    ("steps", "reason"), [("a: {hangup: }", "the flow hangs up"), ("a: {hangup: spam}", "spam")]
)
def test_hangup(steps: str, reason: str):
    told = Told(steps)
    assert (told.outcome.ended_by, told.reasons) == (EndedBy.FLOW, [reason])
    assert not told.call.answered


OTHER = "hello: {say: in other, next: more}\nmore: {say: more}"


@pytest.mark.parametrize(
    ("goto", "path"),
    [
        ("other", ["a", "other/hello", "other/more"]),
        ("{flow: other, step: more}", ["a", "other/more"]),
        ("{step: yes}", ["a", "yes"]),
    ],
)
def test_goto(goto: str, path: list[str]):
    told = Told(f"a: {{goto: {goto}}}" + AFTER, flow(OTHER, "other"))
    assert told.path == path
    assert trace(told.happened)[0].next == path[1]


def test_references_name_what_to_check():
    steps = flow(
        'd: {dial: [alice, "+19735550150"], trunk: carrier}\nq: {queue: sales}\ng: {goto: other}\n'
        "p: {play: x.wav}\nm: {menu: {play: y.wav}, keys: {'1': d}}\n"
        "v: {voicemail: {greeting: {play: z.wav}}}"
    ).steps
    found = {(ref.kind, ref.name, ref.loc) for step in steps.values() for ref in step.references()}
    assert found == {
        (ReferenceKind.AGENT, "alice", ("dial", 0)),
        (ReferenceKind.NUMBER, "+19735550150", ("dial", 1)),
        (ReferenceKind.TRUNK, "carrier", ("trunk",)),
        (ReferenceKind.QUEUE, "sales", ("queue",)),
        (ReferenceKind.FLOW, "other", ("goto", "flow")),
        (ReferenceKind.AUDIO, "x.wav", ("play",)),
        (ReferenceKind.AUDIO, "y.wav", ("menu", "play")),
        (ReferenceKind.AUDIO, "z.wav", ("voicemail", "greeting", "play")),
    }
