"""The one line of all queues, and who in it gets whom.

Theory of operation
-------------------
:class:`Line` keeps the tickets of all queues, the higher priority before the lower and within a
priority in the order in which the callers came. A ticket *asks* while its caller waits, and does not
while phones ring for it. Whenever the board or the line changes, :meth:`Line._assign` walks the line
once, from the front: each ticket that asks gets whom its queue's strategy picks of the free members,
reserved in the same breath. So no agent is offered to two callers, nobody overtakes within a priority,
and an agent of several queues goes to whoever has waited longest in any of them. No caller competes
with another, and the order is the same on every run.

A member is free *for a ticket* if the board says so, they have not logged out of the queue, they have
the skills that the caller still needs, and the caller is not kept for somebody else (sticky).

A ticket that moves to another queue (overflow) keeps its place: the place is in the line, not in the
queue. One whose queue has become empty of agents is told so instead of being served.
"""

import asyncio
from bisect import insort
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from pbx.agents import AgentBoard, Reservation
from pbx.config.queues import Empty, Queue, Strategy
from pbx.queues.figures import Figures
from pbx.queues.needs import NOTHING, Needs, Skills, meets
from pbx.queues.strategies import RULES, Candidate, Memory

_LATE_S = 0.001
"""Timers after which a ticket may have more agents come this much late, so that they find it so."""


@dataclass(eq=False, slots=True)
class Ticket:
    """A caller in line, or one who left and will be called back.

    ``turn`` is there while the ticket asks; it resolves to who is reserved, or to None when the queue
    has become empty and the caller is to leave then.
    """

    call_id: str
    name: str
    queue: Queue
    clock: Callable[[], float]
    joined_at: float
    order: int
    priority: int = 0
    needs: Needs = NOTHING
    keep_for: str = ""  # an agent, until ``keep_until``
    keep_until: float = 0.0
    leaves_if_empty: bool = False
    turn: asyncio.Future[Reservation | None] | None = None
    rung: Counter[str] = field(default_factory=Counter)
    called_back: bool = False
    visit: int = 0
    caller: str = ""  # E.164; "" when withheld
    source: str = ""

    @property
    def rank(self) -> tuple[int, int]:
        return -self.priority, self.order

    @property
    def waited_s(self) -> float:
        return self.clock() - self.joined_at

    @property
    def asks(self) -> bool:
        return self.turn is not None and not self.turn.done()


class Line:
    """Everybody who waits, over one agent board."""

    def __init__(self, board: AgentBoard, skills: Mapping[str, Skills]) -> None:
        self.board = board
        self.skills = skills
        self.figures: defaultdict[str, Figures] = defaultdict(Figures)
        self._tickets: list[Ticket] = []
        self._memories: defaultdict[str, Memory] = defaultdict(Memory)
        self._assigning = False
        board.subscribe(self.changed)

    # Who is in it

    def enter(self, ticket: Ticket) -> None:
        insort(self._tickets, ticket, key=lambda each: each.rank)
        for wait_s in ticket.needs.changes_s:
            self._look_again_in(wait_s - ticket.waited_s)
        self.changed()  # who moves here from another queue asks already

    def _look_again_in(self, seconds: float) -> None:
        """By then a ticket may be served by more agents."""
        if seconds > 0:
            asyncio.get_running_loop().call_later(seconds + _LATE_S, self.changed)

    def keep(self, ticket: Ticket, agent: str, seconds: float) -> None:
        """For so long, the caller is for this agent alone, as long as the agent is there to take them."""
        ticket.keep_for, ticket.keep_until = agent, ticket.clock() + seconds
        self._look_again_in(seconds)

    def leave(self, ticket: Ticket) -> None:
        self._tickets.remove(ticket)

    def __contains__(self, ticket: Ticket) -> bool:
        return ticket in self._tickets

    def tickets(self, name: str) -> list[Ticket]:
        """Those of one queue, in their order."""
        return [ticket for ticket in self._tickets if ticket.name == name]

    def place(self, ticket: Ticket) -> int:
        """1 for the first of its queue."""
        return 1 + self.tickets(ticket.name).index(ticket)

    # Who serves

    def serves(self, agent: str, name: str) -> bool:
        """Whether the agent takes calls of this queue, free or not."""
        return name not in self.board.presence(agent).logged_out

    def on_duty(self, name: str, queue: Queue) -> list[str]:
        """The members who can be rung and want to be, busy or not."""
        return [
            agent
            for agent in queue.members
            if self.serves(agent, name)
            and self.board.reachable(agent)
            and not self.board.presence(agent).paused
        ]

    def is_empty(self, name: str, queue: Queue) -> bool:
        """As ``empty_when`` has it."""
        if queue.empty_when is Empty.PAUSED:
            return not self.on_duty(name, queue)
        return not any(self.serves(agent, name) and self.board.reachable(agent) for agent in queue.members)

    # Who gets whom

    def ask(self, ticket: Ticket) -> None:
        ticket.turn = asyncio.get_running_loop().create_future()
        self.changed()

    def changed(self) -> None:
        """Look at the line soon: once for all the changes of this moment."""
        if not self._assigning and any(ticket.asks for ticket in self._tickets):
            self._assigning = True
            asyncio.get_running_loop().call_soon(self._assign)

    def _assign(self) -> None:
        self._assigning = False
        self._send_away()
        free = self.board.free()
        for ticket in self._tickets:
            if not free:
                return
            if ticket.turn is None or not ticket.asks or free.isdisjoint(ticket.queue.members):
                continue
            if candidates := self._candidates(ticket, free):
                picked = self._pick(ticket, candidates)
                free.difference_update(picked)
                ticket.turn.set_result(self.board.ringing(picked, ticket.call_id))

    def _send_away(self) -> None:
        """Those who do not want to wait in a queue of which nobody is there."""
        for ticket in self._tickets:
            leaves = ticket.leaves_if_empty and ticket.asks and self.is_empty(ticket.name, ticket.queue)
            if leaves and ticket.turn is not None:
                ticket.turn.set_result(None)

    def _pick(self, ticket: Ticket, candidates: list[Candidate]) -> list[str]:
        memory = self._memories[ticket.name]
        memory.members = ticket.queue.members
        if ticket.queue.strategy is Strategy.WEIGHTED_RANDOM:
            memory.random = _lot(ticket)
        picked = RULES[ticket.queue.strategy](candidates, memory)
        memory.last = picked[-1]
        return picked[:1] if ticket.called_back else picked  # one agent, who then waits for the customer

    def _candidates(self, ticket: Ticket, free: set[str]) -> list[Candidate]:
        needed = ticket.needs.after(ticket.waited_s)
        figures = self.figures[ticket.name]
        kept_for = self._kept_for(ticket) if ticket.keep_for else ""
        return [
            Candidate(
                agent=agent,
                rung=ticket.rung[agent],
                idle_since=self.board.idle_since(agent),
                calls=figures.calls[agent],
                talk_s=figures.talk_s[agent],
                weight=ticket.queue.weights.get(agent, 1.0),
                level=sum(self._skills(agent).get(skill, 0) for skill in needed),
            )
            for agent in ticket.queue.members
            if agent in free
            and self.serves(agent, ticket.name)
            and meets(self._skills(agent), needed)
            and kept_for in ("", agent)
        ]

    def _skills(self, agent: str) -> Skills:
        return self.skills.get(agent, {})

    def _kept_for(self, ticket: Ticket) -> str:
        """Whom the caller is still kept for; one who is away or did not answer is not waited for."""
        agent = ticket.keep_for
        if ticket.clock() >= ticket.keep_until or ticket.rung[agent]:
            return ""
        return agent if agent in self.on_duty(ticket.name, ticket.queue) else ""


def _lot(ticket: Ticket) -> Random:
    """The call's own: calls are drawn independently of each other, and a replayed one is drawn alike."""
    return Random(f"{ticket.call_id} {ticket.name} {ticket.rung.total()}")
