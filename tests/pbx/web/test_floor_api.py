"""Agents and queues over the API."""

import asyncio

import httpx
import pytest

from pbx.agents import AgentState
from pbx.events import AgentPresenceChanged
from pbx.flows.control import CallerGone
from pbx.flows.simulated import Script, SimulatedCall
from tests.pbx.flows.worlds import facts


def patch(site, agent, body, role="admin"):
    return site.ask("PATCH", f"/api/agents/{agent}", role=role, json=body)


def test_everybody_is_listed_with_their_state(site):
    agents = site.get("/api/agents").json()["agents"]
    assert [(each["id"], each["name"], each["state"]) for each in agents] == [
        ("alice", "Alice Moreno", "available"),
        ("bob", "Bob Okafor", "offline"),
    ]
    assert [each["queue"] for each in agents[1]["queues"]] == ["sales", "support"]


def test_a_pause_has_a_reason_and_an_author_and_ends(site):
    happened = []
    site.bus.subscribe(happened.append)
    paused = patch(site, "alice", {"state": "paused", "reason": "lunch"}).json()
    assert (paused["state"], paused["paused"], paused["reason"], paused["by"]) == (
        "paused",
        True,
        "lunch",
        "admin",
    )
    assert patch(site, "alice", {"state": "available"}).json()["state"] == "available"
    presence = [event for event in happened if isinstance(event, AgentPresenceChanged)]
    assert [(event.paused, event.reason) for event in presence] == [(True, "lunch"), (False, "")]


def test_queues_are_left_and_joined(site):
    left = patch(site, "bob", {"queues": {"support": False}}).json()
    assert {each["queue"]: each["logged_in"] for each in left["queues"]} == {"sales": True, "support": False}
    assert patch(site, "bob", {"queues": {"support": True}}).json()["queues"][1]["logged_in"]


def test_agents_change_only_their_own_state(site):
    assert patch(site, "alice", {"state": "paused"}, role="alice").status_code == 200
    answer = patch(site, "bob", {"state": "paused"}, role="alice")
    assert (answer.status_code, answer.json()["detail"]) == (
        403,
        "agents change their own state; alice is not bob",
    )
    assert patch(site, "bob", {"state": "paused"}, role="manager").status_code == 200
    listed = site.get("/api/agents", role="alice").json()["agents"]
    assert [each["may_change"] for each in listed] == [True, False]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"state": "talking"}, "state"),
        ({"reason": "lunch"}, "reason"),
        ({"state": "available", "reason": "x"}, "reason"),
        ({"state": "paused", "reason": "x" * 61}, "reason"),
        ({"queues": {"support": True}}, "queues.support"),
        ({"queues": {"nothing": True}}, "queues.nothing"),
        ({"queues": {"sales": 1}}, "queues.sales"),
        ({"talks": 1}, "talks"),
    ],
)
def test_nonsense_is_refused_and_nothing_changes(site, body, field):
    answer = patch(site, "alice", body)
    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert site.state.floor.board.state("alice") is AgentState.AVAILABLE


def test_an_agent_who_is_not_there(site):
    assert site.get("/api/agents/carol").status_code == 404
    assert patch(site, "carol", {"state": "paused"}).status_code == 404


def test_who_waits_is_listed_in_order_and_measured(site):
    async def scenario():
        floor, happened = site.state.floor, []
        floor.board.pause("alice", "lunch", "web")
        for name in ("one", "two"):
            call = SimulatedCall(facts(name), site.clock, happened.append, Script())
            waiting = asyncio.ensure_future(floor.queues.wait("sales", call))
            await asyncio.sleep(0)
            site.clock.advance(30)
            calls.append((call, waiting))

    calls = []

    async def main():
        await scenario()
        answer = await ask(site, "/api/queues")
        metrics = await ask(site, "/metrics")
        for call, waiting in calls:
            call.hang_up()
            with pytest.raises(CallerGone):
                await waiting
        return answer.json()["queues"][0], (await ask(site, "/api/queues")).json()["queues"][0], metrics.text

    queue, after, metrics = asyncio.run(main())
    assert [(each["call"], each["waited"]) for each in queue["waiting"]] == [("one", 60), ("two", 30)]
    assert queue["waiting"][0]["from"] == "+12125557788"
    assert (queue["on_duty"], queue["estimated_wait"], queue["members"]) == ([], None, ["alice", "bob"])
    assert 'pbx_queue_waiting{queue="sales"} 2.0' in metrics
    assert 'pbx_queue_longest_wait_seconds{queue="sales"} 60.0' in metrics
    assert 'pbx_agents{state="paused"} 1.0' in metrics
    assert (after["waiting"], after["today"]["offered"], after["today"]["abandoned"]) == ([], 2, 2)
    assert after["today"]["service_level_answered"] is None
    assert after["today"]["service_level_offered"] == 0


async def ask(site, path):
    transport = httpx.ASGITransport(site.app, raise_app_exceptions=False)
    headers = {"authorization": f"Bearer {site.tokens['admin']}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as http:
        return await http.get(path, headers=headers)


def test_the_figures_of_a_period_come_from_the_record(site):
    assert "period" not in site.get("/api/queues").json()["queues"][0]
    sales = site.get("/api/queues?since=7d").json()["queues"][0]
    assert set(sales["period"]) == set(sales["today"])
    assert site.get("/api/queues?since=soon").json()["field"] == "since"
