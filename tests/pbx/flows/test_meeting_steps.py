"""Conference, park, pick-up and whisper on simulated calls: where they lead, and why."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from pbx import events
from pbx.clock import VirtualClock
from pbx.config.conferences import Conference
from pbx.flows.control import AgentTarget, AnsweredLeg
from pbx.flows.interpreter import Surroundings, run
from pbx.flows.outcome import EndedBy, Outcome
from pbx.flows.simulated import Script, SimulatedCall
from pbx.flows.trace import trace
from tests.pbx.flows.worlds import facts, flow, surroundings

STAFF = Conference(pin="1234", max_members=2, join="Somebody joined.", leave="silent")
OPEN = Conference(max_members=3)
AFTER = "\nyes: {say: 'yes'}\nno: {say: 'no'}\n"


class Caller:
    """One call among several on the same clock; its flow is ``steps``."""

    def __init__(
        self,
        around: Surroundings,
        clock: VirtualClock,
        steps: str,
        name: str = "call",
        press: Sequence[str] = (),
        talk_s: float | None = None,
        whisper: str = "",
    ) -> None:
        self.happened: list[events.CallEvent] = []
        self.call = SimulatedCall(
            facts(name, caller=f"+1212555000{len(name)}", whisper=whisper),
            clock,
            self.happened.append,
            Script(press=press, talk_s=talk_s, agent_hangs_up=True),
        )
        self.flow = flow(steps)
        self.around = around

    async def walk(self) -> Outcome:
        return await run(self.call, self.flow, self.around, self.happened.append)

    @property
    def reasons(self) -> list[str]:
        return [turn.because for turn in trace(self.happened)]

    def of(self, kind: type[events.CallEvent]) -> list[events.CallEvent]:
        return [event for event in self.happened if isinstance(event, kind)]


def on_the_clock(scenario: Callable[[Surroundings, VirtualClock], Awaitable[None]]) -> None:
    clock = VirtualClock()

    async def main() -> None:
        around = surroundings(clock, conferences={"staff": STAFF, "open": OPEN})
        await scenario(around, clock)
        assert not around.parking.parked
        assert around.rooms.members("staff") == around.rooms.members("open") == 0

    clock.run(main())


ROOM = "a: {conference: staff, leave: '#', on_full: no, on_wrong_pin: no, next: yes}" + AFTER


def test_a_conference_wants_its_pin_and_gives_three_tries():
    async def scenario(around: Surroundings, clock: VirtualClock) -> None:
        caller = Caller(around, clock, ROOM, press=["1", "9999", "12#"])
        assert (await caller.walk()).path == ("a", "a", "a", "no")
        assert caller.reasons[:3] == [
            "a wrong PIN; asking again (1 of 2)",
            "a wrong PIN; asking again (2 of 2)",
            "a wrong PIN, and that was the last try",
        ]
        assert not any("9999" in reason for reason in caller.reasons)

    on_the_clock(scenario)


def test_who_is_alone_hears_music_until_somebody_joins():
    async def scenario(around: Surroundings, clock: VirtualClock) -> None:
        one = Caller(around, clock, ROOM, "one", press=["1234"])
        two = Caller(around, clock, ROOM, "three", press=["1234"])
        first = asyncio.ensure_future(one.walk())
        await asyncio.sleep(20)
        assert one.call.music
        second = asyncio.ensure_future(two.walk())
        await asyncio.sleep(20)
        assert not one.call.music
        assert not two.call.music
        assert one.call.heard[-1] == "Somebody joined."
        assert two.call.heard[-1] == "There is one other in the conference."
        two.call.press("#")
        assert (await second).path == ("a", "yes")
        assert one.call.music
        one.call.hang_up()
        assert (await first).ended_by is EndedBy.CALLER
        assert one.reasons[-1] == "in the conference staff; the caller hung up"
        assert [event.members for event in two.of(events.RoomEntered)] == [2]

    on_the_clock(scenario)


def test_no_more_than_its_members_are_let_in():
    async def scenario(around: Surroundings, clock: VirtualClock) -> None:
        inside = [Caller(around, clock, ROOM, name, press=["1234"]) for name in ("one", "three")]
        walks = [asyncio.ensure_future(caller.walk()) for caller in inside]
        await asyncio.sleep(20)
        late = Caller(around, clock, ROOM, "seventh", press=["1234"])
        assert (await late.walk()).path == ("a", "no")
        assert late.reasons[0] == "2 are in the conference, and that is all it takes"
        for caller in inside:
            caller.call.hang_up()
        await asyncio.gather(*walks)

    on_the_clock(scenario)


PARK = "a: {park: any, timeout: 60s, on_timeout: no, next: yes}" + AFTER
PICKUP = "a: {pickup: '71', on_nobody: no, next: yes}" + AFTER


def test_a_parked_call_hears_music_and_comes_back_after_its_time():
    async def scenario(around: Surroundings, clock: VirtualClock) -> None:
        caller = Caller(around, clock, PARK)
        walk = asyncio.ensure_future(caller.walk())
        await asyncio.sleep(30)
        assert caller.call.music
        assert [(each.orbit, each.call_id) for each in around.parking.parked] == [("71", "call")]
        assert (await walk).path == ("a", "no")
        assert caller.reasons[0] == "nobody picked the call up from 71 within 60 s"
        (left,) = caller.of(events.CallUnparked)
        assert (left.orbit, round(left.waited_s), left.because) == ("71", 60, "the time is over")

    on_the_clock(scenario)


def test_who_picks_up_talks_to_the_parked_caller_and_it_counts_as_a_talk():
    async def scenario(around: Surroundings, clock: VirtualClock) -> None:
        parked = Caller(around, clock, PARK, "parked")
        walk = asyncio.ensure_future(parked.walk())
        await asyncio.sleep(10)
        picker = Caller(around, clock, PICKUP, "it", talk_s=30)
        assert (await picker.walk()).ended_by is EndedBy.CALLER
        assert (await walk).path == ("a", "yes")
        assert parked.reasons[0] == "+12125550002 picked the call up from 71 and hung up after 30 s"
        (talk,) = parked.of(events.AgentDisconnected)
        assert (talk.agent, round(talk.talk_s)) == ("+12125550002", 30)

    on_the_clock(scenario)


def test_an_agent_who_picks_up_is_named():
    async def scenario(around: Surroundings, clock: VirtualClock) -> None:
        parked = Caller(around, clock, PARK)
        walk = asyncio.ensure_future(parked.walk())
        await asyncio.sleep(10)
        room = around.parking.pick_up("71", AnsweredLeg("leg", AgentTarget("alice")))
        assert room is not None
        await asyncio.sleep(10)
        room.close()
        assert (await walk).path == ("a", "yes")
        assert [event.agent for event in parked.of(events.AgentConnected)] == ["alice"]

    on_the_clock(scenario)


def test_a_caller_who_leaves_as_they_are_picked_up_lets_the_other_go():
    async def scenario(around: Surroundings, clock: VirtualClock) -> None:
        parked = Caller(around, clock, PARK)
        walk = asyncio.ensure_future(parked.walk())
        await asyncio.sleep(10)
        parked.call.hang_up()
        picker = Caller(around, clock, PICKUP, "it")
        assert (await picker.walk()).path == ("a", "yes")
        assert (await walk).ended_by is EndedBy.CALLER

    on_the_clock(scenario)


def test_there_is_nobody_to_pick_up():
    async def scenario(around: Surroundings, clock: VirtualClock) -> None:
        picker = Caller(around, clock, PICKUP)
        assert (await picker.walk()).path == ("a", "no")
        assert picker.reasons[0] == "nobody is parked at 71"

    on_the_clock(scenario)


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        ("{park: any, on_full: yes, on_timeout: no}", "every orbit is taken"),
        ("{park: '72', on_full: yes, on_timeout: no}", "orbit 72 is taken"),
    ],
)
def test_without_an_orbit_nobody_is_parked(step: str, reason: str):
    async def scenario(around: Surroundings, clock: VirtualClock) -> None:
        with around.parking.place("x", ""), around.parking.place("y", ""):
            caller = Caller(around, clock, f"a: {step}" + AFTER)
            assert (await caller.walk()).path == ("a", "yes")
            assert caller.reasons[0] == reason

    on_the_clock(scenario)


@pytest.mark.parametrize(("text", "heard"), [("VIP", ["VIP"]), ("", [])])
def test_a_whisper_holds_for_the_agents_who_follow(text: str, heard: list[str]):
    async def scenario(around: Surroundings, clock: VirtualClock) -> None:
        steps = (
            f"a: {{whisper: '{text}', next: b}}\nb: {{dial: alice, next: c}}\nc: {{dial: bob, whisper: Own}}"
        )
        caller = Caller(around, clock, steps, talk_s=5, whisper="number")
        assert (await caller.walk()).path == ("a", "b", "c")
        assert caller.call.whispered == [*heard, "Own"]

    on_the_clock(scenario)
