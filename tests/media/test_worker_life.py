"""The worker's beginning and end, wanted and unwanted."""

import asyncio
import os
import select
import signal
import subprocess
import sys
import wave
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from media import MediaUnavailable, PlayEnded, Tone, WorkerEngine, WorkerLost
from tests.media.phone import HOST, PATIENCE_S, Phone, port_range, studio

ROOT = Path(__file__).resolve().parents[2]


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 60))


def wait_for_end(pid: int) -> None:
    """Of a process that need not be our child."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([process], [], [], PATIENCE_S)[0], f"process {pid} lives on"
    finally:
        os.close(process)


def seconds_of(path: Path) -> float:
    with wave.open(str(path)) as file:
        return len(file.readframes(file.getnframes())) / 4 / file.getframerate()


def test_a_killed_worker_is_told_once_and_the_next_call_is_served_by_a_new_one(tmp_path: Path) -> None:
    async def test() -> None:
        path = tmp_path / "call.wav"
        async with studio() as media:
            engine, phone = media.engine, Phone()
            endpoint = await media.connect(phone)
            other = await engine.allocate()
            recording = engine.start_recording(path, left=endpoint.id, right=None)
            engine.play(endpoint.id, Tone.BEEP)
            await media.event(PlayEnded)  # 0.4 s
            engine.play(endpoint.id, Tone.BEEP)
            await media.event(PlayEnded)
            first = engine.pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            assert await media.event(WorkerLost) == WorkerLost((endpoint.id, other.id))
            assert engine.pid is None

            result = await engine.stop_recording(recording)
            assert result.problem == "cut off: the media worker died"
            assert result.duration_s == seconds_of(path) >= 0.3
            assert (await engine.release(endpoint.id)).packets_sent == 0
            engine.play(endpoint.id, Tone.BEEP)

            again = await media.connect(phone)
            assert engine.pid not in (None, first)
            await phone.hear()
            assert again.id != endpoint.id
            assert media.events == []

    run(test())


def test_what_waits_for_a_dying_worker_does_not_wait_for_ever() -> None:
    async def test() -> None:
        async with studio() as media:
            endpoint = await media.engine.allocate()
            assert media.engine.pid is not None
            os.kill(media.engine.pid, signal.SIGSTOP)
            waiting = [
                asyncio.ensure_future(task)
                for task in (media.engine.allocate(), media.engine.release(endpoint.id))
            ]
            await asyncio.sleep(0)
            os.kill(media.engine.pid, signal.SIGKILL)
            allocation, release = await asyncio.gather(*waiting, return_exceptions=True)
            assert isinstance(allocation, MediaUnavailable)
            assert str(allocation) == "the media worker died"
            assert not isinstance(release, BaseException)
            await media.event(WorkerLost)

    run(test())


def test_a_worker_that_does_not_answer_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with studio() as media:
            first = media.engine.pid
            assert first is not None
            os.kill(first, signal.SIGSTOP)
            monkeypatch.setattr("media.client.ANSWER_TIMEOUT_S", 0.05)
            with pytest.raises(MediaUnavailable, match="did not answer Allocate"):
                await media.engine.allocate()
            monkeypatch.undo()
            await media.event(WorkerLost)
            await media.engine.allocate()
            assert media.engine.pid != first

    run(test())


def test_an_allocation_nobody_waits_for_any_more_is_released() -> None:
    async def test() -> None:
        first, _ = port_range()
        async with studio(port_range=(first, first + 1)) as media:
            waiting = asyncio.ensure_future(media.engine.allocate())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert (await media.engine.allocate()).port == first

    run(test())


def test_closing_finishes_recordings_and_ends_the_process(tmp_path: Path) -> None:
    async def test() -> None:
        path = tmp_path / "call.wav"
        async with studio() as media:
            endpoint = await media.connect(Phone())
            media.engine.start_recording(path, left=endpoint.id, right=None)
            media.engine.play(endpoint.id, Tone.BEEP)
            await media.event(PlayEnded)
            pid = media.engine.pid
            assert pid is not None
            await media.engine.close()
            wait_for_end(pid)
            assert seconds_of(path) >= 0.36
            assert media.events == []
            with pytest.raises(MediaUnavailable, match="closed"):
                await media.engine.allocate()
            await media.engine.start()
            await media.engine.allocate()

    run(test())


def test_a_worker_that_cannot_start_says_so() -> None:
    async def test() -> None:
        engine = WorkerEngine(address=HOST, port_range=(50001, 50001))
        with pytest.raises(MediaUnavailable, match="does not start"):
            await engine.start()

    run(test())


def test_signals_meant_for_the_application_do_not_end_the_worker() -> None:
    async def test() -> None:
        async with studio() as media:
            pid = media.engine.pid
            assert pid is not None
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(pid, number)
            await media.engine.allocate()
            assert media.engine.pid == pid

    run(test())


def test_nothing_is_left_open_after_many_calls() -> None:
    async def test() -> None:
        async with studio() as media:
            pid = media.engine.pid

            def open_files() -> int:
                return len(os.listdir(f"/proc/{pid}/fd"))

            await media.settle()
            before = open_files()
            for _ in range(30):
                endpoints = [await media.engine.allocate() for _ in range(3)]
                for endpoint in endpoints:
                    await media.engine.release(endpoint.id)
            assert open_files() == before

    run(test())


APPLICATION = """
import asyncio, sys
from pathlib import Path
from media import Codec, PlayEnded, RemoteMedia, Tone, WorkerEngine

async def main():
    first, last, path = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    ended = asyncio.Event()
    engine = WorkerEngine(address="127.0.0.1", port_range=(first, last))
    engine.on_event = lambda event: ended.set() if isinstance(event, PlayEnded) else None
    await engine.start()
    endpoint = await engine.allocate()
    engine.set_remote(endpoint.id, RemoteMedia("127.0.0.1", 9, Codec.PCMU, 0, 0))
    engine.start_recording(path, left=endpoint.id, right=None)
    for _ in range(3):
        engine.play(endpoint.id, Tone.BEEP)
        await ended.wait()
        ended.clear()
    print(engine.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def test_a_killed_application_takes_its_worker_along_and_the_recording_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    arguments = [sys.executable, "-c", APPLICATION, *map(str, port_range()), str(path)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, cwd=ROOT) as application:
        assert application.stdout is not None
        worker = int(application.stdout.readline())
        application.kill()
        wait_for_end(worker)
    assert seconds_of(path) >= 1.2 - 0.06
