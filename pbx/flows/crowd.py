"""Who else is there when a simulated call comes: callers in front of it, and agents who talk to others.

A queue in which somebody waits has nobody free: so its agents are in talks that last ``TALK_S`` from the
start of the simulation, and each caller in front takes one of them for as long.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from pbx.agents import AgentBoard
from pbx.config.queues import Queue
from pbx.flows.control import CallFacts
from pbx.flows.simulated import Script, SimulatedCall
from pbx.queues import Queues

TALK_S = 180.0


@asynccontextmanager
async def crowd(
    waiting: Mapping[str, int],
    configured: Mapping[str, Queue],
    queues: Queues,
    board: AgentBoard,
    facts: CallFacts,
    script: Script,
) -> AsyncIterator[None]:
    """So many callers wait in each queue, longer than the call that comes next."""
    loop = asyncio.get_running_loop()
    busy = {agent for name, count in waiting.items() if count for agent in configured[name].members}
    for agent in sorted(busy & board.free()):
        held = board.ringing([agent])
        held.connected(agent)
        loop.call_later(TALK_S, held.release)
    others: list[asyncio.Task[object]] = []
    for name, count in waiting.items():
        for place in range(count):
            about = replace(facts, call_id=f"{name}-{place + 1}", caller="", source="unknown")
            theirs = Script(reacts=script.reacts, talk_s=TALK_S, agent_hangs_up=True)
            call = SimulatedCall(about, board.clock, lambda event: None, theirs)
            others.append(loop.create_task(queues.wait(name, call)))
    await asyncio.sleep(0)
    try:
        yield
    finally:
        for other in others:
            other.cancel()
        await asyncio.gather(*others, return_exceptions=True)
