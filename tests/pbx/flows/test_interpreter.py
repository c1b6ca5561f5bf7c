"""The interpreter: path and trace, the ends of a call, failures and circles."""

import logging

import pytest

from pbx import events
from pbx.clock import VirtualClock
from pbx.config.models import Queue
from pbx.events import CallStatus
from pbx.flows.control import DialOutcome
from pbx.flows.flow import Flow
from pbx.flows.interpreter import MOST_IDLE_STEPS, run
from pbx.flows.outcome import EndedBy, Outcome, Tally, status_of
from pbx.flows.own_words import APOLOGY
from pbx.flows.simulated import Reaction, Script, SimulatedCall
from pbx.flows.trace import TraceTurn, trace
from tests.pbx.flows.worlds import facts, flow, reacting, surroundings

Run = tuple[Outcome, SimulatedCall, list[events.CallEvent]]


def walk(start: Flow, *others: Flow, script: Script | None = None, away: bool = False) -> Run:
    clock = VirtualClock()
    happened: list[events.CallEvent] = []

    async def main() -> tuple[Outcome, SimulatedCall]:
        around = surroundings(
            clock, *others, queues={"sales": Queue(members=["alice"])}, reachable=lambda agent: not away
        )
        call = SimulatedCall(facts(), clock, happened.append, script or Script())
        return await run(call, start, around, happened.append), call

    outcome, call = clock.run(main())
    return outcome, call, happened


def status(result: Run) -> CallStatus:
    return status_of(result[0], Tally.of(result[2]))


def test_path_and_trace_are_what_happened():
    outcome, _, happened = walk(flow("a: {say: one, next: b}\nb: {say: two, next: hangup}"))
    assert outcome == Outcome(("a", "b"), EndedBy.FLOW, "flow_ended")
    assert trace(happened) == [
        TraceTurn("a", "say", "b", "the text was spoken"),
        TraceTurn("b", "say", "hangup", "the text was spoken"),
    ]


def test_a_caller_who_hangs_up_ends_the_flow_and_the_trace_says_so():
    outcome, _, happened = walk(
        flow("a: {wait: 60s, next: b}\nb: {say: x}"), script=Script(hang_up_after_s=10)
    )
    assert outcome == Outcome(("a",), EndedBy.CALLER, "caller_hung_up")
    assert trace(happened) == [TraceTurn("a", "wait", None, "the caller hung up")]


def test_the_trace_says_who_had_answered():
    _, _, happened = walk(flow("a: {dial: alice}"))
    assert trace(happened)[-1].because == "alice answered; the caller hung up"


def test_a_failing_step_is_named_and_the_caller_told(caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.ERROR):
        outcome, call, happened = walk(flow("a: {say: hello, next: b}\nb: {play: missing.wav, next: a}"))
    assert outcome.ended_by is EndedBy.FAILURE
    assert outcome.cause == "flow_error"
    message = "flow main, step b: the audio file missing.wav is neither beside the flow nor in prompts/"
    assert str(outcome.failure) == message
    assert message in caplog.text
    assert call.heard == ["hello", APOLOGY["en"]]
    assert status((outcome, call, happened)) is CallStatus.FAILED


def test_the_reason_of_a_failure_is_kept():
    outcome, _, _ = walk(flow("a: {dial: nobody}"))
    assert isinstance(outcome.failure.__cause__, ValueError)
    assert "'nobody' is neither an agent nor a telephone number" in str(outcome.failure)


def test_a_caller_who_was_not_answered_is_not_spoken_to():
    _, call, _ = walk(flow("a: {dial: nobody}"))
    assert not call.answered
    assert call.heard == []


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("a: {say: x, next: nowhere}", "step nowhere: there is no such step"),
        ("a: {goto: nowhere}", "there is no flow nowhere"),
    ],
)
def test_a_way_to_nowhere_is_a_failure(steps: str, message: str):
    outcome, _, _ = walk(flow(steps))
    assert message in str(outcome.failure)


@pytest.mark.parametrize(
    "steps",
    [
        "a: {record: 'on', next: b}\nb: {record: 'off', next: a}",
        "a: {say: x, next: a}",
        "a: {dial: alice, on_no_answer: a}",
    ],
)
def test_a_circle_that_waits_for_nobody_ends_in_a_clear_failure(steps: str):
    script = Script(reacts=reacting(alice=Reaction(DialOutcome.UNREACHABLE)))
    outcome, _, _ = walk(flow(steps), script=script)
    assert f"{MOST_IDLE_STEPS} steps without waiting for anybody: " in str(outcome.failure)
    assert len(outcome.path) == MOST_IDLE_STEPS + 1


def test_a_circle_through_a_menu_is_fine():
    outcome, _, _ = walk(
        flow("a: {menu: m, keys: {'1': b}, retries: 0, otherwise: a}\nb: {say: x, next: a}"),
        script=Script(hang_up_after_s=3600),
    )
    assert outcome.ended_by is EndedBy.CALLER
    assert len(outcome.path) > MOST_IDLE_STEPS


NOBODY = Script(reacts=reacting(alice=Reaction(DialOutcome.NO_ANSWER)))


@pytest.mark.parametrize(
    ("steps", "script", "expected"),
    [
        ("a: {say: hello}", Script(), CallStatus.COMPLETED),
        ("a: {say: hello}", Script(hang_up_after_s=0.1), CallStatus.ABANDONED),
        ("a: {dial: alice}", Script(), CallStatus.ANSWERED),
        ("a: {dial: alice}", Script(agent_hangs_up=True), CallStatus.ANSWERED),
        ("a: {dial: alice}", NOBODY, CallStatus.MISSED),
        ("a: {dial: alice}", Script(reacts=NOBODY.reacts, hang_up_after_s=5), CallStatus.ABANDONED),
        ("a: {dial: alice, on_no_answer: b}\nb: {voicemail: {}}", NOBODY, CallStatus.VOICEMAIL),
        ("a: {voicemail: {}}", Script(hang_up_after_s=5), CallStatus.VOICEMAIL),
        ("a: {voicemail: {greeting: A long greeting}}", Script(hang_up_after_s=0.5), CallStatus.ABANDONED),
        ("a: {queue: sales}", NOBODY, CallStatus.MISSED),
        ("a: {queue: sales}", Script(reacts=NOBODY.reacts, hang_up_after_s=9), CallStatus.ABANDONED),
        ("a: {queue: sales}", Script(), CallStatus.ANSWERED),
        ("a: {goto: nowhere}", Script(), CallStatus.FAILED),
    ],
)
def test_statuses(steps: str, script: Script, expected: CallStatus):
    assert status(walk(flow(steps), script=script)) is expected


def test_waiting_for_a_queue_without_phones_is_a_missed_call():
    assert status(walk(flow("a: {queue: sales}"), away=True)) is CallStatus.MISSED


def test_what_a_step_finds_out_is_kept_under_its_name_and_recorded():
    script = Script(press=["1"], agent_hangs_up=True)
    _, call, happened = walk(flow("a: {menu: m, keys: {'1': ring}}\nring: {dial: alice}"), script=script)
    found = {"a": "1", "ring": "answered", "ring.agent": "alice", "ring.talked": "60"}
    assert call.values == found
    assert {event.name: event.value for event in happened if isinstance(event, events.ValueSet)} == found
