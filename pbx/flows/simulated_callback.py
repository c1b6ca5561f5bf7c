"""A promised callback, simulated: the agent and the customer react as the script says."""

import asyncio
from collections.abc import Callable

from pbx.flows.control import AgentTarget, DialOutcome, NumberTarget, Target
from pbx.flows.simulated import Reaction
from pbx.queues.callbacks import Promise, Tried, Try


class SimulatedCallback:
    """``rang`` is whose phones rang, in their order."""

    def __init__(self, reacts: Callable[[Target], Reaction], talk_s: float) -> None:
        self.rang: list[str] = []
        self._reacts = reacts
        self._talk_s = talk_s

    async def __call__(self, promise: Promise, agent: str, ring_s: float) -> Tried:
        if not await self._answers(AgentTarget(agent), ring_s):
            return Tried(Try.NO_AGENT)
        if not await self._answers(NumberTarget(promise.number, promise.trunk), ring_s):
            return Tried(Try.NO_CUSTOMER)
        await asyncio.sleep(self._talk_s)
        return Tried(Try.TALKED, talk_s=self._talk_s)

    async def _answers(self, target: Target, ring_s: float) -> bool:
        self.rang.append(str(target))
        reaction = self._reacts(target)
        rings_s = ring_s if reaction.outcome is DialOutcome.NO_ANSWER else min(ring_s, reaction.after_s)
        await asyncio.sleep(rings_s)
        return reaction.outcome is DialOutcome.ANSWERED and reaction.after_s <= ring_s
