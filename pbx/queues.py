"""Queues: callers wait in line, and the longest waiting gets the next agent who is free.

Theory of operation
-------------------
:class:`Queues` keeps one line of tickets for all queues, in the order in which the callers came. A
ticket *asks* while its caller waits, and does not while phones ring for it. Whenever the board or the
line changes, :meth:`Queues._assign` walks the line once, from the front: each ticket that asks gets
the free members of its queue (all of them for ring-all, the longest idle for longest-idle), reserved
in the same breath. So no agent is offered to two callers, nobody overtakes within a queue, and an
agent of several queues goes to whoever has waited longest in any of them. No caller competes with
another, and the order is the same on every run.

The caller's own coroutine, :meth:`Queues.wait`, then rings who was reserved, by the verbs of
:class:`~pbx.flows.control.CallControl`, and is the only one to hold the reservation: when it ends,
for whatever reason, the agents are free and the ticket is out of the line.

A round that nobody takes leads to another, until ``max_wait``, which also runs while phones ring. A
phone that refuses at once (busy, declined, unreachable) is left in peace for ``RETRY_S`` seconds.
Longest-idle prefers those whom it has not yet rung for this caller.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum

from pbx.agents import AgentBoard, Reservation
from pbx.config.models import Queue, Strategy, seconds
from pbx.flows.control import (
    AgentTarget,
    CallControl,
    CallerHears,
    DialOutcome,
    DialResult,
    Prompt,
    noted,
)

RETRY_S = 5.0
"""How long a phone is left in peace that refused, or that rang for less than this."""


class QueueEnd(StrEnum):
    TALKED = "talked"
    TIMEOUT = "timeout"
    EMPTY = "empty"  # no member can be reached


@dataclass(frozen=True, slots=True)
class QueueResult:
    """How a caller left the queue (one who hangs up raises CallerGone instead)."""

    end: QueueEnd
    waited_s: float
    because: str
    agent: str = ""
    talk_s: float = 0.0


@dataclass(eq=False, slots=True)
class _Ticket:
    """A caller in line. ``turn`` is there while the ticket asks, and resolves to who is reserved."""

    call: CallControl
    name: str
    queue: Queue
    joined_at: float
    turn: asyncio.Future[Reservation] | None = None
    rung: Counter[str] = field(default_factory=Counter)
    left_because: str = ""

    @property
    def waited_s(self) -> float:
        return self.call.clock.monotonic() - self.joined_at

    @property
    def left_s(self) -> float:
        return seconds(self.queue.max_wait) - self.waited_s

    @property
    def asks(self) -> bool:
        return self.turn is not None and not self.turn.done()


class Queues:
    """Every queue of a site, over one agent board."""

    def __init__(self, queues: Mapping[str, Queue], board: AgentBoard) -> None:
        self._queues = dict(queues)
        self._board = board
        self._line: list[_Ticket] = []
        self._assigning = False
        board.subscribe(self._changed)

    def update(self, queues: Mapping[str, Queue]) -> None:
        """After a reload: callers already in line keep the rules that they came under.

        A queue that is gone stays for the calls whose flows began with it.
        """
        self._queues.update(queues)

    def waiting(self, name: str) -> int:
        """How many callers are in line, those for whom phones ring included."""
        return sum(ticket.name == name for ticket in self._line)

    async def wait(self, name: str, call: CallControl, *, leave_if_empty: bool = False) -> QueueResult:
        """The whole of a caller's time in a queue, the talk included. Raises CallerGone."""
        with self._in_line(name, call) as ticket:
            result = await self._until_served(ticket, leave_if_empty)
        if result.end is not QueueEnd.TALKED:
            await call.stop_music()
        return result

    async def _until_served(self, ticket: _Ticket, leave_if_empty: bool) -> QueueResult:
        while True:
            if leave_if_empty and not any(map(self._board.reachable, ticket.queue.members)):
                return self._leave(ticket, QueueEnd.EMPTY, f"nobody of {ticket.name} can be reached")
            if ticket.left_s <= 0:
                return self._leave(
                    ticket, QueueEnd.TIMEOUT, f"nobody answered within {ticket.waited_s:.0f} s"
                )
            await ticket.call.start_music()
            held = await self._turn(ticket)
            if held is not None and (result := await self._ring(ticket, held)) is not None:
                return result

    # The line

    @contextmanager
    def _in_line(self, name: str, call: CallControl) -> Iterator[_Ticket]:
        """A place at the end of the line; whatever happens, the ticket is out of it afterwards."""
        ticket = _Ticket(call, name, self._queues[name], call.clock.monotonic())
        self._line.append(ticket)
        call.queue_joined(name, self._position(ticket))
        self._ask(ticket)
        try:
            yield ticket
        finally:
            self._step_out(ticket, "the caller left")
            if ticket.turn is not None and ticket.turn.done():
                ticket.turn.result().release()  # reserved in the very moment in which the caller left
            ticket.turn = None

    def _position(self, ticket: _Ticket) -> int:
        ahead = self._line[: self._line.index(ticket)]
        return 1 + sum(other.name == ticket.name for other in ahead)

    def _step_out(self, ticket: _Ticket, because: str) -> None:
        if ticket in self._line:
            waited_s = ticket.waited_s
            self._line.remove(ticket)
            ticket.call.queue_left(ticket.name, waited_s, because)

    def _leave(self, ticket: _Ticket, end: QueueEnd, because: str) -> QueueResult:
        self._step_out(ticket, because)
        return QueueResult(end, ticket.waited_s, because)

    # Who gets whom

    def _ask(self, ticket: _Ticket) -> None:
        ticket.turn = asyncio.get_running_loop().create_future()
        self._changed()

    def _changed(self) -> None:
        """Look at the line soon: once for all the changes of this moment."""
        if not self._assigning and any(ticket.asks for ticket in self._line):
            self._assigning = True
            asyncio.get_running_loop().call_soon(self._assign)

    def _assign(self) -> None:
        self._assigning = False
        for ticket in self._line:
            if ticket.turn is not None and ticket.asks and (agents := self._free_for(ticket)):
                ticket.turn.set_result(self._board.ringing(agents))

    def _free_for(self, ticket: _Ticket) -> list[str]:
        free = [agent for agent in ticket.queue.members if self._board.available(agent)]
        if ticket.queue.strategy is Strategy.RING_ALL:
            return free
        return sorted(free, key=lambda agent: (ticket.rung[agent], self._board.idle_since(agent)))[:1]

    # A caller's turn

    async def _turn(self, ticket: _Ticket) -> Reservation | None:
        """Wait until agents are reserved for this caller; None when ``max_wait`` is over."""
        assert ticket.turn is not None
        every = ticket.queue.announce_position
        while not ticket.turn.done() and ticket.left_s > 0:
            within_s = min(ticket.left_s, seconds(every) if every else ticket.left_s)
            await ticket.call.until(asyncio.wait((ticket.turn,), timeout=within_s))
            if every and not ticket.turn.done() and ticket.left_s > 0:
                await self._announce(ticket, ticket.turn)
        if not ticket.turn.done():
            return None
        held, ticket.turn = ticket.turn.result(), None
        return held

    async def _announce(self, ticket: _Ticket, turn: asyncio.Future[Reservation]) -> None:
        """Say the position; an agent who becomes free meanwhile is worth more than the rest of it."""
        call = ticket.call
        telling = asyncio.ensure_future(call.play(_announcement(self._position(ticket))))
        try:
            await asyncio.wait((telling, turn), timeout=ticket.left_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            told = telling.done()
            telling.cancel()
            await asyncio.wait((telling,))
        if told:
            telling.result()  # the caller may have left while listening
        await call.start_music()

    async def _ring(self, ticket: _Ticket, held: Reservation) -> QueueResult | None:
        """Ring who is reserved, and talk to who answers; None when nobody does."""
        with held:
            ticket.rung.update(held.agents)
            began = ticket.call.clock.monotonic()
            result = await ticket.call.dial(
                [AgentTarget(agent) for agent in held.agents],
                together=True,
                timeout_s=min(seconds(ticket.queue.ring_timeout), ticket.left_s),
                caller_hears=CallerHears.MUSIC,
            )
            if result.winner is None:
                self._leave_in_peace(result, ticket.call.clock.monotonic() - began)
                # Ask again before the agents are free, so that nobody behind gets them first.
                self._ask(ticket)
                return None
            agent = str(result.winner.target)
            waited_s = ticket.waited_s
            self._step_out(ticket, f"{agent} answered")
            held.connected(agent, wrap_up_s=seconds(ticket.queue.wrap_up))
            with noted(f"{agent} answered after {waited_s:.0f} s"):
                talk = await ticket.call.bridge(result.winner)
        because = f"{agent} answered after {waited_s:.0f} s and hung up after {talk.talk_s:.0f} s"
        return QueueResult(QueueEnd.TALKED, waited_s, because, agent, talk.talk_s)

    def _leave_in_peace(self, result: DialResult, rang_s: float) -> None:
        for attempt in result.attempts:
            if attempt.outcome is not DialOutcome.NO_ANSWER or rang_s < RETRY_S:
                self._board.rest(str(attempt.target), RETRY_S)


_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def _announcement(position: int) -> Prompt:
    number = _WORDS[position - 1] if position <= len(_WORDS) else str(position)
    return Prompt(text=f"You are number {number} in line.")
