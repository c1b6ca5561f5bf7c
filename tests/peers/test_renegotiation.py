"""A talk that is changed while it lasts: hold in each of its forms, and another codec."""

import asyncio
from pathlib import Path

import pytest

from pbx.phone_plan import listen_to
from pbx.phonecall import Phone
from tests.support.phones import agent_plan, registered, sipp_calls
from tests.support.server import Server, server

pytestmark = pytest.mark.peers

ALICE = "name: Alice\nstart: alice\nsteps:\n  alice: {dial: alice, timeout: 10s}\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    with server(tmp_path_factory.mktemp("site"), {"alice": ALICE}) as running:
        yield running


def test_hold_by_inactive_and_by_0_0_0_0_resume_and_another_codec(site: Server, tmp_path: Path) -> None:
    """The scenario reads our answers; the agent hears music while the caller holds, who says nothing else."""
    heard = tmp_path / "heard.wav"

    async def scene() -> None:
        async with Phone(agent_plan(site, "alice", record=str(heard))) as alice:
            await registered(alice)
            await asyncio.to_thread(sipp_calls, site, "holds_and_changes", 0)
            async with asyncio.timeout(20):
                await alice.until("ended")

    asyncio.run(asyncio.wait_for(scene(), 60))
    call = site.ended_call()
    assert (call["status"], call["agent"], call["cause"]) == ("answered", "alice", "caller_hung_up")
    music_s = listen_to(heard).audible_s
    assert music_s > 1, "the agent heard no music"
    assert music_s < call["talk_time"] - 2, "the music went on after the hold"
