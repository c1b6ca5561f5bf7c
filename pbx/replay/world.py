"""Recorded calls, run again together: one clock, one agent board, one set of queues.

The interpreter, steps, queues and board are those of live calls; the people in a call do what they
did then, and what they did not show follows :mod:`pbx.replay.people`. Calls overlap as they did, so
that they compete for agents.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pbx import events
from pbx.agents import AgentBoard, AgentState
from pbx.agents.presence import HERE, Presence
from pbx.attribution.verdict import verdict
from pbx.clock import VirtualClock
from pbx.config.site import Site
from pbx.events import CallEvent, CallStatus
from pbx.flows.control import AgentTarget, CallFacts, DialOutcome, Prompt, Target
from pbx.flows.interpreter import Surroundings, run
from pbx.flows.outcome import Tally, status_of
from pbx.flows.simulated import Reaction, Script, SimulatedCall, duration_s
from pbx.queues import Queues
from pbx.queues.callbacks import Promise, Tried, Try
from pbx.replay.people import People
from pbx.replay.recorded import RecordedCall, Ring

PATIENCE_S = 3600.0
JUST_BEFORE_S = 0.01
"""A key that was taken at once when somebody listened again was pressed before."""
LEAD = timedelta(minutes=1)
_ONLY_SPEAKS = ("say", "play")
"""Kinds of step that last as long as their prompt."""


@dataclass(frozen=True, slots=True)
class PresenceChange:
    """From then on an agent's phone could be rung or not, and what the agent had decided."""

    at: datetime
    agent: str
    reachable: bool
    presence: Presence = HERE


@dataclass(frozen=True, slots=True)
class Occupied:
    """An agent talked in a call that is not replayed."""

    agent: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of a call this time."""

    id: str
    status: CallStatus
    agent: str
    path: tuple[str, ...]
    turns: tuple[tuple[str, str], ...]  # each step with its because
    wait_s: float | None


@dataclass(slots=True)
class World:
    """Everything that a replay starts from."""

    site: Site
    calls: Sequence[RecordedCall]
    presence: Sequence[PresenceChange] = ()
    occupied: Sequence[Occupied] = ()
    people: People = field(default_factory=People)

    def run(self, done: Callable[[], None] = lambda: None) -> list[Replayed]:
        """Every call whose number the site has, in the order of their beginnings; ``done`` after each."""
        if not self.calls:
            return []
        clock = VirtualClock(min(call.at for call in self.calls) - LEAD)
        return clock.run(_Running(self, clock, done).all())


class _Running:
    """A world while its clock runs."""

    def __init__(self, world: World, clock: VirtualClock, done: Callable[[], None]) -> None:
        self._world = world
        self._clock = clock
        self._done = done
        self._away: set[str] = set()
        config = world.site.config
        self._board = AgentBoard(config.agents, clock, self._reachable)
        queues = Queues(config.queues, self._board, config.agents)
        queues.callbacks.open(_called_back, clock, lambda event: None)
        self._around = Surroundings.of(world.site, self._board, queues)

    def _reachable(self, agent: str) -> bool:
        known = self._world.site.config.agents[agent]
        has_phone = known.contact is not None or known.password is not None
        return has_phone and agent not in self._away

    async def all(self) -> list[Replayed]:
        loop = asyncio.get_running_loop()
        for change in self._world.presence:
            if change.agent in self._world.site.config.agents:
                loop.call_at(max(0.0, self._when(change.at)), self._change, change)
        for talk in self._world.occupied:
            if talk.agent in self._world.site.config.agents:
                loop.call_at(max(0.0, self._when(talk.since)), self._occupy, talk)
        waiting = [
            loop.create_task(self._one(call)) for call in sorted(self._world.calls, key=lambda c: c.at)
        ]
        return [found for found in await asyncio.gather(*waiting) if found is not None]

    def _when(self, moment: datetime) -> float:
        """On the clock's monotonic scale."""
        return self._clock.monotonic() + (moment - self._clock.now()).total_seconds()

    def _change(self, change: PresenceChange) -> None:
        (self._away.discard if change.reachable else self._away.add)(change.agent)
        self._board.restore({change.agent: change.presence})

    def _occupy(self, talk: Occupied) -> None:
        held = self._board.ringing([talk.agent])
        held.connected(talk.agent)
        asyncio.get_running_loop().call_at(self._when(talk.until), held.release)

    async def _one(self, recorded: RecordedCall) -> Replayed | None:
        site = self._world.site
        found = verdict(site, recorded.did, recorded.caller, recorded.at)
        if found is None:
            return None
        await self._clock.sleep(self._when(recorded.at) - self._clock.monotonic())
        facts = CallFacts(
            call_id=recorded.id,
            did=recorded.did,
            caller=recorded.caller,
            source=recorded.source,
            flow=found.flow,
            trunk=recorded.trunk,
            whisper=found.whisper,
            zone=site.config.server.zone,
            country=site.config.server.country,
            language=site.language(recorded.did, found.flow),
            attestation=recorded.attestation,
        )
        caller = _Caller(recorded, self._clock, self._steps(facts.flow))
        call = SimulatedCall(facts, self._clock, caller.hear, self._script(recorded, caller))
        caller.take(call)
        outcome = await run(call, site.flows[facts.flow], self._around, caller.hear)
        self._done()
        happened = caller.happened
        connected = next((each for each in happened if isinstance(each, events.AgentConnected)), None)
        return Replayed(
            id=recorded.id,
            status=status_of(outcome, Tally.of(happened)),
            agent=connected.agent if connected else "",
            path=outcome.path,
            turns=tuple((each.step, each.because) for each in happened if isinstance(each, events.TurnTaken)),
            wait_s=(connected.at - recorded.at).total_seconds() if connected else None,
        )

    def _steps(self, first: str) -> set[str]:
        """Every step that there is now, as a call's path shows it that began with the flow ``first``."""
        return {
            step if flow.id == first else f"{flow.id}/{step}"
            for flow in self._world.site.flows.values()
            for step in flow.steps
        }

    def _script(self, recorded: RecordedCall, caller: "_Caller") -> Script:
        people = self._world.people
        return Script(
            presses=caller.presses,
            prompt_s=caller.prompt_s,
            reacts=_Phones(recorded.rings, people, self._board, self._reachable),
            talks=caller.talks(people.talk_s),
            talk_s=people.talk_s,
            message_s=_message_s(recorded, people),
            hang_up_after_s=PATIENCE_S,
            history=recorded.history,
            webhooks=recorded.answers,
        )


def _message_s(recorded: RecordedCall, people: People) -> float:
    """Who hung up while they left a message presses no key first."""
    if recorded.message_s is None:
        return people.message_s
    return PATIENCE_S if recorded.left_after_all else recorded.message_s


async def _called_back(promise: Promise, agent: str, ring_s: float) -> Tried:
    """A promise is kept when somebody is free; the talk, if there was one, is among those that occupy."""
    return Tried(Try.TALKED)


class _Phones:
    """What the phones do that ring for one call: as then, each time that they ring again."""

    def __init__(
        self, rings: Iterable[Ring], people: People, board: AgentBoard, reachable: Callable[[str], bool]
    ) -> None:
        self._then: dict[str, list[Ring]] = defaultdict(list)
        for ring in rings:
            self._then[ring.target].append(ring)
        self._rung: Counter[str] = Counter()
        self._people = people
        self._board = board
        self._reachable = reachable

    def __call__(self, target: Target) -> Reaction:
        name = str(target)
        if isinstance(target, AgentTarget):
            talks = self._board.state(name) is AgentState.TALKING
            if talks and name not in self._people.second_calls:
                return Reaction(DialOutcome.BUSY)
            if not self._reachable(name):
                return Reaction(DialOutcome.UNREACHABLE)
        then, index = self._then.get(name, []), self._rung[name]
        self._rung[name] += 1
        return self._people.again(then[index]) if index < len(then) else self._people.usual(name)


class _Caller:
    """The caller: hears what happens, and acts on it as they did then."""

    def __init__(self, recorded: RecordedCall, clock: VirtualClock, steps: Collection[str]) -> None:
        self.happened: list[CallEvent] = []
        self._recorded = recorded
        self._clock = clock
        self._call: SimulatedCall | None = None
        self._step = self._kind = ""
        self._visits: Counter[str] = Counter()
        self._waits = False
        self._in_line = False  # in a queue, in this step
        self._in_rooms = list(recorded.keys_in_rooms)
        self._to_press = list(recorded.presses)
        self._steps = steps

    def take(self, call: SimulatedCall) -> None:
        """This is their call; whoever left before they waited for anybody leaves at the same moment."""
        self._call = call
        if self._recorded.left_after_s is not None and self._recorded.left_waiting_s is None:
            asyncio.get_running_loop().call_later(self._recorded.left_after_s, call.hang_up)

    def hear(self, event: CallEvent) -> None:
        self.happened.append(event)
        loop, call = asyncio.get_running_loop(), self._call
        if isinstance(event, events.StepEntered):
            self._step, self._kind = event.step, event.step_kind
            self._visits[event.step] += 1
            self._in_line = False
        if call is None:
            return
        left = self._recorded.left_after_all
        entered = isinstance(event, events.StepEntered)
        if left and entered and (left.step, left.visit) == (self._step, self._visits[self._step]):
            loop.call_later(left.after_s, call.hang_up)
        begins = isinstance(event, events.QueueJoined) or (
            isinstance(event, events.LegStarted) and event.role != "caller"
        )
        if begins and not self._waits and self._recorded.left_waiting_s is not None:
            loop.call_later(self._recorded.left_waiting_s, call.hang_up)
        self._waits |= begins
        if isinstance(event, events.QueueJoined) and not self._in_line:
            self._in_line = True
            for press in self._recorded.keys_in_line:
                if (press.step, press.visit) == (self._step, self._visits[self._step]):
                    loop.call_later(max(0.0, press.after_s - JUST_BEFORE_S), call.press, press.keys)
        if isinstance(event, events.RoomEntered) and self._in_rooms:
            press = self._in_rooms.pop(0)
            loop.call_later(press.after_s, call.press, press.keys)

    def presses(self) -> tuple[str, float] | None:
        """What they pressed when this step asked; in a step that they did not come to then, what they
        pressed in one that is gone: it probably has another name now."""
        if self._in_line:
            return None  # those keys come when they came then
        asked = next((press for press in self._to_press if press.step == self._step), None)
        if asked is None and self._step not in self._recorded.path:
            asked = next((press for press in self._to_press if press.step not in self._steps), None)
        if asked is None:
            return None
        self._to_press.remove(asked)
        return (asked.keys, asked.after_s) if asked.keys else None

    def talks(self, usual_s: float) -> Callable[[], tuple[float, bool]]:
        """One after the other as long as they were, and ended by the same side; then of the usual length."""
        were = iter([(talk.seconds, talk.agent_ended) for talk in self._recorded.talks])
        return lambda: next(were, (usual_s, False))

    def prompt_s(self, prompt: Prompt | None) -> float:
        """How long a prompt lasts: as long as its step did then, if it did nothing else."""
        times = self._recorded.steps_s.get(self._step, ())
        visit = self._visits[self._step] - 1
        if self._kind in _ONLY_SPEAKS and 0 <= visit < len(times):
            return times[visit]
        return duration_s(prompt)
