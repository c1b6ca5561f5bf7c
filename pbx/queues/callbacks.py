"""Callers who left and keep their place: they are called back when their turn comes.

Theory of operation
-------------------
A :class:`Promise` stands in the line like a caller, at the place that the caller had, and asks for an
agent like one. When its turn comes, one agent is rung first; who answers is connected to the customer,
who is called over a trunk then, as a call of its own that answers the first one (:class:`Ringing` does
that: live :mod:`pbx.call_back`, simulated :mod:`pbx.flows.simulated_callback`).

An agent who does not answer costs the customer nothing: the promise asks again. A customer who does not
answer is tried again ``callback_tries`` times in all, ``callback_every`` apart, keeping the place; in
between nobody is rung for them. After ``callback_keep`` the promise is given up. Each promise ends in
exactly one ``callback.ended``, and those that the server did not get to are taken up again at its start.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pbx import events
from pbx.agents import AgentBoard, Reservation
from pbx.clock import Clock
from pbx.config.fields import seconds
from pbx.config.queues import Queue
from pbx.queues.line import Line, Ticket

log = logging.getLogger(__name__)

HANG_UP_S = 3.0
"""How long after the promise nobody is called: the customer hangs up meanwhile."""
REST_S = 5.0
"""How long an agent who did not answer is left in peace."""


class CallbackEnd(StrEnum):
    TALKED = "talked"
    FAILED = "failed"  # every try was in vain, or the number cannot be called
    EXPIRED = "expired"


class Try(StrEnum):
    """How one try went."""

    TALKED = "talked"
    NO_AGENT = "no_agent"  # did not answer
    NO_CUSTOMER = "no_customer"  # did not answer
    IMPOSSIBLE = "impossible"  # the number may not be called


@dataclass(frozen=True, slots=True)
class Tried:
    """``call_id`` is the call that was made, "" if it came to none."""

    how: Try
    call_id: str = ""
    talk_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Promise:
    """Whom to call back, why, and from which call."""

    call_id: str
    queue: str
    number: str  # E.164
    trunk: str | None
    source: str
    priority: int
    promised_at: datetime
    tries: int = 0


class Ringing(Protocol):
    """Rings the agent, then the customer, and returns when the talk is over or nobody came."""

    async def __call__(self, promise: Promise, agent: str, ring_s: float) -> Tried: ...


class Callbacks:
    """Keeps promises. Without ``ring`` none is made."""

    def __init__(self, line: Line, board: AgentBoard) -> None:
        self._line = line
        self._board = board
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._calling: set[str] = set()
        self._may_begin: dict[str, asyncio.Event] = {}
        self._stopping = False
        self._promises: dict[str, Promise] = {}
        self._clock: Clock | None = None
        self._ring: Ringing | None = None
        self._publish: Callable[[events.CallEvent], None] = lambda event: None

    def open(self, ring: Ringing, clock: Clock, publish: Callable[[events.CallEvent], None]) -> None:
        """From now on promises can be kept, and so be made."""
        self._ring, self._clock, self._publish = ring, clock, publish

    @property
    def possible(self) -> bool:
        return self._ring is not None

    def promised(self, queue: str, number: str) -> bool:
        """Whether this number is to be called back from this queue already."""
        return any(each.queue == queue and each.number == number for each in self._promises.values())

    def keep(self, promise: Promise, ticket: Ticket) -> None:
        """See to it, from when it may begin."""
        self._promises[promise.call_id] = promise
        self._may_begin[promise.call_id] = asyncio.Event()
        task = asyncio.get_running_loop().create_task(self._keep(promise, ticket))
        self._tasks[promise.call_id] = task
        task.add_done_callback(lambda task: self._done(promise, task))

    def begin(self, call_id: str) -> None:
        """The call in which it was promised is over, or about to be."""
        if call_id in self._may_begin:
            self._may_begin[call_id].set()

    def _done(self, promise: Promise, task: asyncio.Task[None]) -> None:
        for each in (self._tasks, self._promises, self._may_begin):
            del each[promise.call_id]
        if not task.cancelled() and (error := task.exception()):
            log.error("the callback of call %s broke down", promise.call_id, exc_info=error)

    async def settled(self) -> None:
        """Wait until every promise is kept or given up."""
        while self._tasks:
            await asyncio.wait(tuple(self._tasks.values()))

    def stop(self) -> None:
        """Nobody is called any more. Who waits is taken up at the next start; talks go on to their end."""
        self._stopping = True
        for call_id, task in self._tasks.items():
            if call_id not in self._calling:
                task.cancel()

    async def close(self) -> None:
        self.stop()
        for task in tuple(self._tasks.values()):
            task.cancel()
        if self._tasks:
            await asyncio.wait(tuple(self._tasks.values()))

    async def _keep(self, promise: Promise, ticket: Ticket) -> None:
        assert self._clock is not None
        queue = ticket.queue
        waited_s = (self._clock.now() - promise.promised_at).total_seconds()
        until_s = self._clock.monotonic() + seconds(queue.callback_keep) - waited_s
        tries = promise.tries
        await self._may_begin[promise.call_id].wait()
        await self._clock.sleep(HANG_UP_S)
        while tries < queue.callback_tries:
            tried = await self._try(promise, ticket, until_s)
            if tried is None:
                return self._end(promise, CallbackEnd.EXPIRED, "nobody was free in time")
            self._tell(promise, tried)
            if tried.how is Try.TALKED:
                return self._end(promise, CallbackEnd.TALKED, "called back", tried.call_id)
            if tried.how is Try.IMPOSSIBLE:
                return self._end(promise, CallbackEnd.FAILED, "the number cannot be called", tried.call_id)
            tries += 1
            if self._stopping:
                return None
            if tries < queue.callback_tries:
                await self._clock.sleep(seconds(queue.callback_every))
        return self._end(promise, CallbackEnd.FAILED, f"not answered in {tries} tries")

    async def _try(self, promise: Promise, ticket: Ticket, until_s: float) -> Tried | None:
        """In the line until an agent answered, and the customer was called. None if the time is over."""
        self._line.enter(ticket)
        try:
            self._line.ask(ticket)
            while (held := await self._turn(ticket, until_s)) is not None:
                self._calling.add(promise.call_id)
                try:
                    tried = await self._call(promise, ticket, held)
                finally:
                    self._calling.discard(promise.call_id)
                if tried.how is not Try.NO_AGENT:
                    return tried
                self._tell(promise, tried)
                if self._stopping:
                    raise asyncio.CancelledError
            return None
        finally:
            self._line.leave(ticket)
            turn, ticket.turn = ticket.turn, None
            if turn is not None and turn.done() and not turn.cancelled() and (late := turn.result()):
                late.release()

    async def _turn(self, ticket: Ticket, until_s: float) -> Reservation | None:
        assert self._clock is not None
        assert ticket.turn is not None
        left_s = until_s - self._clock.monotonic()
        await asyncio.wait((ticket.turn,), timeout=max(0.0, left_s))
        if not ticket.turn.done():
            return None
        held, ticket.turn = ticket.turn.result(), None
        return held

    async def _call(self, promise: Promise, ticket: Ticket, held: Reservation) -> Tried:
        assert self._ring is not None
        queue, agent = ticket.queue, held.agents[0]
        with held:
            ticket.rung[agent] += 1
            tried = await self._ring(promise, agent, seconds(queue.ring_timeout))
            if tried.how is Try.NO_AGENT:
                self._board.rest(agent, REST_S)
                self._autopause(agent, queue)
                self._line.ask(ticket)  # before the agent is free, so that nobody behind goes first
            elif tried.how is not Try.IMPOSSIBLE:
                held.connected(agent, wrap_up_s=seconds(queue.wrap_up))
            if tried.how is Try.TALKED:
                figures = self._line.figures[promise.queue]
                figures.calls[agent] += 1
                figures.talked(agent, tried.talk_s, seconds(queue.wrap_up))
        return tried

    def _autopause(self, agent: str, queue: Queue) -> None:
        missed = self._board.missed(agent)
        if queue.autopause is not None and missed >= queue.autopause:
            self._board.pause(agent, "did not take a callback", by="autopause")

    def _tell(self, promise: Promise, tried: Tried) -> None:
        assert self._clock is not None
        self._publish(
            events.CallbackTried(
                call_id=promise.call_id, at=self._clock.now(), how=tried.how.value, by_call=tried.call_id
            )
        )

    def _end(self, promise: Promise, end: CallbackEnd, because: str, by_call: str = "") -> None:
        assert self._clock is not None
        self._publish(
            events.CallbackEnded(
                call_id=promise.call_id,
                at=self._clock.now(),
                end=end.value,
                because=because,
                by_call=by_call,
            )
        )
