"""A promised callback, made: the agent is rung, then the customer over a trunk, as a call of its own."""

import asyncio

from pbx.events import AgentConnected, AgentDisconnected, CallEvent, EventBus
from pbx.flows.control import AgentTarget, NumberTarget
from pbx.originate import Originator
from pbx.queues.callbacks import Promise, Tried, Try

_CUSTOMER_DID_NOT_ANSWER = frozenset(
    {"no_answer", "busy", "declined", "unreachable", "dial_failed", "caller_hung_up"}
)
"""Ends of the call made that leave hope for a next try; any other means that the number cannot be called."""


class LiveCallback:
    """:class:`pbx.queues.callbacks.Ringing` over :mod:`pbx.originate`."""

    def __init__(self, originator: Originator, bus: EventBus) -> None:
        self._originator = originator
        self._bus = bus

    async def __call__(self, promise: Promise, agent: str, ring_s: float) -> Tried:
        talks: dict[str, float] = {}

        def hear(event: CallEvent) -> None:
            if isinstance(event, AgentConnected) and event.agent == agent:
                talks.setdefault(event.call_id, 0.0)
            elif isinstance(event, AgentDisconnected) and event.agent == agent:
                talks[event.call_id] = talks.get(event.call_id, 0.0) + event.talk_s

        stop_hearing = self._bus.subscribe(hear)
        try:
            made = await self._originator.originate(
                AgentTarget(agent),
                NumberTarget(promise.number, promise.trunk),
                asked_by=f"queue {promise.queue}",
                because=f"promised in the queue {promise.queue}",
                of_call=promise.call_id,
                ring_s=ring_s,
            )
            outcome = await asyncio.shield(made.over)  # a talk goes on though the server stops
        finally:
            stop_hearing()
        if outcome is None:
            return Tried(Try.NO_AGENT, made.call_id)
        if made.call_id in talks:
            return Tried(Try.TALKED, made.call_id, talks[made.call_id])
        hope = outcome.cause in _CUSTOMER_DID_NOT_ANSWER
        return Tried(Try.NO_CUSTOMER if hope else Try.IMPOSSIBLE, made.call_id)
