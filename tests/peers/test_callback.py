"""A caller leaves the queue by key, keeps the place, and is called back: over real calls."""

import asyncio
import json
import urllib.request

import pytest

from pbx.phone_plan import Plan
from pbx.phonecall import Phone
from tests.support.phones import CALLER, agent_plan, caller_plan, number, registered
from tests.support.server import Server, eventually, server

pytestmark = pytest.mark.peers

FLOW = """
start: line
steps:
  line: {queue: sales, keys: {"2": call_me}}
  call_me: {callback: sales, confirm: "We will call you.", otherwise: hangup}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    with server(tmp_path_factory.mktemp("site"), {"line": FLOW}) as running:
        yield running


def change(site: Server, agent: str, changes: dict[str, object]) -> None:
    request = urllib.request.Request(
        f"http://127.0.0.1:{site.web}/api/agents/{agent}",
        data=json.dumps(changes).encode(),
        headers={"Authorization": f"Bearer {site.token}", "Content-Type": "application/json"},
        method="PATCH",
    )
    urllib.request.urlopen(request, timeout=10).close()


def test_the_agent_is_rung_first_and_then_the_customer_who_left(site: Server) -> None:
    change(site, "alice", {"state": "paused", "reason": "lunch"})

    async def scene() -> tuple[list[dict], list[dict]]:
        async with Phone(agent_plan(site, "alice", answer_after_s=0.5)) as alice:
            await registered(alice)
            async with Phone(caller_plan(site, press="2")) as caller:
                await caller.finish()
            async with Phone(
                Plan(
                    port=site.carrier, id_uri="sip:customer@127.0.0.1", answer_after_s=0.5, hang_up_after_s=4
                )
            ) as customer:
                await customer.until("listening")
                change(site, "alice", {"state": "available"})
                await customer.until("ended")
                await alice.until("ended")
                return alice.events, customer.events

    alice, customer = asyncio.run(asyncio.wait_for(scene(), 60))
    assert any(event["event"] == "answered" for event in alice)
    incoming = next(event for event in customer if event["event"] == "incoming")
    assert number(0) in incoming["from_"], "the customer sees the number that they called"
    site.ended_call(2)
    back, first = site.calls()
    assert (first["status"], first["queue"], first["from"]) == ("completed", "sales", CALLER)
    assert (back["direction"], back["status"], back["agent"]) == ("outbound", "answered", "alice")
    assert (back["to"], back["source"]) == (CALLER, first["source"])
    assert first["id"] in " ".join(back["attribution"]["reasons"])

    def ended() -> dict | None:
        events = site.get(f"/api/calls/{first['id']}")["events"]
        return next((event for event in events if event["kind"] == "callback.ended"), None)

    kept = eventually("the end of the promise", ended)
    assert (kept["end"], kept["by_call"]) == ("talked", back["id"])
    (sales, _) = site.get("/api/queues")["queues"]
    assert (sales["waiting"], sales["today"]["left_otherwise"]) == ([], 1)
