"""One caller's stay in the queues: waiting, announcements, keys, ringing, the talk.

A round of ringing that nobody takes leads to another, until ``max_wait``, which also runs while phones
ring. A phone that refuses at once (busy, declined, unreachable) is left in peace for a while.
"""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pbx.agents import Reservation
from pbx.config.fields import seconds
from pbx.config.queues import Announcement
from pbx.flows.control import AgentTarget, CallControl, CallerHears, Prompt, agent_of, any_done, noted
from pbx.flows.known import language_of
from pbx.queues.announcer import Announcer
from pbx.queues.figures import Figures
from pbx.queues.line import Ticket
from pbx.queues.result import Asking, QueueEnd, QueueResult

if TYPE_CHECKING:
    from pbx.queues.queues import Queues


class Stay:
    """One caller from joining until served, or out."""

    def __init__(self, queues: "Queues", ticket: Ticket, call: CallControl, asking: Asking) -> None:
        self._queues = queues
        self._line = queues.line
        self._ticket = ticket
        self._call = call
        self._asking = asking
        self._announcer = Announcer(ticket.queue)
        self._began_at = call.clock.monotonic()  # of this stay; the ticket may be older
        self._been = {ticket.name}

    @property
    def _stayed_s(self) -> float:
        return self._call.clock.monotonic() - self._began_at

    @property
    def _left_s(self) -> float:
        return seconds(self._ticket.queue.max_wait) - self._stayed_s

    async def until_served(self) -> QueueResult:
        while self._overflows and self._is_too_long():
            if (result := self._overflow(f"{self._ahead} wait already")) is not None:
                return result
        while True:
            if self._left_s <= 0:
                self._figures.timed_out += 1
                return self._leave(QueueEnd.TIMEOUT, f"nobody answered within {self._stayed_s:.0f} s")
            if self._stayed_s >= self._overflow_s:
                result = self._overflow(f"nobody answered within {self._stayed_s:.0f} s")
                if result is not None:
                    return result
                continue
            await self._call.start_music()
            if self._ticket.turn is None:
                self._line.ask(self._ticket)
            turn = await self._turn()
            if isinstance(turn, QueueResult):
                return turn
            if turn is not None and (result := await self._ring(turn)) is not None:
                return result

    # Ways out

    @property
    def _figures(self) -> Figures:
        return self._queues.figures(self._ticket.name, self._call.local_time().date())

    def _leave(self, end: QueueEnd, because: str, key: str = "") -> QueueResult:
        if end is not QueueEnd.TIMEOUT:
            self._figures.left_otherwise += 1
        waited_s = self._ticket.waited_s
        self._queues.step_out(self._ticket, self._call, because, end)
        return QueueResult(end, waited_s, because, key=key)

    @property
    def _ahead(self) -> int:
        return self._line.place(self._ticket) - 1

    def _is_too_long(self) -> bool:
        most = self._ticket.queue.overflow_length
        return most is not None and self._ahead > most

    @property
    def _overflow_s(self) -> float:
        """When the caller overflows, in seconds of this stay; never, if there is nowhere to."""
        after = self._ticket.queue.overflow_after
        return seconds(after) if after is not None and self._overflows else float("inf")

    @property
    def _overflows(self) -> bool:
        to = self._ticket.queue.overflow_to
        return self._asking.may_overflow if to is None else to not in self._been

    def _overflow(self, why: str) -> QueueResult | None:
        """Out of the queue, or (None) on in another one."""
        to = self._ticket.queue.overflow_to
        if to is None:
            return self._leave(QueueEnd.OVERFLOW, f"{self._ticket.name} overflows: {why}")
        self._queues.move(self._ticket, self._call, to, f"on to {to}: {why}")
        self._been.add(to)
        self._began_at = self._call.clock.monotonic()
        self._announcer = Announcer(self._ticket.queue)
        return None

    # A caller's turn

    async def _turn(self) -> Reservation | QueueResult | None:
        """Wait until agents are reserved for this caller, or a key leads out; None when a time is over."""
        turn = self._ticket.turn
        assert turn is not None
        pressing = self._listen()
        try:
            while not turn.done():
                if pressing is not None and pressing.done():
                    if (key := pressing.result()) in self._asking.keys:
                        return self._leave(QueueEnd.KEY, f"the caller pressed {key}", key)
                    pressing = self._listen() if self._left_s > 0 else None
                until_s = min(self._announcer.due_s, self._overflow_s)
                left_s = min(self._left_s, until_s - self._stayed_s)
                if left_s > 0:
                    await self._first(turn, pressing, left_s)
                elif self._left_s <= 0 or self._stayed_s >= self._overflow_s:
                    return None
                else:
                    await self._announce(turn, pressing)
        finally:
            if pressing is not None:
                await _end(pressing)
        held, self._ticket.turn = turn.result(), None
        if held is None:
            return self._leave(QueueEnd.EMPTY, f"nobody of {self._ticket.name} is there any more")
        return held

    def _listen(self) -> "asyncio.Task[str] | None":
        """The next key, if any leads out."""
        if not self._asking.keys:
            return None
        collecting = self._call.collect(None, max_digits=1, timeout_s=self._left_s, terminators="")
        return asyncio.create_task(collecting)

    async def _first(
        self,
        turn: asyncio.Future[Reservation | None],
        pressing: "asyncio.Task[str] | None",
        within_s: float,
        *others: "asyncio.Future[None]",
    ) -> None:
        """Whatever comes first; CallerGone if that is the caller's leaving."""
        waited: list[asyncio.Future[Any]] = [turn, *others]
        if pressing is not None:
            waited.append(pressing)
        await self._call.until(any_done(waited, within_s))

    async def _announce(
        self, turn: asyncio.Future[Reservation | None], pressing: "asyncio.Task[str] | None"
    ) -> None:
        """Say what is due; a free agent, or a key, is worth more than the rest of it."""
        place = self._line.place(self._ticket)
        due = self._announcer.take(
            self._stayed_s, place, self._queues.estimate_s(self._ticket.name, place), language_of(self._call)
        )
        telling = asyncio.ensure_future(self._tell(due))
        try:
            await self._first(turn, pressing, self._left_s, telling)
        finally:
            told = telling.done()
            await _end(telling)
        if told:
            telling.result()  # what could not be said is the flow's failure
        await self._call.start_music()

    async def _tell(self, due: Sequence[Prompt | Announcement]) -> None:
        for each in due:
            prompt = each if isinstance(each, Prompt) else await self._asking.spoken(each)
            await self._call.play(prompt)

    async def _ring(self, held: Reservation) -> QueueResult | None:
        """Ring who is reserved, and talk to who answers; None when nobody does."""
        ticket, call = self._ticket, self._call
        with held:
            ticket.rung.update(held.agents)
            began = call.clock.monotonic()
            result = await call.dial(
                [AgentTarget(agent) for agent in held.agents],
                together=True,
                timeout_s=min(seconds(ticket.queue.ring_timeout), self._left_s),
                caller_hears=CallerHears.MUSIC,
            )
            if result.winner is None:
                self._queues.leave_in_peace(ticket, result, call.clock.monotonic() - began)
                # Ask again before the agents are free, so that nobody behind gets them first.
                self._line.ask(ticket)
                return None
            agent = str(result.winner.target)
            waited_s, wrap_up_s = ticket.waited_s, seconds(ticket.queue.wrap_up)
            self._queues.talked(call)
            self._figures.taken(agent, waited_s, seconds(ticket.queue.service_level))
            self._queues.step_out(ticket, call, f"{agent} answered", "answered", agent)
            held.connected(agent_of(result.winner.target), wrap_up_s=wrap_up_s)
            try:
                with noted(f"{agent} answered after {waited_s:.0f} s"):
                    talk = await call.bridge(result.winner)
            finally:
                held.release()
                self._figures.talked(agent, held.talk_s, wrap_up_s)
        because = f"{agent} answered after {waited_s:.0f} s and hung up after {talk.talk_s:.0f} s"
        return QueueResult(QueueEnd.TALKED, waited_s, because, agent, talk.talk_s)


async def _end(task: "asyncio.Future[str] | asyncio.Future[None]") -> None:
    """Cancel it, wait for its end, and do not mind how it ended."""
    if not task.done():
        task.cancel()
        await asyncio.wait((task,))
    if not task.cancelled():
        task.exception()
