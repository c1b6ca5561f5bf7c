"""What every CallControl promises, as tests: simulated calls and live ones run the same suite.

A subclass of :class:`CallContract` says how to make a :class:`World`: one call that has just come in,
from a caller who does what the test says, to agents who react as the test says. Times are short,
since a live world spends them.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import pytest

from pbx import events
from pbx.flows.control import (
    AgentTarget,
    AnsweredLeg,
    CallControl,
    CallerGone,
    CallerHears,
    CallerHistory,
    DialOutcome,
    NumberTarget,
    Prompt,
)
from pbx.flows.simulated import Reaction
from pbx.httpcalls import TIMEOUT, WebRequest
from pbx.rooms import News, Room, RoomSounds, Seat

ALICE, BOB, NUMBER = AgentTarget("alice"), AgentTarget("bob"), NumberTarget("+19735550150", None)
ANSWERS = Reaction(DialOutcome.ANSWERED, 0.05)
BUSY = Reaction(DialOutcome.BUSY)
SILENT = Reaction(DialOutcome.NO_ANSWER)
AWAY = Reaction(DialOutcome.UNREACHABLE)

HISTORY = CallerHistory(3, datetime(2026, 11, 20, 9, 30, tzinfo=UTC), "yellow-pages", "alice")
"""What a world's store knows of its caller."""

SHORT = Prompt(text="Hello.")
LONG = Prompt(text="This is a text that takes several seconds to speak, " * 4)
A_MOMENT_S = 0.3
ANSWER = b'{"tier": "gold"}'
NEVER_S = 60.0


class World(ABC):
    """One call and the people in it."""

    call: CallControl
    happened: list[events.CallEvent]
    program = "program.test"
    """Where another program listens: it answers ANSWER at /answer, and nothing at /silence."""

    @abstractmethod
    def press(self, keys: str) -> None:
        """The caller presses keys."""

    @abstractmethod
    def caller_hangs_up(self) -> None: ...

    @abstractmethod
    def agent_hangs_up(self) -> None:
        """Whoever talks to the caller hangs up."""

    def soon(self, action: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_later(A_MOMENT_S, action)

    def of(self, kind: type[events.CallEvent]) -> list[events.CallEvent]:
        return [event for event in self.happened if isinstance(event, kind)]

    def up(self) -> list[str]:
        """The targets of legs that were rung and have not ended."""
        ended = {event.leg_id for event in self.of(events.LegEnded)}
        return [e.target for e in self.of(events.LegStarted) if e.role != "caller" and e.leg_id not in ended]

    def elapsed_since(self, began: float) -> float:
        return self.call.clock.monotonic() - began


class Somebody:
    """Another seat in a room; ``heard`` keeps whom it heard, time by time."""

    def __init__(self) -> None:
        self.heard: list[Sequence[Seat]] = []
        self.news: list[News] = []

    def hears(self, others: Sequence[Seat]) -> None:
        self.heard.append(others)

    def told(self, news: News) -> None:
        self.news.append(news)

    def released(self) -> None:
        self.heard.append(())


Scenario = Callable[[World], Awaitable[None]]


async def _play(world: World) -> None:
    await world.call.play(LONG)


async def _collect(world: World) -> None:
    await world.call.collect(LONG, max_digits=1, timeout_s=NEVER_S)


async def _collect_silently(world: World) -> None:
    await world.call.collect(None, max_digits=1, timeout_s=NEVER_S)


async def _wait(world: World) -> None:
    await world.call.wait(NEVER_S)


async def _ring_together(world: World) -> None:
    await world.call.dial([ALICE, BOB], together=True, timeout_s=NEVER_S)


async def _ring_in_order(world: World) -> None:
    await world.call.dial([ALICE, BOB], together=False, timeout_s=NEVER_S)


async def _ring_with_music(world: World) -> None:
    await world.call.dial([ALICE], together=True, timeout_s=NEVER_S, caller_hears=CallerHears.MUSIC)


async def _take_message(world: World) -> None:
    await world.call.take_message(max_s=NEVER_S)


async def _ask_for_the_history(world: World) -> None:
    await world.call.wait(NEVER_S)
    await world.call.caller_history()


async def _wait_for_something_else(world: World) -> None:
    await world.call.until(asyncio.Event().wait())


async def _fetch(world: World) -> None:
    await world.call.fetch("silence", WebRequest(f"http://{world.program}/silence", timeout_s=NEVER_S))


async def _confer(world: World) -> None:
    await world.call.confer(Room(), leave_key="#")


VERBS = [
    _play,
    _collect,
    _collect_silently,
    _wait,
    _ring_together,
    _ring_in_order,
    _ring_with_music,
    _take_message,
    _ask_for_the_history,
    _confer,
    _fetch,
    _wait_for_something_else,
]


class CallContract:
    """The suite. ``run`` plays a scenario in a new world."""

    def run(self, scenario: Scenario, *, alice: Reaction = SILENT, bob: Reaction = SILENT) -> None:
        raise NotImplementedError

    # Answering

    def test_a_call_is_not_answered_until_a_verb_speaks(self) -> None:
        async def scenario(world: World) -> None:
            assert not world.call.answered
            world.call.set_recording(False)
            world.call.tag("tag", "because")
            assert not world.call.answered
            await world.call.wait(0.01)
            assert world.call.answered
            await world.call.answer()
            assert len(world.of(events.CallAnswered)) == 1

        self.run(scenario)

    def test_a_pause_of_the_recording_is_on_record_once(self) -> None:
        async def scenario(world: World) -> None:
            for paused in (True, True, False, False):
                world.call.pause_recording(paused)
            assert [event.by for event in world.of(events.RecordingPaused)] == ["flow"]
            assert len(world.of(events.RecordingResumed)) == 1

        self.run(scenario)

    def test_ringing_an_agent_does_not_answer_the_caller(self) -> None:
        async def scenario(world: World) -> None:
            await world.call.dial([ALICE], together=True, timeout_s=A_MOMENT_S)
            assert not world.call.answered

        self.run(scenario)

    def test_music_answers_and_goes_on_beneath_other_waiting(self) -> None:
        async def scenario(world: World) -> None:
            await world.call.start_music()
            assert world.call.answered
            assert await world.call.until(asyncio.sleep(0.01, "done")) == "done"
            await world.call.stop_music()

        self.run(scenario)

    def test_the_local_time_is_the_clocks_in_the_servers_zone(self) -> None:
        async def scenario(world: World) -> None:
            local = world.call.local_time()
            assert local.tzinfo == world.call.facts.zone
            assert abs((local - world.call.clock.now()).total_seconds()) < 5

        self.run(scenario)

    def test_values_begin_empty_and_are_the_flows_to_fill(self) -> None:
        async def scenario(world: World) -> None:
            assert dict(world.call.values) == {}
            world.call.values["zip"] = "10001"
            assert world.call.values["zip"] == "10001"

        self.run(scenario)

    def test_the_callers_history_is_told_without_answering(self) -> None:
        async def scenario(world: World) -> None:
            assert await world.call.caller_history() == HISTORY
            assert not world.call.answered

        self.run(scenario)

    def test_a_promised_callback_is_on_record(self) -> None:
        async def scenario(world: World) -> None:
            world.call.callback_promised("sales", "+12125550199", trunk=None, priority=2, place=3)
            (promised,) = world.of(events.CallbackPromised)
            assert (promised.queue, promised.number, promised.place) == ("sales", "+12125550199", 3)
            assert promised.source == world.call.facts.source

        self.run(scenario)

    # Prompts and keys

    def test_play_returns_when_the_prompt_has_ended(self) -> None:
        async def scenario(world: World) -> None:
            began = world.call.clock.monotonic()
            await world.call.play(SHORT)
            assert world.elapsed_since(began) > 0.1

        self.run(scenario)

    def test_no_key_within_the_time_is_an_empty_answer(self) -> None:
        async def scenario(world: World) -> None:
            assert await world.call.collect(None, max_digits=1, timeout_s=A_MOMENT_S) == ""

        self.run(scenario)

    def test_a_key_interrupts_the_prompt(self) -> None:
        async def scenario(world: World) -> None:
            world.soon(lambda: world.press("1"))
            began = world.call.clock.monotonic()
            assert await world.call.collect(LONG, max_digits=1, timeout_s=NEVER_S) == "1"
            assert world.elapsed_since(began) < 4.0

        self.run(scenario)

    def test_keys_pressed_during_play_are_kept_for_collect(self) -> None:
        async def scenario(world: World) -> None:
            await world.call.answer()
            world.press("42")
            await world.call.wait(2.0)
            assert await world.call.collect(LONG, max_digits=1, timeout_s=NEVER_S) == "4"
            assert await world.call.collect(LONG, max_digits=1, timeout_s=NEVER_S) == "2"

        self.run(scenario)

    def test_a_terminator_ends_the_keys_and_is_not_one_of_them(self) -> None:
        async def scenario(world: World) -> None:
            await world.call.answer()
            world.press("12#")
            assert await world.call.collect(None, max_digits=8, timeout_s=NEVER_S) == "12"

        self.run(scenario)

    def test_no_key_is_waited_for_after_enough(self) -> None:
        async def scenario(world: World) -> None:
            await world.call.answer()
            world.press("12")
            keys = await world.call.collect(
                None, max_digits=8, timeout_s=NEVER_S, enough=lambda digits: digits == "1"
            )
            assert keys == "1"
            assert await world.call.collect(None, max_digits=1, timeout_s=NEVER_S) == "2"

        self.run(scenario)

    def test_without_terminators_every_key_counts(self) -> None:
        async def scenario(world: World) -> None:
            await world.call.answer()
            world.press("#")
            assert await world.call.collect(None, max_digits=1, timeout_s=NEVER_S, terminators="") == "#"

        self.run(scenario)

    def test_the_time_between_keys_is_limited_too(self) -> None:
        async def scenario(world: World) -> None:
            await world.call.answer()
            world.press("7")
            assert await world.call.collect(None, max_digits=4, timeout_s=1.0) == "7"

        self.run(scenario)

    # Ringing

    def test_who_answers_wins(self) -> None:
        async def scenario(world: World) -> None:
            result = await world.call.dial([ALICE], together=False, timeout_s=NEVER_S)
            assert result.outcome is DialOutcome.ANSWERED
            assert result.winner is not None
            assert result.winner.target == ALICE
            assert [(a.target, a.outcome) for a in result.attempts] == [(ALICE, DialOutcome.ANSWERED)]

        self.run(scenario, alice=ANSWERS)

    def test_a_phone_that_nobody_takes_rings_until_the_timeout(self) -> None:
        async def scenario(world: World) -> None:
            began = world.call.clock.monotonic()
            result = await world.call.dial([ALICE], together=False, timeout_s=A_MOMENT_S)
            assert result.outcome is DialOutcome.NO_ANSWER
            assert result.winner is None
            assert world.elapsed_since(began) >= A_MOMENT_S * 0.9
            assert world.up() == []

        self.run(scenario)

    @pytest.mark.parametrize(
        ("reaction", "outcome"), [(BUSY, DialOutcome.BUSY), (AWAY, DialOutcome.UNREACHABLE)]
    )
    def test_a_refusal_is_known_at_once(self, reaction: Reaction, outcome: DialOutcome) -> None:
        async def scenario(world: World) -> None:
            result = await world.call.dial([ALICE], together=False, timeout_s=NEVER_S)
            assert (result.outcome, result.winner) == (outcome, None)
            assert world.up() == []

        self.run(scenario, alice=reaction)

    def test_in_order_the_next_rings_when_the_one_before_has_refused(self) -> None:
        async def scenario(world: World) -> None:
            result = await world.call.dial([ALICE, BOB], together=False, timeout_s=NEVER_S)
            assert [(a.target, a.outcome) for a in result.attempts] == [
                (ALICE, DialOutcome.BUSY),
                (BOB, DialOutcome.ANSWERED),
            ]

        self.run(scenario, alice=BUSY, bob=ANSWERS)

    def test_in_order_who_comes_after_the_winner_never_rings(self) -> None:
        async def scenario(world: World) -> None:
            await world.call.dial([ALICE, BOB], together=False, timeout_s=NEVER_S)
            assert [event.target for event in world.of(events.LegStarted) if event.role == "agent"] == [
                "alice"
            ]

        self.run(scenario, alice=ANSWERS, bob=ANSWERS)

    def test_together_the_losers_stop_ringing(self) -> None:
        async def scenario(world: World) -> None:
            result = await world.call.dial([ALICE, BOB], together=True, timeout_s=NEVER_S)
            assert result.winner is not None
            assert result.winner.target == BOB
            assert {attempt.target: attempt.outcome for attempt in result.attempts} == {
                ALICE: DialOutcome.NO_ANSWER,
                BOB: DialOutcome.ANSWERED,
            }
            assert world.up() == ["bob"]

        self.run(scenario, bob=ANSWERS)

    def test_together_busy_says_more_than_silence(self) -> None:
        async def scenario(world: World) -> None:
            result = await world.call.dial([ALICE, BOB], together=True, timeout_s=A_MOMENT_S)
            assert result.outcome is DialOutcome.BUSY

        self.run(scenario, alice=BUSY)

    def test_a_dial_that_is_cancelled_leaves_no_phone_ringing(self) -> None:
        async def scenario(world: World) -> None:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(A_MOMENT_S):
                    await world.call.dial([ALICE, BOB], together=True, timeout_s=NEVER_S)
            assert world.up() == []
            await world.call.wait(0.01)  # the call itself is unharmed

        self.run(scenario)

    # Talking

    def test_the_talk_ends_when_the_agent_hangs_up(self) -> None:
        async def scenario(world: World) -> None:
            result = await world.call.dial([ALICE], together=True, timeout_s=NEVER_S)
            assert result.winner is not None
            world.soon(world.agent_hangs_up)
            talk = await world.call.bridge(result.winner)
            assert talk.talk_s > 0
            assert world.call.answered
            assert [event.agent for event in world.of(events.AgentConnected)] == ["alice"]
            assert [event.agent for event in world.of(events.AgentDisconnected)] == ["alice"]
            assert world.up() == []
            await world.call.wait(0.01)  # the caller is still there

        self.run(scenario, alice=ANSWERS)

    def test_the_caller_who_hangs_up_in_the_talk_ends_it(self) -> None:
        async def scenario(world: World) -> None:
            result = await world.call.dial([ALICE], together=True, timeout_s=NEVER_S)
            assert result.winner is not None
            world.soon(world.caller_hangs_up)
            with pytest.raises(CallerGone):
                await world.call.bridge(result.winner)
            assert len(world.of(events.AgentDisconnected)) == 1
            assert world.up() == []

        self.run(scenario, alice=ANSWERS)

    # Rooms

    def test_a_key_leaves_a_room_and_other_keys_do_not(self) -> None:
        async def scenario(world: World) -> None:
            room = Room()
            asyncio.get_running_loop().call_later(1.0, world.press, "1#")
            stay = await world.call.confer(room, leave_key="#")
            assert stay.by_key
            assert stay.stayed_s > 0
            assert room.members == 0
            assert [type(event) for event in world.happened if event.kind.startswith("room.")] == [
                events.RoomEntered,
                events.RoomLeft,
            ]
            await world.call.wait(0.01)  # the caller is still there

        self.run(scenario)

    def test_a_room_that_is_closed_lets_the_caller_go_on(self) -> None:
        async def scenario(world: World) -> None:
            room = Room()
            world.soon(room.close)
            stay = await world.call.confer(room)
            assert not stay.by_key
            await world.call.wait(0.01)

        self.run(scenario)

    def test_others_come_and_go_and_the_caller_stays(self) -> None:
        async def scenario(world: World) -> None:
            room, other = Room(), Somebody()
            loop = asyncio.get_running_loop()

            def come_and_go() -> None:
                with room.seated(other):
                    assert len(other.heard[-1]) == 1
                loop.call_later(A_MOMENT_S, room.close)

            loop.call_later(A_MOMENT_S, come_and_go)
            await world.call.confer(room, sounds=RoomSounds(joined="Hello.", left="silent"))
            assert world.call.answered

        self.run(scenario)

    def test_with_a_partner_the_room_is_a_talk_in_the_record(self) -> None:
        async def scenario(world: World) -> None:
            room = Room(most=2, closes_with_first=True)
            world.soon(room.close)
            await world.call.confer(room, partner=AnsweredLeg("other", ALICE))
            assert [event.agent for event in world.of(events.AgentConnected)] == ["alice"]
            assert [event.agent for event in world.of(events.AgentDisconnected)] == ["alice"]
            assert world.up() == []

        self.run(scenario)

    def test_who_hangs_up_in_a_room_of_two_ends_it_for_the_other(self) -> None:
        async def scenario(world: World) -> None:
            room = Room(most=2, closes_with_first=True)
            world.soon(world.caller_hangs_up)
            with pytest.raises(CallerGone):
                await world.call.confer(room)
            assert room.closed.done()

        self.run(scenario)

    # Other programs

    def test_another_program_answers_and_the_caller_is_not_answered_for_it(self) -> None:
        async def scenario(world: World) -> None:
            answer = await world.call.fetch("answer", WebRequest(f"http://{world.program}/answer"))
            assert (answer.status, answer.body, answer.problem) == (200, ANSWER, "")
            assert not world.call.answered

        self.run(scenario)

    def test_another_program_has_its_time_and_no_more(self) -> None:
        async def scenario(world: World) -> None:
            request = WebRequest(f"http://{world.program}/silence", timeout_s=A_MOMENT_S)
            began = world.call.clock.monotonic()
            answer = await world.call.fetch("silence", request)
            assert (answer.status, answer.problem) == (0, TIMEOUT)
            assert world.elapsed_since(began) >= A_MOMENT_S * 0.9
            await world.call.wait(0.01)

        self.run(scenario)

    # Messages

    def test_a_key_ends_a_message(self) -> None:
        async def scenario(world: World) -> None:
            await world.call.answer()
            asyncio.get_running_loop().call_later(1.5, world.press, "#")
            message = await world.call.take_message(max_s=NEVER_S)
            assert message.ended_by == "key"
            assert len(world.of(events.VoicemailLeft)) == 1

        self.run(scenario)

    def test_a_message_is_no_longer_than_allowed(self) -> None:
        async def scenario(world: World) -> None:
            message = await world.call.take_message(max_s=0.8)
            assert message.ended_by == "limit"
            assert message.duration_s == pytest.approx(0.8, abs=0.3)

        self.run(scenario)

    def test_a_message_ended_by_hanging_up_has_been_left(self) -> None:
        async def scenario(world: World) -> None:
            asyncio.get_running_loop().call_later(2.0, world.caller_hangs_up)
            with pytest.raises(CallerGone):
                await world.call.take_message(max_s=NEVER_S)
            assert len(world.of(events.VoicemailLeft)) == 1

        self.run(scenario)

    # The caller who leaves

    @pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__.strip("_"))
    def test_hanging_up_ends_any_verb_and_all_ringing(self, verb: Scenario) -> None:
        async def scenario(world: World) -> None:
            world.soon(world.caller_hangs_up)
            began = world.call.clock.monotonic()
            with pytest.raises(CallerGone, match="caller_hung_up"):
                await verb(world)
            assert world.elapsed_since(began) < 5.0
            assert world.up() == []

        self.run(scenario)

    @pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.__name__.strip("_"))
    def test_after_the_end_no_verb_does_anything(self, verb: Scenario) -> None:
        async def scenario(world: World) -> None:
            world.soon(world.caller_hangs_up)
            with pytest.raises(CallerGone):
                await world.call.wait(NEVER_S)
            before = len(world.of(events.LegStarted))
            with pytest.raises(CallerGone):
                await verb(world)
            assert len(world.of(events.LegStarted)) == before
            assert world.up() == []

        self.run(scenario)

    def test_what_until_waits_for_is_cancelled(self) -> None:
        async def scenario(world: World) -> None:
            cancelled = asyncio.Event()

            async def something() -> None:
                try:
                    await asyncio.Event().wait()
                finally:
                    cancelled.set()

            world.soon(world.caller_hangs_up)
            with pytest.raises(CallerGone):
                await world.call.until(something())
            assert cancelled.is_set()

        self.run(scenario)
