"""Whole calls with pjsua2 as caller and as registered agent: menu, agent, recording, transcript."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from pbx.phonecall import Phone
from tests.support.phones import agent_plan, caller_plan, recording, registered, spoken
from tests.support.server import Server, eventually, server

pytestmark = pytest.mark.peers

MENU = """
name: Menu
start: menu
steps:
  menu:
    menu: "Press 1 for sales."
    timeout: 5s
    keys: {"1": alice}
    otherwise: sorry
  alice: {dial: alice, timeout: 10s, on_no_answer: sorry}
  sorry: {say: "Sorry, nobody is available right now.", next: hangup}
"""
QUEUE = """
name: Queue
start: line
steps:
  line: {queue: sales, on_timeout: message}
  message: {voicemail: {max: 10s, tag: voicemail}}
"""
ALICE = """
name: Alice
start: alice
steps:
  alice: {dial: alice, timeout: 4s, on_no_answer: sorry}
  sorry: {say: "Sorry, nobody is available right now.", next: hangup}
"""
SAY = """
name: Say
start: hello
steps:
  hello: {say: "Thank you for calling."}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    flows = {"menu": MENU, "queue": QUEUE, "alice": ALICE, "say": SAY}
    with server(tmp_path_factory.mktemp("site"), flows) as running:
        yield running


def test_a_tracked_call_from_the_menu_to_the_transcript(site: Server, tmp_path: Path) -> None:
    before = len(site.calls())

    async def scene() -> list[dict]:
        with (
            spoken(tmp_path, "hello i found your company on google and i want a quote", lead_s=4) as says,
            spoken(
                tmp_path, "thank you for calling how can i help you", "en-us+f4", lead_s=0.5
            ) as agent_says,
        ):
            async with Phone(agent_plan(site, "alice", play=str(agent_says))) as alice:
                await registered(alice)
                plan = caller_plan(
                    site, 0, press="1", press_after_s=1.5, play=str(says), hang_up_after_s=10,
                    record=str(tmp_path / "heard.wav"),
                )  # fmt: skip
                async with Phone(plan) as caller:
                    return await caller.finish()

    happened = asyncio.run(scene())
    heard = next(event for event in happened if event["event"] == "heard")
    assert heard["speech"], happened
    call = site.ended_call(before + 1)
    assert call["status"] == "answered"
    assert call["path"] == ["menu", "alice"]
    assert call["source"] == "radio"
    assert call["agent"] == "alice"
    assert call["talk_time"] > 3
    sound = recording(site, call["id"])
    assert np.abs(sound[:, 0]).max() > 1000, "the caller's channel is silent"
    assert np.abs(sound[:, 1]).max() > 1000, "the agent's channel is silent"
    transcript = eventually(
        "the transcript",
        lambda: (t := site.get(f"/api/calls/{call['id']}/transcript"))["state"] != "pending" and t,
    )
    assert transcript["state"] == "done"
    by_speaker = {
        who: " ".join(word["word"] for word in transcript["words"] if word["speaker"] == who)
        for who in ("caller", "agent")
    }
    assert "google" in by_speaker["caller"]
    assert "thank you for calling" in by_speaker["agent"]


def test_ring_all_gives_the_call_to_the_first_and_stops_the_other(site: Server) -> None:
    before = len(site.calls())

    async def scene() -> tuple[list[dict], list[dict]]:
        async with (
            Phone(agent_plan(site, "alice", answer_after_s=0.3)) as alice,
            Phone(agent_plan(site, "bob", answer_after_s=30)) as bob,
        ):
            await registered(alice)
            await registered(bob)
            async with Phone(caller_plan(site, 1, hang_up_after_s=3)) as caller:
                await caller.finish()
            await bob.until("ended")
            await alice.until("ended")
            return alice.events, bob.events

    alice, bob = asyncio.run(scene())
    assert any(event["event"] == "answered" for event in alice)
    assert any(event["event"] == "incoming" for event in bob), "bob was not rung"
    assert not any(event["event"] == "answered" for event in bob)
    call = site.ended_call(before + 1)
    assert (call["status"], call["agent"], call["queue"]) == ("answered", "alice", "sales")


def test_nobody_registered_is_missed_and_said_so(site: Server, tmp_path: Path) -> None:
    before = len(site.calls())

    async def scene() -> list[dict]:
        plan = caller_plan(site, 2, hang_up_after_s=30, record=str(tmp_path / "heard.wav"))
        async with Phone(plan) as caller:
            return await caller.finish()

    happened = asyncio.run(scene())
    assert next(event for event in happened if event["event"] == "heard")["speech"]
    call = site.ended_call(before + 1)
    assert call["status"] == "missed"
    assert call["path"] == ["alice", "sorry"]


def test_an_agent_who_declines_sends_the_caller_on(site: Server) -> None:
    before = len(site.calls())

    async def scene() -> None:
        async with Phone(agent_plan(site, "alice", reject_with=486)) as alice:
            await registered(alice)
            async with Phone(caller_plan(site, 2, hang_up_after_s=30)) as caller:
                await caller.finish()

    asyncio.run(scene())
    call = site.ended_call(before + 1)
    assert (call["status"], call["path"]) == ("missed", ["alice", "sorry"])
    leg = next(leg for leg in call["legs"] if leg["role"] == "agent")
    assert (leg["cause"], leg["sip_status"]) == ("busy", 486)


def test_a_caller_who_leaves_while_it_rings_stops_the_ringing(site: Server) -> None:
    before = len(site.calls())

    async def scene() -> list[dict]:
        async with Phone(agent_plan(site, "alice", answer_after_s=30)) as alice:
            await registered(alice)
            async with Phone(caller_plan(site, 1, hang_up_after_s=1.5)) as caller:
                await caller.finish()
            await alice.until("ended")
            return alice.events

    alice = asyncio.run(scene())
    assert not any(event["event"] == "answered" for event in alice)
    assert site.ended_call(before + 1)["status"] == "abandoned"
