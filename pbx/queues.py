"""Queues: callers wait in line, agents are rung by strategy, the first in line is served first.

:func:`serve` is the whole of one caller's time in a queue. It runs on a live call and on a simulated
one alike, since it only drives :class:`~pbx.flows.control.CallControl` and the agent board. Whoever
leaves it (answered, timed out, hung up, cancelled) is out of the line, and no agent is left ringing.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pbx.agents import AgentBoard
from pbx.config.models import Queue, Strategy
from pbx.flows.control import AgentTarget, AnsweredLeg, CallControl, CallerHears, DialResult, Prompt

BETWEEN_ROUNDS_S = 2.0
"""After a round that nobody took: phones that refuse at once must not be rung in a tight loop."""


class QueueEnd(StrEnum):
    ANSWERED = "answered"
    TIMEOUT = "timeout"
    EMPTY = "empty"  # no member can be reached at all


@dataclass(frozen=True, slots=True)
class QueueResult:
    end: QueueEnd
    waited_s: float
    agent: str = ""
    talk_s: float = 0.0


class Line:
    """The callers waiting in one queue, in the order in which they came."""

    def __init__(self) -> None:
        self._waiting: list[object] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def join(self) -> object:
        ticket = object()
        self._waiting.append(ticket)
        return ticket

    def leave(self, ticket: object) -> None:
        if ticket in self._waiting:
            self._waiting.remove(ticket)

    def ahead_of(self, ticket: object) -> int:
        return self._waiting.index(ticket)


async def serve(
    call: CallControl, name: str, queue: Queue, line: Line, board: AgentBoard, *, leave_if_empty: bool
) -> QueueResult:
    """Wait for an agent and talk to them. Raises CallerGone."""
    began = call.clock.monotonic()
    ticket = line.join()
    call.queue_joined(name, len(line))
    left_because = "the caller left"
    try:
        if leave_if_empty and not any(board.reachable(agent) for agent in queue.members):
            left_because = "no member is reachable"
            return QueueResult(QueueEnd.EMPTY, 0.0)
        await call.start_music()
        try:
            async with asyncio.timeout(queue.max_wait.total_seconds()) as limit:
                winner = await _until_answered(call, queue, line, ticket, board)
                limit.reschedule(None)
        except TimeoutError:
            left_because = "waited for the longest time allowed"
            return QueueResult(QueueEnd.TIMEOUT, call.clock.monotonic() - began)
        agent = str(winner.target)
        left_because = f"{agent} answered"
    finally:
        line.leave(ticket)
        board.notify()
        waited_s = call.clock.monotonic() - began
        call.queue_left(name, waited_s, left_because)
    with board.talking(agent, queue.wrap_up.total_seconds()):
        talk = await call.bridge(winner)
    return QueueResult(QueueEnd.ANSWERED, waited_s, agent, talk.talk_s)


async def _until_answered(
    call: CallControl, queue: Queue, line: Line, ticket: object, board: AgentBoard
) -> AnsweredLeg:
    told = call.clock.monotonic()
    while True:
        free = board.available(queue.members)
        if free and line.ahead_of(ticket) < len(free) and _is_our_turn(line, ticket, queue, free):
            result = await _ring(call, queue, _choose(queue, free), board)
            if result.winner is not None:
                return result.winner
            await call.until(call.clock.sleep(BETWEEN_ROUNDS_S))
            continue
        announce = queue.announce_position
        waits_s = board.next_free_in(queue.members)
        if announce is not None:
            next_s = told + announce.total_seconds() - call.clock.monotonic()
            if next_s <= 0:
                await call.play(Prompt(text=f"You are number {line.ahead_of(ticket) + 1} in line."))
                await call.start_music()
                told = call.clock.monotonic()
                continue
            waits_s = next_s if waits_s is None else min(waits_s, next_s)
        await call.until(board.changed(waits_s))


def _is_our_turn(line: Line, ticket: object, queue: Queue, free: Sequence[str]) -> bool:
    """Ring-all takes every free phone for the first in line; longest-idle gives one agent to each."""
    return line.ahead_of(ticket) == 0 or queue.strategy is Strategy.LONGEST_IDLE


def _choose(queue: Queue, free: Sequence[str]) -> list[str]:
    if queue.strategy is Strategy.LONGEST_IDLE:
        return [free[0]]
    return [agent for agent in queue.members if agent in free]


async def _ring(call: CallControl, queue: Queue, agents: Sequence[str], board: AgentBoard) -> DialResult:
    with board.ringing(agents):
        result = await call.dial(
            [AgentTarget(agent) for agent in agents],
            together=True,
            timeout_s=queue.ring_timeout.total_seconds(),
            caller_hears=CallerHears.MUSIC,
        )
    board.passed_over([a for a in agents if result.winner is None])
    return result
