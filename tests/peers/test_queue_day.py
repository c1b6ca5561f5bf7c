"""What a queue did today outlives a restart of the server: its figures, and whose turn it is."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from pbx.phonecall import Phone
from tests.support.phones import agent_plan, caller_plan, registered
from tests.support.server import Server, eventually, server

pytestmark = pytest.mark.peers

FLOWS = {"sales": "name: sales\nstart: sales\nsteps:\n  sales: {queue: sales}\n"}


def fewest_calls(config: str) -> str:
    return config.replace("{strategy: ring-all", "{service_level: 30s, strategy: fewest-calls")


def sales(site: Server) -> dict[str, Any]:
    queue: dict[str, Any] = next(
        each for each in site.get("/api/queues")["queues"] if each["name"] == "sales"
    )
    return queue


def share(site: Server, agent: str) -> dict[str, Any]:
    """What the agent has of the queue's day."""
    found = next(each for each in site.get("/api/agents")["agents"] if each["id"] == agent)
    queue: dict[str, Any] = next(each for each in found["queues"] if each["queue"] == "sales")
    return queue


def taken(site: Server, *agents: str) -> str:
    """Who takes a call to the queue, of those who are there; "" if the caller gives up."""
    before = len(site.calls())

    async def scene() -> None:
        async with asyncio.timeout(60), AsyncExitStack() as phones:
            for agent in agents:
                await registered(await phones.enter_async_context(Phone(agent_plan(site, agent))))
            caller = await phones.enter_async_context(Phone(caller_plan(site, hang_up_after_s=2.5)))
            await caller.finish()

    asyncio.run(scene())
    agent: str | None = site.ended_call(before + 1)["agent"]
    return agent or ""


def test_a_restart_forgets_nothing_of_the_day(tmp_path: Path) -> None:
    with server(tmp_path, FLOWS, edit=fewest_calls) as site:
        assert taken(site, "alice") == "alice"
        assert taken(site) == ""
        eventually("the figures", lambda: sales(site)["today"]["abandoned"] == 1)
        day, hers = sales(site)["today"], share(site, "alice")
        assert (day["offered"], day["answered"], day["in_time"]) == (2, 1, 1)
        assert (day["service_level_answered"], day["service_level_offered"]) == (1.0, 0.5)
        assert (hers["calls"], hers["talk_time"] > 0) == (1, True)
        assert site.stop() == 0
        site.start()
        assert sales(site)["today"] == pytest.approx(day, abs=0.01)
        assert share(site, "alice") == pytest.approx(hers, abs=0.01)
        assert taken(site, "alice", "bob") == "bob", "who has taken fewer calls today"
        assert sales(site)["today"]["answered"] == 2
