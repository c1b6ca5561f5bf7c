"""Feature codes dialled on a softphone: what the agent is from then on, and whether the queue rings them."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from pbx.phone_plan import listen_to
from pbx.phonecall import Phone
from tests.support.phones import agent_plan, caller_plan, registered
from tests.support.server import Server, eventually, server

pytestmark = pytest.mark.peers

FLOWS = {"sales": "name: sales\nstart: sales\nsteps:\n  sales: {queue: sales}\n"}
EXTENSION = "601"
PHONES = ("alice", "bob")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    def edit(config: str) -> str:
        return config.replace("sales: {strategy", f'sales: {{extension: "{EXTENSION}", strategy')

    with server(tmp_path_factory.mktemp("site"), FLOWS, edit=edit) as running:
        yield running


def dial(site: Server, code: str) -> str:
    """Alice dials the code and hears words out; what the call's record says that she was told."""
    before = len(site.calls())
    heard = site.folder / "heard.wav"

    async def scene() -> None:
        plan = agent_plan(site, "alice", call=f"sip:{code}@127.0.0.1:{site.sip}", record=str(heard))
        async with Phone(plan) as phone, asyncio.timeout(30):
            await phone.finish()

    asyncio.run(scene())
    assert listen_to(heard).speech
    call = site.ended_call(before + 1)
    assert (call["direction"], call["cause"]) == ("internal", "feature_ended")
    (told,) = [event["because"] for event in call["events"] if event["kind"] == "step.turn"]
    return str(told)


def alice(site: Server) -> dict[str, Any]:
    agents = {agent["id"]: agent for agent in site.get("/api/agents")["agents"]}
    return {**agents["alice"], "logged_in": agents["alice"]["queues"][0]["logged_in"]}


def rung(site: Server) -> set[str]:
    """Whose phone rings for a call to the queue, which bob takes; both have one."""
    before = len(site.calls())

    def idle() -> bool:
        agents = site.get("/api/agents")["agents"]
        return all(agent["state"] in ("available", "paused") for agent in agents if agent["id"] in PHONES)

    async def scene() -> None:
        async with (
            Phone(agent_plan(site, "alice", answer_after_s=20)) as hers,
            Phone(agent_plan(site, "bob", answer_after_s=1.5)) as his,
        ):
            await registered(hers)
            await registered(his)
            await asyncio.to_thread(eventually, "the end of every wrap-up", idle)
            async with Phone(caller_plan(site)) as caller, asyncio.timeout(30):
                await caller.until("answered")
                await his.until("answered")
            await his.until("ended")

    asyncio.run(scene())
    call = site.ended_call(before + 1)
    assert (call["status"], call["agent"]) == ("answered", "bob")
    return {leg["target"] for leg in call["legs"] if leg["role"] == "agent"}


def test_paused_with_a_reason_and_back(site: Server) -> None:
    assert rung(site) == {"alice", "bob"}
    assert dial(site, "*412") == "You are paused: lunch."
    assert (alice(site)["paused"], alice(site)["reason"], alice(site)["by"]) == (True, "lunch", "phone")
    assert rung(site) == {"bob"}
    assert dial(site, "*42") == "You take calls again."
    assert (alice(site)["paused"], alice(site)["by"]) == (False, "phone")
    assert rung(site) == {"alice", "bob"}


def test_out_of_the_queue_and_into_it_again(site: Server) -> None:
    assert dial(site, f"*46{EXTENSION}") == "You are logged out of sales."
    assert (alice(site)["logged_in"], alice(site)["paused"]) == (False, False)
    assert rung(site) == {"bob"}
    assert dial(site, f"*45{EXTENSION}") == "You are logged in to sales."
    assert alice(site)["logged_in"]
    assert rung(site) == {"alice", "bob"}


def test_what_there_is_not_changes_nothing(site: Server) -> None:
    assert dial(site, "*419") == "There is no such reason for a pause."
    assert dial(site, "*46999") == "You are no member of that queue."
    assert (alice(site)["paused"], alice(site)["logged_in"]) == (False, True)
