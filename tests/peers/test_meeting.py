"""Calls that meet: callers in a conference hear each other, and so do their recordings; a parked caller is picked up by an agent."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pbx.phone_plan import Plan
from pbx.phonecall import Phone
from tests.support.phones import agent_plan, number, recording, spoken
from tests.support.server import Server, eventually, server
from tests.support.sounds import heard_in, hum, longest_s, samples_in

pytestmark = pytest.mark.peers

ROOM = """
name: Room
start: room
steps:
  room: {conference: open}
"""
LOT = """
name: Lot
start: lot
steps:
  lot: {park: any, timeout: 60s, on_timeout: sorry}
  sorry: {say: "Sorry."}
"""
TOGETHER_S = 4.0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    with server(tmp_path_factory.mktemp("site"), {"room": ROOM, "lot": LOT}) as running:
        yield running


def run(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scene, 90))


def calls_in(site: Server, line: int, caller: str, **more: object) -> Plan:
    return Plan(id_uri=f"sip:{caller}@127.0.0.1", call=f"sip:{number(line)}@127.0.0.1:{site.sip}", **more)  # type: ignore[arg-type]


def test_two_callers_in_a_conference_hear_each_other(site: Server, tmp_path: Path) -> None:
    async def scene() -> None:
        with spoken(tmp_path, "hello this is the first caller speaking to the other", lead_s=3) as says:
            talker = calls_in(site, 0, "+12125557788", play=str(says), hang_up_after_s=9)
            listener = calls_in(site, 0, "+12125557799", hang_up_after_s=9)
            async with Phone(talker) as one:
                await one.until("answered")
                async with Phone(listener) as two:
                    await two.finish()
                await one.finish()

    run(scene())
    eventually("both ends", lambda: all(call["ended_at"] for call in site.calls()))
    calls = [site.get(f"/api/calls/{call['id']}") for call in site.calls()[:2]]
    assert {call["status"] for call in calls} == {"abandoned"}
    heard = next(call for call in calls if call["from"] == "+12125557799")
    sound = recording(site, heard["id"])
    assert np.abs(sound[:, 1]).max() > 1000, "the other's channel, the right one, is silent"
    entered = [e for call in calls for e in call["events"] if e["kind"] == "room.entered"]
    assert sorted(event["members"] for event in entered) == [1, 2]


def test_three_phones_are_each_on_the_recordings_of_the_others(site: Server, tmp_path: Path) -> None:
    before = len(site.calls())
    pitches = {"+12125557711": 400, "+12125557722": 1000, "+12125557733": 1800}

    async def scene() -> None:
        async with AsyncExitStack() as phones:
            for caller, hz in pitches.items():
                says, hears = hum(tmp_path / f"{hz}-says.wav", hz), str(tmp_path / f"{hz}-hears.wav")
                plan = calls_in(site, 0, caller, play=says, record=hears, hang_up_after_s=15)
                last = await phones.enter_async_context(Phone(plan))
                await last.until("answered")
            await asyncio.to_thread(eventually, "three in the room", lambda: max(members(site, before)) == 3)
            await asyncio.sleep(TOGETHER_S)

    run(scene())
    eventually("the ends", lambda: all(call["ended_at"] for call in site.calls()))
    everybody = tuple(pitches.values())
    for call in site.calls()[: len(site.calls()) - before]:
        own = pitches[call["from"]]
        sound = recording(site, call["id"])
        left, right = (heard_in(sound[:, channel], everybody) for channel in (0, 1))
        others = set(everybody) - {own}
        assert longest_s(left, {own}) > TOGETHER_S / 2, left
        assert longest_s(right, others) > TOGETHER_S / 2, right
        assert not any(own in window for window in right), "nobody is on both channels"
        assert longest_s(heard_in(samples_in(tmp_path / f"{own}-hears.wav"), everybody), others) > 1


def members(site: Server, before: int) -> list[int]:
    """How many were in the room each time that one of the calls since came into it."""
    calls = [site.get(f"/api/calls/{call['id']}") for call in site.calls()[: len(site.calls()) - before]]
    entered = [event for call in calls for event in call["events"] if event["kind"] == "room.entered"]
    return [0, *(event["members"] for event in entered)]


def test_an_agent_picks_up_a_parked_caller(site: Server) -> None:
    before = len(site.calls())

    async def scene() -> None:
        async with Phone(calls_in(site, 1, "+12125557788", hang_up_after_s=20)) as caller:
            await caller.until("answered")

            def parked() -> bool:
                newest = site.get(f"/api/calls/{site.calls()[0]['id']}")
                return any(event["kind"] == "call.parked" for event in newest["events"])

            await asyncio.to_thread(eventually, "the parking", parked)
            picks = agent_plan(site, "alice", call=f"sip:*771@127.0.0.1:{site.sip}", hang_up_after_s=3)
            async with Phone(picks) as alice:
                happened = await alice.finish()
            assert any(event["event"] == "answered" for event in happened), happened
            await caller.finish()

    run(scene())
    eventually("both ends", lambda: all(call["ended_at"] for call in site.calls()))
    call = next(call for call in site.calls()[: len(site.calls()) - before] if call["direction"] == "inbound")
    whole = site.get(f"/api/calls/{call['id']}")
    assert (whole["status"], whole["agent"]) == ("answered", "alice")
    assert whole["talk_time"] > 1
    (left,) = [event for event in whole["events"] if event["kind"] == "call.unparked"]
    assert (left["orbit"], left["because"]) == ("71", "alice picked it up")
