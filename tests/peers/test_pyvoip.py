"""pyVoIP as a registered agent: it talks, and it answers after it was told to stop ringing."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from pbx.phonecall import Phone
from tests.support.phones import caller_plan, recording, sipp_calls, spoken
from tests.support.server import PASSWORDS, Server, free_port, server

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(find_spec("audioop") is None, reason="pyVoIP needs audioop, gone from Python 3.13"),
]

FLOWS = {"alice": "name: Alice\nstart: alice\nsteps:\n  alice: {dial: alice, timeout: 15s}\n"}
LIFE_S = 40


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    with server(tmp_path_factory.mktemp("site"), FLOWS) as running:
        yield running


class Agent:
    """pyVoIP in its own process, and what it says."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def says(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@contextmanager
def agent(site: Server) -> Iterator[Agent]:
    """alice on pyVoIP, registered. It never lives longer than LIFE_S, so that reading it ends."""
    words = (site.sip, "alice", PASSWORDS["ALICE_PASSWORD"], free_port(), free_port())
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("pyvoip_agent.py")), *map(str, words)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    limit = threading.Timer(LIFE_S, process.kill)
    limit.start()
    try:
        alice = Agent(process)
        assert alice.says() == "registered"
        yield alice
    finally:
        process.communicate()
        limit.cancel()


def test_pyvoip_answers_and_both_are_recorded(site: Server, tmp_path: Path) -> None:
    before = len(site.calls())

    async def scene(alice: Agent, says: Path) -> None:
        async with Phone(caller_plan(site, 0, play=str(says), hang_up_after_s=4)) as caller:
            assert await asyncio.to_thread(alice.says) == "answered"
            await caller.finish()

    with spoken(tmp_path, "hello i would like to speak to somebody please") as says, agent(site) as alice:
        asyncio.run(scene(alice, says))
        assert alice.says() == "ended"
    call = site.ended_call(before + 1)
    assert (call["status"], call["agent"], call["cause"]) == ("answered", "alice", "caller_hung_up")
    sound = recording(site, call["id"])
    assert np.abs(sound[:, 0]).max() > 1000, "the caller's channel is silent"
    assert np.abs(sound[:, 1]).max() > 1000, "the agent's channel is silent"


def test_an_answer_that_comes_after_the_cancel_is_acknowledged_and_ended(site: Server) -> None:
    before = len(site.calls())
    with agent(site) as alice:
        sipp_calls(site, "gives_up_ringing", 0)
        ended = site.ended_call(before + 1)
        assert (alice.says(), alice.says()) == ("answered", "ended")
    assert (ended["status"], ended["cause"]) == ("abandoned", "caller_hung_up")
    assert {leg["role"]: leg["cause"] for leg in ended["legs"]}["agent"] == "cancelled"
