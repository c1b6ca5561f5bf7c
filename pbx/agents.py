"""The agent board: who rings, who talks, who wraps up, who is free.

Every change of state is a context manager, so that whatever ends a ring or a talk (an answer, a
hang-up, a cancelled task) gives the agent back: nobody stays "reserved". Queues wait on
:meth:`AgentBoard.changed`.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from pbx.clock import Clock


class AgentState(StrEnum):
    OFFLINE = "offline"
    AVAILABLE = "available"
    RINGING = "ringing"
    TALKING = "talking"
    WRAPPING_UP = "wrapping_up"


@dataclass(slots=True)
class _Agent:
    ringing: int = 0
    talking: int = 0
    wraps_up_until: float = 0.0
    idle_since: float = 0.0


class AgentBoard:
    """``reachable`` says whether ringing an agent would ring anything."""

    def __init__(self, agents: Sequence[str], clock: Clock, reachable: Callable[[str], bool]) -> None:
        self._clock = clock
        self._reachable = reachable
        self._agents = {name: _Agent() for name in agents}
        self._waiting: set[asyncio.Future[None]] = set()

    def update(self, agents: Sequence[str]) -> None:
        """After a reload: new agents appear, those in calls keep their state."""
        for name in agents:
            self._agents.setdefault(name, _Agent(idle_since=self._clock.monotonic()))
        self.notify()

    def state(self, agent: str) -> AgentState:
        it = self._agents[agent]
        if it.talking:
            return AgentState.TALKING
        if it.ringing:
            return AgentState.RINGING
        if it.wraps_up_until > self._clock.monotonic():
            return AgentState.WRAPPING_UP
        return AgentState.AVAILABLE if self._reachable(agent) else AgentState.OFFLINE

    def states(self) -> dict[str, AgentState]:
        return {name: self.state(name) for name in self._agents}

    def reachable(self, agent: str) -> bool:
        return self._reachable(agent)

    def available(self, agents: Sequence[str]) -> list[str]:
        """Those of ``agents`` who are free, longest idle first."""
        free = [name for name in agents if self.state(name) is AgentState.AVAILABLE]
        return sorted(free, key=lambda name: self._agents[name].idle_since)

    def next_free_in(self, agents: Sequence[str]) -> float | None:
        """Seconds until the first of them has wrapped up, None if none is wrapping up."""
        now = self._clock.monotonic()
        ends = [self._agents[name].wraps_up_until - now for name in agents]
        return min((end for end in ends if end > 0), default=None)

    @contextmanager
    def ringing(self, agents: Sequence[str]) -> Iterator[None]:
        """They ring inside the block."""
        for name in agents:
            self._agents[name].ringing += 1
        self.notify()
        try:
            yield
        finally:
            for name in agents:
                self._agents[name].ringing -= 1
            self.notify()

    @contextmanager
    def talking(self, agent: str, wrap_up_s: float = 0.0) -> Iterator[None]:
        """They talk inside the block, and wrap up for ``wrap_up_s`` after it."""
        it = self._agents[agent]
        it.talking += 1
        self.notify()
        try:
            yield
        finally:
            it.talking -= 1
            now = self._clock.monotonic()
            it.idle_since = now
            it.wraps_up_until = max(it.wraps_up_until, now + wrap_up_s)
            self.notify()

    def passed_over(self, agents: Sequence[str]) -> None:
        """They were rung and did not answer: to the end of the line of the longest idle."""
        for name in agents:
            self._agents[name].idle_since = self._clock.monotonic()

    def notify(self) -> None:
        """Something changed (also called when a phone registers or goes)."""
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def changed(self, within_s: float | None = None) -> None:
        """Wait for the next change, or ``within_s`` seconds."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait((future,), timeout=within_s)
        finally:
            self._waiting.discard(future)
