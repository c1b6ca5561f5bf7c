"""Several phones and one call: who declines for all, and who takes a call over from another phone."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import pytest

from pbx.phone_plan import Plan
from pbx.phonecall import Phone
from tests.support.phones import agent_plan, caller_plan, registered
from tests.support.server import Server, eventually, server

pytestmark = pytest.mark.peers
T = TypeVar("T")

FLOWS = {"alice": "name: Alice\nstart: alice\nsteps:\n  alice: {dial: alice, timeout: 20s}\n"}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    with server(tmp_path_factory.mktemp("site"), FLOWS) as running:
        yield running


def run(scene: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(asyncio.wait_for(scene, 60))


def dialog_with(site: Server, status: str, *, early_only: bool = False) -> str:
    """The Replaces that names the dialog of the phone that answered so, once one has."""

    def found() -> str:
        up = [call["id"] for call in site.calls() if not call["ended_at"]]
        for message in site.get(f"/api/calls/{up[0]}/trace")["messages"] if up else []:
            text = message["text"]
            if (
                text.startswith(f"SIP/2.0 {status}")
                and f":{site.sip}" in message["target"]
                and ";tag=" in text
            ):
                lines = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
                if "INVITE" not in lines["CSeq"] or "alice" not in lines["To"]:
                    continue
                ours, theirs = (lines[name].rpartition("tag=")[2] for name in ("From", "To"))
                early = ";early-only" if early_only else ""
                return f"{lines['Call-ID']};to-tag={ours};from-tag={theirs}{early}"
        return ""

    named: str = eventually(f"a {status} of alice's phone", found)
    return named


def taken_over(site: Server, status: str, alice: Plan, **more: Any) -> tuple[list[dict], list[dict]]:
    """Bob's phone takes the call over once alice's has said ``status``; what both said."""

    async def scene() -> tuple[list[dict], list[dict]]:
        async with AsyncExitStack() as phones:
            hers = await phones.enter_async_context(Phone(alice))
            await registered(hers)
            caller = await phones.enter_async_context(Phone(caller_plan(site, 0, hang_up_after_s=8)))
            named = await asyncio.to_thread(dialog_with, site, status, **more)
            plan = agent_plan(
                site, "bob", call=f"sip:alice@127.0.0.1:{site.sip}", replaces=named, hang_up_after_s=2
            )
            his = await phones.enter_async_context(Phone(plan))
            await his.finish()
            await caller.finish()
            async with asyncio.timeout(20):
                await hers.until("ended")
            return hers.events, his.events

    return run(scene())


def ended(events: list[dict]) -> dict:
    return next(event for event in events if event["event"] == "ended")


def test_who_declines_on_one_phone_is_rung_on_no_other(site: Server) -> None:
    before = len(site.calls())

    async def scene() -> list[dict]:
        async with (
            Phone(agent_plan(site, "alice", reject_with=603, answer_after_s=1)) as declines,
            Phone(agent_plan(site, "alice", answer_after_s=30)) as rings,
        ):
            await registered(declines)
            await registered(rings)
            async with Phone(caller_plan(site, 0)) as caller:
                await caller.finish()
            async with asyncio.timeout(20):
                await rings.until("ended")
            return rings.events

    rang = run(scene())
    assert any(event["event"] == "incoming" for event in rang)
    assert not ended(rang)["answered"]
    call = site.ended_call(before + 1)
    assert call["status"] == "missed"
    assert sorted(leg["cause"] for leg in call["legs"] if leg["role"] == "agent") == ["declined", "no_answer"]


def test_a_colleague_takes_over_a_talk(site: Server) -> None:
    before = len(site.calls())
    alice, bob = taken_over(site, "200", agent_plan(site, "alice"))
    assert any(event["event"] == "answered" for event in bob)
    assert ended(alice)["answered"]
    call = site.ended_call(before + 1)
    assert len(site.calls()) == before + 1, "no call of its own"
    assert (call["status"], call["agent"]) == ("answered", "bob")
    assert {leg["agent"] for leg in call["legs"] if leg["talk_time"]} == {"alice", "bob"}


def test_a_colleague_picks_up_what_rings_elsewhere(site: Server) -> None:
    before = len(site.calls())
    alice, bob = taken_over(site, "180", agent_plan(site, "alice", answer_after_s=30), early_only=True)
    assert any(event["event"] == "answered" for event in bob)
    assert not ended(alice)["answered"]
    call = site.ended_call(before + 1)
    assert len(site.calls()) == before + 1, "no call of its own"
    assert (call["status"], call["agent"]) == ("answered", "bob")
    assert {leg["agent"]: leg["cause"] for leg in call["legs"]}["alice"] == "picked_up"
    assert {leg["agent"] for leg in call["legs"] if leg["talk_time"]} == {"bob"}


def test_who_wants_only_what_rings_takes_no_talk_over(site: Server) -> None:
    before = len(site.calls())
    _, bob = taken_over(site, "200", agent_plan(site, "alice"), early_only=True)
    assert ended(bob)["status"] == 486
    assert site.ended_call(before + 1)["agent"] == "alice"


def test_a_dialog_that_nobody_knows_is_not_taken_over(site: Server) -> None:
    async def scene() -> list[dict]:
        to = f"sip:alice@127.0.0.1:{site.sip}"
        async with Phone(agent_plan(site, "bob", call=to, replaces="x;to-tag=y;from-tag=z")) as bob:
            return await bob.finish()

    assert ended(run(scene()))["status"] == 481
