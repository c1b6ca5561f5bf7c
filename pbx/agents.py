"""The agent board: who rings, who talks, who wraps up, who is free.

Theory of operation
-------------------
The board counts, an agent, the rings and talks in progress; *free* means reachable, neither ringing
nor talking, and past wrap-up. A count goes up only through a :class:`Reservation`, a context manager
that gives back whatever it still holds when it is left, however that happens: so nobody stays
"reserved" after a hang-up, a time-out or a cancelled task.

Everything is synchronous: between looking who is free and reserving them nothing else runs.
Whoever waits for a change subscribes, or awaits :meth:`AgentBoard.changed`. The end of a wrap-up is a
change too, announced by a timer of the event loop.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType

from pbx.clock import Clock

_LATE_S = 0.001
"""Timers that announce the end of a rest come this much late, so that it is over when they look."""


class AgentState(StrEnum):
    OFFLINE = "offline"  # ringing them would ring nothing
    AVAILABLE = "available"
    RINGING = "ringing"
    TALKING = "talking"
    WRAPPING_UP = "wrapping_up"  # after a talk, or left in peace after refusing a call


@dataclass(frozen=True, slots=True)
class AgentView:
    """One agent, for the API and the dashboard."""

    agent: str
    state: AgentState
    talks: int
    idle_s: float


@dataclass(slots=True)
class _Agent:
    idle_since: float
    ringing: int = 0
    talking: int = 0
    rests_until: float = 0.0


class AgentBoard:
    """``reachable`` says whether ringing an agent would ring anything."""

    def __init__(self, agents: Iterable[str], clock: Clock, reachable: Callable[[str], bool]) -> None:
        self._clock = clock
        self._reachable = reachable
        self._agents = {name: _Agent(clock.monotonic()) for name in agents}
        self._subscribers: list[Callable[[], None]] = []
        self._changed: asyncio.Future[None] | None = None

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
        return self._agents.setdefault(name, _Agent(self._clock.monotonic()))

    # Who is what

    def state(self, agent: str) -> AgentState:
        it = self._agent(agent)
        if it.talking:
            return AgentState.TALKING
        if it.ringing:
            return AgentState.RINGING
        if not self._reachable(agent):
            return AgentState.OFFLINE
        return AgentState.WRAPPING_UP if it.rests_until > self._clock.monotonic() else AgentState.AVAILABLE

    def available(self, agent: str) -> bool:
        return self.state(agent) is AgentState.AVAILABLE

    def reachable(self, agent: str) -> bool:
        return self._reachable(agent)

    def idle_since(self, agent: str) -> float:
        """When the agent's last talk ended (or the board was made), on the clock's monotonic scale."""
        return self._agent(agent).idle_since

    def snapshot(self) -> list[AgentView]:
        now = self._clock.monotonic()
        return [
            AgentView(name, self.state(name), it.talking, 0.0 if it.talking else now - it.idle_since)
            for name, it in self._agents.items()
        ]

    # Changes

    def ringing(self, agents: Sequence[str]) -> "Reservation":
        """They ring, from now until the reservation is left."""
        for name in agents:
            self._agent(name).ringing += 1
        self.notify()
        return Reservation(self, agents)

    def rest(self, agent: str, seconds: float) -> None:
        """Leave the agent in peace for so long."""
        it = self._agent(agent)
        it.rests_until = max(it.rests_until, self._clock.monotonic() + seconds)
        asyncio.get_running_loop().call_later(seconds + _LATE_S, self.notify)

    def _stop_ringing(self, agent: str) -> None:
        self._agent(agent).ringing -= 1

    def _start_talking(self, agent: str) -> None:
        self._agent(agent).talking += 1

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

    def __init__(self, board: AgentBoard, agents: Sequence[str]) -> None:
        self.agents = tuple(agents)
        self._board = board
        self._ringing = list(agents)
        self._talking: tuple[str, float] | None = None

    def connected(self, agent: str | None, *, wrap_up_s: float = 0.0) -> None:
        """``agent`` answered (None: somebody who is no agent); all others are free again."""
        self._give_back_rings()
        if agent is not None:
            self._board._start_talking(agent)
            self._talking = (agent, wrap_up_s)
        self._board.notify()

    def release(self) -> None:
        """Give back everybody who is still held."""
        if not self._ringing and self._talking is None:
            return
        self._give_back_rings()
        talking, self._talking = self._talking, None
        if talking is not None:
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
