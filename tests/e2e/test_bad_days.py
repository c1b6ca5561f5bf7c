"""What happens when things break: each ends in a right status, a clear log line, and nothing left behind."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import wave
from pathlib import Path

import pytest

from pbx.phonecall import Phone
from tests.support.phones import agent_plan, caller_plan, registered, sipp_calls, spoken
from tests.support.server import Server, eventually, server

pytestmark = pytest.mark.peers

ALICE = "name: Alice\nstart: alice\nsteps:\n  alice: {dial: alice, timeout: 15s}\n"
WAIT = "name: Wait\nstart: wait\nsteps:\n  wait: {wait: 60s}\n"
SAY = 'name: Say\nstart: say\nsteps:\n  say: {say: "Thank you for calling."}\n'
FLOWS = {"alice": ALICE, "wait": WAIT, "say": SAY}
LOCKED_S = 30.0


def children(pid: int) -> list[int]:
    """Direct child processes."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(stat[1]) == pid:
                found.append(int(entry.name))
    return found


def media_worker(site: Server) -> int:
    assert site.process is not None
    for pid in children(site.process.pid):
        if b"media.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    raise AssertionError("no media worker")


async def talk(site: Server, says: Path, agent_says: Path, then) -> None:
    """Caller and alice talk; ``then(caller, alice)`` is what goes wrong."""
    async with Phone(agent_plan(site, "alice", play=str(agent_says))) as alice:
        await registered(alice)
        async with Phone(caller_plan(site, 0, play=str(says), hang_up_after_s=20)) as caller:
            await caller.until("answered")
            await then(caller, alice)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory):
    with server(tmp_path_factory.mktemp("site"), FLOWS, rtp_timeout="2s") as running:
        yield running


@pytest.fixture
def site(running: Server):
    """One server for many bad days; each leaves it as it was."""
    yield running
    running.nothing_left()


@pytest.fixture
def voices(tmp_path: Path):
    with (
        spoken(tmp_path, "hello i would like to speak to somebody in sales please") as says,
        spoken(tmp_path, "thank you for calling how can i help you", "en-us+f4") as agent_says,
    ):
        yield says, agent_says


def test_the_server_is_killed_in_mid_call(tmp_path: Path, voices) -> None:
    with server(tmp_path / "site", FLOWS) as site:

        async def kill(caller: Phone, alice: Phone) -> None:
            def long_enough():
                files = list((site.folder / "data" / "recordings").rglob("*.wav"))
                return files and files[0].stat().st_size > 44 + 3 * 32000 and files[0]

            await asyncio.to_thread(eventually, "three seconds of recording", long_enough)
            assert site.process is not None
            site.process.kill()
            site.process.wait()

        worker = media_worker(site)
        asyncio.run(talk(site, *voices, kill))
        eventually("the media worker's end", lambda: not Path(f"/proc/{worker}").exists())
        (recording,) = (site.folder / "data" / "recordings").rglob("*.wav")
        with wave.open(str(recording)) as file:
            assert file.getnchannels() == 2
            assert file.getnframes() / file.getframerate() >= 2.5
        site.start()
        call = site.ended_call()
        assert call["status"] == "interrupted"
        assert call["recording"] is not None
        assert site.read(f"/api/calls/{call['id']}/recording")[:4] == b"RIFF"


def test_the_agents_phone_vanishes(site: Server, voices) -> None:
    before = len(site.calls())

    async def vanish(caller: Phone, alice: Phone) -> None:
        assert alice._process is not None
        alice._process.kill()
        await caller.until("ended")

    asyncio.run(talk(site, *voices, vanish))
    call = site.ended_call(before + 1)
    assert call["status"] == "answered"
    assert "agent_vanished" in {leg["cause"] for leg in call["legs"]}


def test_the_media_worker_is_killed(site: Server, voices) -> None:
    before = len(site.calls())
    first = media_worker(site)

    async def kill(caller: Phone, alice: Phone) -> None:
        os.kill(first, signal.SIGKILL)
        await caller.until("ended")

    asyncio.run(talk(site, *voices, kill))
    call = site.ended_call(before + 1)
    assert (call["status"], call["cause"]) == ("failed", "media_lost")

    async def again() -> list[dict]:
        async with Phone(caller_plan(site, 2, hang_up_after_s=20)) as caller:
            return await caller.finish()

    happened = asyncio.run(again())
    assert any(event["event"] == "answered" for event in happened)
    assert site.ended_call(before + 2)["status"] == "completed"
    assert media_worker(site) != first


def test_the_database_is_locked(site: Server) -> None:
    """For half a minute, and calls come all the while: none notices, and none is missing afterwards."""
    before = len(site.calls())

    async def call() -> list[dict]:
        async with Phone(caller_plan(site, 2, hang_up_after_s=20)) as caller:
            return await caller.finish()

    database = site.folder / "data" / "pbx.db"
    made = 0
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as blocker:
        blocker.execute("BEGIN IMMEDIATE")
        locked_at = time.monotonic()
        while time.monotonic() - locked_at < LOCKED_S:
            happened = asyncio.run(call())
            assert any(event["event"] == "answered" for event in happened), (
                "a locked database kept a call away"
            )
            made += 1
        assert len(site.calls()) == before
        assert list((site.folder / "data" / "spool").iterdir()), "nothing was spooled"
        blocker.execute("ROLLBACK")
    site.ended_call(before + made)
    assert [call["status"] for call in site.calls()[:made]] == ["completed"] * made
    eventually("the spool's being told", lambda: site.metric("pbx_store_spooled_events") == 0)


def test_the_data_folder_cannot_be_written(tmp_path: Path) -> None:
    """A full disk and a read-only one look alike to us: opening a recording fails, the call does not."""
    flows = {"mail": "name: M\nstart: m\nsteps:\n  m: {voicemail: {max: 1s}}\n"}
    with server(tmp_path / "site", flows) as site:
        recordings = site.folder / "data" / "recordings"
        shutil.rmtree(recordings, ignore_errors=True)
        recordings.write_text("in the way")

        async def call() -> list[dict]:
            async with Phone(caller_plan(site, 0, hang_up_after_s=20)) as caller:
                return await caller.finish()

        happened = asyncio.run(call())
        assert any(event["event"] == "answered" for event in happened)
        ended = site.ended_call()
        assert ended["status"] == "voicemail"
        assert ended["recording"]["problem"]


@pytest.fixture(scope="module")
def bare_site(tmp_path_factory: pytest.TempPathFactory):
    """A machine with no espeak-ng, neither the command nor the wheel, and no model."""
    folder = tmp_path_factory.mktemp("bare")
    empty, startup = folder / "bin", folder / "startup"
    empty.mkdir()
    startup.mkdir()
    (startup / "sitecustomize.py").write_text("import sys\nsys.modules['espeakng_loader'] = None\n")
    environment = {"PATH": str(empty), "PYTHONPATH": str(startup)}
    flows = {"say": SAY, "mail": "name: M\nstart: m\nsteps:\n  m: {voicemail: {max: 1s}}\n"}
    with server(folder / "site", flows, model=folder / "nowhere", environment=environment) as running:
        yield running


def test_no_espeak(bare_site: Server) -> None:
    """Texts cannot be spoken: the caller is let go, and the log says what to install."""
    before = len(bare_site.calls())

    async def call() -> None:
        async with Phone(caller_plan(bare_site, 0, hang_up_after_s=20)) as caller:
            await caller.finish()

    asyncio.run(call())
    ended = bare_site.ended_call(before + 1)
    assert (ended["status"], ended["cause"]) == ("failed", "no_speech")
    assert "espeak-ng" in bare_site.log.read_text()


def test_no_model(bare_site: Server, voices) -> None:
    before = len(bare_site.calls())

    async def call() -> None:
        async with Phone(caller_plan(bare_site, 1, play=str(voices[0]), hang_up_after_s=20)) as caller:
            await caller.finish()

    asyncio.run(call())
    ended = bare_site.ended_call(before + 1)
    assert ended["status"] == "voicemail"
    transcript = eventually(
        "the transcript's state",
        lambda: (t := bare_site.get(f"/api/calls/{ended['id']}/transcript"))["state"] != "pending" and t,
    )
    assert transcript["state"] == "no_model"
    assert transcript["problem"]


def test_a_flood_from_a_stranger(site: Server) -> None:
    """Thousands of INVITEs from nobody's address leave no call and no session; the trunk calls as before."""
    before = len(site.calls())
    transactions, sessions = site.metric("pbx_sip_transactions"), site.metric("pbx_sip_sessions")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))
        port = stranger.getsockname()[1]
        for n in range(3000):
            stranger.sendto(
                f"INVITE sip:{n}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2:{port};branch=z9hG4bK{n}\r\n"
                f"From: <sip:x@y>;tag={n}\r\nTo: <sip:{n}@127.0.0.1>\r\nCall-ID: flood{n}\r\n"
                "CSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n".encode(),
                ("127.0.0.1", site.sip),
            )
    eventually("the flood's being counted", lambda: site.metric("pbx_sip_dropped_floods_total") > 0)
    assert site.metric("pbx_sip_transactions") <= transactions
    assert site.metric("pbx_sip_sessions") <= sessions
    sipp_calls(site, "hangs_up", 1, "-d", "200")
    assert site.ended_call(before + 1)["status"] == "abandoned"
    assert len(site.calls()) == before + 1


def test_a_port_is_taken(site: Server, tmp_path: Path) -> None:
    text = site.config.read_text()
    cases = [("sip", "sip.listen", site.sip, site.web), ("web", "web.listen", site.web, site.sip)]
    others = {}
    for part, setting, taken, free in cases:
        other = tmp_path / part
        shutil.copytree(site.folder, other, ignore=shutil.ignore_patterns("data"))
        (other / "config.yaml").write_text(text.replace(f"127.0.0.1:{free}", "127.0.0.1:0"))
        others[setting, taken] = subprocess.Popen(
            [sys.executable, "-m", "pbx", "serve", "--config", str(other / "config.yaml")],
            env=site.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
    try:
        for (setting, taken), process in others.items():
            _, said = process.communicate(timeout=60)
            assert process.returncode == 1
            assert str(taken) in said
            assert setting in said
    finally:
        for process in others.values():
            process.kill()
            process.communicate()
