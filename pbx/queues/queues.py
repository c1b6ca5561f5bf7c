"""Every queue of a site: who may join, the places in the line, and what is known of each queue.

The caller's own coroutine, :meth:`Queues.wait`, is the only one to hold what
:class:`~pbx.queues.line.Line` reserves for the caller: when it ends, for whatever reason, the agents are
free and the ticket is out of the line.

A place that a caller gives up is remembered as long as the call is: who comes back, or asks to be
called back, goes on from it.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from itertools import count
from weakref import WeakKeyDictionary

from pbx.agents import AgentBoard
from pbx.clock import Clock
from pbx.config.fields import seconds
from pbx.config.queues import Agent, Queue
from pbx.flows.control import CallControl, DialOutcome, DialResult
from pbx.queues.callbacks import Callbacks, Promise
from pbx.queues.figures import Figures
from pbx.queues.line import Line, Ticket
from pbx.queues.result import Asking, QueueEnd, QueueResult
from pbx.queues.stay import Stay

log = logging.getLogger(__name__)

RETRY_S = 5.0
"""How long a phone is left in peace that rang for less than this; of one that refuses the board knows."""

_MISSED = (DialOutcome.NO_ANSWER, DialOutcome.DECLINED, DialOutcome.BUSY)
_PLAIN = Asking()


class Queues:
    """Every queue of a site, over one agent board."""

    def __init__(
        self,
        queues: Mapping[str, Queue],
        board: AgentBoard,
        agents: Mapping[str, Agent] | None = None,
    ) -> None:
        self._queues = dict(queues)
        self._board = board
        self.line = Line(board, {})
        self.callbacks = Callbacks(self.line, board)
        self._visits = count(1)
        self._order = count(1)
        self._places: WeakKeyDictionary[CallControl, Ticket] = WeakKeyDictionary()
        self._know(agents or {})

    def update(self, queues: Mapping[str, Queue], agents: Mapping[str, Agent] | None = None) -> None:
        """After a reload: callers already in line keep the rules that they came under.

        A queue that is gone stays for the calls whose flows began with it.
        """
        self._queues.update(queues)
        self._know(agents or {})
        self.line.changed()

    def _know(self, agents: Mapping[str, Agent]) -> None:
        self.line.skills = {name: agent.levels for name, agent in agents.items()}

    # What is known of a queue

    def exists(self, name: str) -> bool:
        return name in self._queues

    def free(self, name: str) -> int:
        """How many members could be rung now."""
        return sum(map(self._board.available, self._queues[name].members))

    def waiting(self, name: str) -> int:
        """How many callers are in line, those for whom phones ring included."""
        return len(self.line.tickets(name))

    def longest_wait_s(self, name: str) -> float:
        """How long the one who has waited longest has; 0 if nobody waits."""
        return max((ticket.waited_s for ticket in self.line.tickets(name)), default=0.0)

    def on_duty(self, name: str) -> list[str]:
        """The members who can be rung and have neither paused nor logged out, busy or not."""
        return self.line.on_duty(name, self._queues[name])

    def of_member(self, agent: str) -> list[str]:
        """The queues that this agent is a member of."""
        return [name for name, queue in self._queues.items() if agent in queue.members]

    def extension(self, name: str) -> str | None:
        return self._queues[name].extension

    def figures(self, name: str, today: date) -> Figures:
        figures = self.line.figures[name]
        figures.begin(today)
        return figures

    def restore(self, figures: Mapping[str, Figures]) -> None:
        """What the day was like before the server's start."""
        self.line.figures.update(figures)

    def estimate_s(self, name: str, place: int | None = None) -> float | None:
        """How long somebody at this place (None: who joins now) will wait; None if that cannot be said."""
        return self.line.figures[name].estimate_s(
            self.waiting(name) + 1 if place is None else place, len(self.on_duty(name))
        )

    # A caller's time in it

    async def wait(self, name: str, call: CallControl, asking: Asking = _PLAIN) -> QueueResult:
        """The whole of a caller's time in a queue, the talk included. Raises CallerGone."""
        refused = self._refused(name, call, asking)
        if refused is not None:
            return refused
        with self._in_line(name, call, asking) as ticket:
            await self._keep_for_the_last_agent(ticket, call)
            result = await Stay(self, ticket, call, asking).until_served()
        if result.end is not QueueEnd.TALKED:
            await call.stop_music()
        return result

    def _refused(self, name: str, call: CallControl, asking: Asking) -> QueueResult | None:
        """Why the caller does not even join, None if they do."""
        queue = self._queues[name]
        waiting = self.waiting(name)
        if queue.max_length is not None and waiting >= queue.max_length:
            return QueueResult(QueueEnd.FULL, 0.0, f"{name} is full: {waiting} wait already")
        if asking.leave_if_empty and self.line.is_empty(name, queue):
            return QueueResult(QueueEnd.EMPTY, 0.0, f"nobody of {name} can be reached")
        return None

    async def _keep_for_the_last_agent(self, ticket: Ticket, call: CallControl) -> None:
        if ticket.queue.sticky is None:
            return
        last = (await call.caller_history()).last_agent
        if last in ticket.queue.members:
            self.line.keep(ticket, last, seconds(ticket.queue.sticky))

    # Callers who leave and are called back

    @contextmanager
    def promise(self, name: str, call: CallControl, number: str, trunk: str | None) -> Iterator[int]:
        """The caller is called back, at the place that they had, which is what ``with`` gives.

        The promise holds whatever happens in the block, and is seen to once that is left: before, the
        caller's telephone is busy with this very call.
        """
        ticket = self._places.get(call)
        if ticket is None or ticket.name != name:
            ticket = self._ticket(name, call, _PLAIN)
        ticket.called_back, ticket.leaves_if_empty, ticket.turn = True, False, None
        ticket.caller = number
        promise = Promise(
            call.facts.call_id, name, number, trunk, ticket.source, ticket.priority, call.clock.now()
        )
        place = 1 + sum(other.rank < ticket.rank for other in self.line.tickets(name))
        if not self.callbacks.promised(name, number):
            call.callback_promised(name, number, trunk=trunk, priority=ticket.priority, place=place)
            self.callbacks.keep(promise, ticket)
        try:
            yield place
        finally:
            self.callbacks.begin(promise.call_id)

    def take_up(self, promise: Promise, clock: Clock) -> None:
        """A promise from before the server's start. In the order in which they were made."""
        queue = self._queues.get(promise.queue)
        if queue is None:
            log.error("call %s is not called back: the queue %s is gone", promise.call_id, promise.queue)
            return
        ticket = Ticket(
            call_id=promise.call_id,
            name=promise.queue,
            queue=queue,
            clock=clock.monotonic,
            joined_at=clock.monotonic(),
            order=next(self._order),
            priority=promise.priority,
            called_back=True,
            caller=promise.number,
            source=promise.source,
        )
        self.callbacks.keep(promise, ticket)
        self.callbacks.begin(promise.call_id)

    # The line

    @contextmanager
    def _in_line(self, name: str, call: CallControl, asking: Asking) -> Iterator[Ticket]:
        """A place in the line; whatever happens, the ticket is out of it afterwards."""
        ticket = self._ticket(name, call, asking)
        self.line.enter(ticket)
        self._today(name, call).joined()
        call.queue_joined(name, self.line.place(ticket), visit=ticket.visit)
        try:
            yield ticket
        finally:
            if ticket in self.line:
                self._today(ticket.name, call).abandoned += 1
                self.step_out(ticket, call, "the caller left", "abandoned")
            if ticket.turn is not None and ticket.turn.done() and (held := ticket.turn.result()) is not None:
                held.release()  # reserved in the very moment in which the caller left
            ticket.turn = None

    def _ticket(self, name: str, call: CallControl, asking: Asking) -> Ticket:
        queue = self._queues[name]
        priority = asking.priority
        if priority is None:
            priority = queue.source_priority.get(call.facts.source, 0)
        ticket = Ticket(
            call_id=call.facts.call_id,
            name=name,
            queue=queue,
            clock=call.clock.monotonic,
            joined_at=call.clock.monotonic(),
            order=next(self._order),
            priority=priority,
            needs=asking.needs,
            leaves_if_empty=asking.leave_if_empty and queue.leave_when_empty,
            visit=next(self._visits),
            caller=call.facts.caller,
            source=call.facts.source,
        )
        before = self._places.get(call)
        if before is not None and before.name == name:  # back again: the place was not lost
            ticket.order, ticket.priority = before.order, max(priority, before.priority)
        self._places[call] = ticket
        return ticket

    def step_out(self, ticket: Ticket, call: CallControl, because: str, end: str, agent: str = "") -> None:
        if ticket in self.line:
            waited_s = ticket.waited_s
            self.line.leave(ticket)
            self.line.figures[ticket.name].waited(waited_s)
            call.queue_left(ticket.name, waited_s, because, visit=ticket.visit, end=end, agent=agent)

    def move(self, ticket: Ticket, call: CallControl, name: str, because: str) -> None:
        """To another queue, at the same place in the line."""
        self._today(ticket.name, call).left_otherwise += 1
        self.step_out(ticket, call, because, QueueEnd.OVERFLOW)
        ticket.name, ticket.queue, ticket.visit = name, self._queues[name], next(self._visits)
        self.line.enter(ticket)
        self._today(name, call).joined()
        call.queue_joined(name, self.line.place(ticket), visit=ticket.visit)

    def _today(self, name: str, call: CallControl) -> Figures:
        return self.figures(name, call.local_time().date())

    def talked(self, call: CallControl) -> None:
        """Somebody answered: should the caller come back, they begin at the end."""
        self._places.pop(call, None)

    def leave_in_peace(self, ticket: Ticket, result: DialResult, rang_s: float) -> None:
        """After a round that nobody took."""
        for attempt in result.attempts:
            agent = str(attempt.target)
            if attempt.outcome is not DialOutcome.NO_ANSWER:
                self._board.refused(agent)
            elif rang_s < RETRY_S:
                self._board.rest(agent, RETRY_S)
            else:
                self._board.rang(agent)
            if attempt.outcome in _MISSED:
                self._autopause(agent, ticket.queue.autopause)

    def _autopause(self, agent: str, after: int | None) -> None:
        missed = self._board.missed(agent)
        if after is not None and missed >= after:
            calls = "a call" if missed == 1 else f"{missed} calls in a row"
            self._board.pause(agent, f"did not take {calls}", by="autopause")
