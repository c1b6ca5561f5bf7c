"""The agent board: who rings, who talks, who wraps up, who is away, who is free.

Theory of operation
-------------------
The board counts, an agent, the rings and talks in progress; *free* means reachable, not paused,
neither ringing nor talking, and past wrap-up. A count goes up only through a :class:`Reservation`, a
context manager that gives back whatever it still holds when it is left, however that happens: so
nobody stays "reserved" after a hang-up, a time-out or a cancelled task.

What agents decide themselves (:class:`~pbx.agents.presence.Presence`) stands beside the counts and
never changes them: who pauses in a talk goes on talking, and is paused when it ends.

Everything is synchronous: between looking who is free and reserving them nothing else runs.
Whoever waits for a change subscribes, or awaits :meth:`AgentBoard.changed`. The end of a wrap-up is a
change too, announced by a timer of the event loop.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType

from pbx.agents.presence import HERE, Presence
from pbx.clock import Clock

_LATE_S = 0.001
"""Timers that announce the end of a rest come this much late, so that it is over when they look."""

REFUSAL_RESTS_S = (5.0, 10.0, 20.0, 30.0)
"""How long a phone is left in peace after its first, second, … refusal in a row.

The first is short, for whoever is about to hang up another call. A telephone that goes on refusing is
asked less often; a caller never waits more than the last of these for one that has come free.
"""
_FORGOTTEN_S = 60.0
"""A refusal so long after the last rest is a first one again."""


class AgentState(StrEnum):
    OFFLINE = "offline"  # ringing them would ring nothing
    AVAILABLE = "available"
    PAUSED = "paused"
    RINGING = "ringing"
    TALKING = "talking"
    WRAPPING_UP = "wrapping_up"  # after a talk, or left in peace after refusing a call


@dataclass(frozen=True, slots=True)
class AgentView:
    """One agent at one moment."""

    agent: str
    state: AgentState
    reachable: bool
    presence: Presence
    talks: int
    idle_s: float
    call_id: str  # the call that they talk in or that rings for them; "" for none, or one of no queue


@dataclass(slots=True)
class _Agent:
    idle_since: float
    ringing: int = 0
    talking: int = 0
    rests_until: float = 0.0
    presence: Presence = HERE
    missed: int = 0  # calls in a row
    refused: int = 0  # calls in a row, each soon after the other
    call_id: str = ""


class AgentBoard:
    """``reachable`` says whether ringing an agent would ring anything."""

    def __init__(self, agents: Iterable[str], clock: Clock, reachable: Callable[[str], bool]) -> None:
        self._clock = clock
        self._reachable = reachable
        self._agents = {name: _Agent(clock.monotonic()) for name in agents}
        self._talks: list[Reservation] = []
        self._subscribers: list[Callable[[], None]] = []
        self._changed: asyncio.Future[None] | None = None

    @property
    def clock(self) -> Clock:
        return self._clock

    def update(self, agents: Iterable[str]) -> None:
        """After a reload: new agents appear, those who are gone go as soon as their calls have ended."""
        names = set(agents)
        for name in names:
            self._agent(name)
        for name in self._agents.keys() - names:
            if not self._agents[name].ringing and not self._agents[name].talking:
                del self._agents[name]
        self.notify()

    def _agent(self, name: str) -> _Agent:
        it = self._agents.get(name)
        if it is None:
            it = self._agents[name] = _Agent(self._clock.monotonic())
        return it

    # Who is what

    def state(self, agent: str) -> AgentState:
        it = self._agent(agent)
        if it.talking:
            return AgentState.TALKING
        if it.ringing:
            return AgentState.RINGING
        if not self._reachable(agent):
            return AgentState.OFFLINE
        if it.presence.paused:
            return AgentState.PAUSED
        return AgentState.WRAPPING_UP if it.rests_until > self._clock.monotonic() else AgentState.AVAILABLE

    def available(self, agent: str) -> bool:
        return self.state(agent) is AgentState.AVAILABLE

    def free(self) -> set[str]:
        """Everybody who is available; asked at every change, so it looks at the cheapest first."""
        now = self._clock.monotonic()
        return {
            name
            for name, it in self._agents.items()
            if not (it.talking or it.ringing or it.presence.paused or it.rests_until > now)
            and self._reachable(name)
        }

    def reachable(self, agent: str) -> bool:
        return self._reachable(agent)

    def presence(self, agent: str) -> Presence:
        return self._agent(agent).presence

    def idle_since(self, agent: str) -> float:
        """When the agent's last talk ended (or the board was made), on the clock's monotonic scale."""
        return self._agent(agent).idle_since

    def view(self, agent: str) -> AgentView:
        it = self._agent(agent)
        return AgentView(
            agent=agent,
            state=self.state(agent),
            reachable=self._reachable(agent),
            presence=it.presence,
            talks=it.talking,
            idle_s=0.0 if it.talking else self._clock.monotonic() - it.idle_since,
            call_id=it.call_id if it.talking or it.ringing else "",
        )

    def snapshot(self) -> list[AgentView]:
        return [self.view(agent) for agent in self._agents]

    # What agents decide

    def restore(self, presences: Mapping[str, Presence]) -> None:
        """What was decided before a restart, of agents who are still there."""
        for agent in self._agents.keys() & presences.keys():
            self._agents[agent].presence = presences[agent]
        self.notify()

    def pause(self, agent: str, reason: str, by: str) -> None:
        """No queue rings them any more; a talk goes on."""
        self._decide(agent, self.presence(agent).pausing(reason, by))

    def resume(self, agent: str, by: str) -> None:
        """They take calls at once: the pause ends, and so does a wrap-up."""
        it = self._agent(agent)
        it.rests_until = 0.0
        it.missed = it.refused = 0
        self._decide(agent, it.presence.resuming(by))

    def log_out(self, agent: str, queue: str, by: str) -> None:
        """They take no calls of this queue until they log in to it again."""
        self._decide(agent, self.presence(agent).leaving(queue, by))

    def log_in(self, agent: str, queue: str, by: str) -> None:
        self._decide(agent, self.presence(agent).joining(queue, by))

    def _decide(self, agent: str, presence: Presence) -> None:
        self._agent(agent).presence = presence
        self.notify()

    # Changes

    def ringing(self, agents: Sequence[str], call_id: str = "") -> "Reservation":
        """They ring, from now until the reservation is left."""
        for name in agents:
            it = self._agent(name)
            it.ringing += 1
            it.call_id = call_id if not it.talking else it.call_id
        self.notify()
        return Reservation(self, agents, call_id)

    def rest(self, agent: str, seconds: float) -> None:
        """Leave the agent in peace for so long."""
        it = self._agent(agent)
        it.rests_until = max(it.rests_until, self._clock.monotonic() + seconds)
        asyncio.get_running_loop().call_later(seconds + _LATE_S, self.notify)

    def refused(self, agent: str) -> None:
        """The agent's phone took no call: leave it in peace, the longer the oftener it has refused."""
        it = self._agent(agent)
        if self._clock.monotonic() - it.rests_until > _FORGOTTEN_S:
            it.refused = 0
        rest_s = REFUSAL_RESTS_S[min(it.refused, len(REFUSAL_RESTS_S) - 1)]
        it.refused += 1
        self.rest(agent, rest_s)

    def rang(self, agent: str) -> None:
        """The agent's phone rang: whatever it refused before, it refuses no more."""
        self._agent(agent).refused = 0

    def missed(self, agent: str) -> int:
        """The agent let a call ring out, or refused it; returns how many in a row."""
        it = self._agent(agent)
        it.missed += 1
        return it.missed

    def _stop_ringing(self, agent: str) -> None:
        self._agent(agent).ringing -= 1

    def _start_talking(self, agent: str, call_id: str) -> None:
        it = self._agent(agent)
        it.talking += 1
        it.missed = it.refused = 0
        it.call_id = call_id

    def let_go(self, agent: str) -> None:
        """The agent's latest talk is over for them, though the call that reserved them goes on."""
        for reservation in reversed(self._talks):
            if reservation.talker == agent:
                reservation.release()
                return

    def _stop_talking(self, agent: str, wrap_up_s: float) -> None:
        it = self._agent(agent)
        it.talking -= 1
        it.idle_since = self._clock.monotonic()
        if wrap_up_s > 0:
            self.rest(agent, wrap_up_s)

    def notify(self) -> None:
        """Something changed; to be called, too, when a phone registers or is gone."""
        waiting, self._changed = self._changed, None
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
        for subscriber in tuple(self._subscribers):
            subscriber()

    def subscribe(self, subscriber: Callable[[], None]) -> None:
        """Call it at every change. It must not change the board itself before it returns."""
        self._subscribers.append(subscriber)

    async def changed(self) -> None:
        """Wait for the next change."""
        if self._changed is None or self._changed.done():
            self._changed = asyncio.get_running_loop().create_future()
        await asyncio.shield(self._changed)


class Reservation:
    """Agents who ring for one call, and then the one of them who talks."""

    def __init__(self, board: AgentBoard, agents: Sequence[str], call_id: str = "") -> None:
        self.agents = tuple(agents)
        self._board = board
        self._call_id = call_id
        self._ringing = list(agents)
        self._talking: tuple[str, float] | None = None
        self._since = 0.0
        self.talk_s = 0.0
        """How long the agent talked, once released: not what comes after they passed the call on."""

    def connected(self, agent: str | None, *, wrap_up_s: float = 0.0) -> None:
        """``agent`` answered (None: somebody who is no agent); all others are free again."""
        self._give_back_rings()
        if agent is not None:
            self._board._start_talking(agent, self._call_id)
            self._talking = (agent, wrap_up_s)
            self._since = self._board.clock.monotonic()
            self._board._talks.append(self)
        self._board.notify()

    @property
    def talker(self) -> str | None:
        """The agent who talks."""
        return self._talking[0] if self._talking is not None else None

    def release(self) -> None:
        """Give back everybody who is still held."""
        if not self._ringing and self._talking is None:
            return
        self._give_back_rings()
        talking, self._talking = self._talking, None
        if talking is not None:
            self._board._talks.remove(self)
            self.talk_s = self._board.clock.monotonic() - self._since
            self._board._stop_talking(*talking)
        self._board.notify()

    def _give_back_rings(self) -> None:
        while self._ringing:
            self._board._stop_ringing(self._ringing.pop())

    def __enter__(self) -> "Reservation":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
