"""A call's recording: who may stop it, and what the history says of it; over a real worker."""

import asyncio
import wave
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import numpy as np

from media import Codec
from media.coding import encode_frames
from pbx import events
from pbx.call_recording import CallRecording, RecordingHabits
from pbx.clock import SystemClock
from tests.media.phone import FRAME, Phone, Studio, studio
from tests.media.test_engine import run
from tests.media.test_transcoding import speak

Test = Callable[[Studio, CallRecording, list[tuple[type, dict[str, Any]]]], Coroutine[Any, Any, None]]


def recorded(folder: Path, test: Test, **habits: Any) -> None:
    async def scene() -> None:
        published: list[tuple[type, dict[str, Any]]] = []
        async with studio() as media:
            recording = CallRecording(
                "c1",
                media.engine,
                SystemClock(),
                lambda event, **values: published.append((event, values)),
                folder,
                RecordingHabits(**habits),
                wanted=True,
            )
            await test(media, recording, published)

    run(scene())


def file_of(folder: Path) -> tuple[int, np.ndarray]:
    (path,) = folder.rglob("*.wav")
    with wave.open(str(path)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return file.getnchannels(), samples.reshape(-1, file.getnchannels())


def loud(value: int, frames: int = 10) -> list[bytes]:
    return encode_frames(Codec.PCMU, np.full(frames * FRAME, value, np.int16))


def test_what_is_paused_is_not_in_the_file_and_the_history_says_by_whom(tmp_path: Path) -> None:
    async def test(media: Studio, recording: CallRecording, published: list) -> None:
        phone = Phone()
        endpoint = (await media.connect(phone)).id
        recording.take(endpoint, None)
        assert recording.state == "recording"
        await speak(phone, loud(4000))
        recording.pause(True, "alice")
        recording.pause(True, "alice")
        assert recording.state == "paused"
        await media.settle()
        await speak(phone, loud(9000, 20))
        recording.pause(False, "api")
        await media.settle()
        await speak(phone, loud(2000, 20))
        await recording.finish()
        assert [event.kind for event, _ in published] == [
            "recording.started", "recording.paused", "recording.resumed", "recording.ended",
        ]  # fmt: skip
        assert [values["by"] for _, values in published[1:3]] == ["alice", "api"]

    recorded(tmp_path, test)
    _, samples = file_of(tmp_path)
    levels = np.abs(samples[:, 0])
    assert (abs(levels - 4000) < 200).sum() > 5 * FRAME
    assert (abs(levels - 2000) < 200).sum() > 5 * FRAME
    # Sound is on its way for some 60 ms when the pause begins and ends.
    assert (levels > 8000).sum() <= 6 * FRAME


def test_who_declines_is_not_recorded_whatever_the_flow_says(tmp_path: Path) -> None:
    async def test(media: Studio, recording: CallRecording, published: list) -> None:
        endpoint = (await media.connect(Phone())).id
        recording.decline()
        recording.want(True)
        recording.take(endpoint, None)
        assert recording.state == "declined"
        assert not recording.started
        await recording.finish()
        assert published == []

    recorded(tmp_path, test)
    assert not list(tmp_path.rglob("*.wav"))


def test_paused_before_it_begins_it_begins_paused(tmp_path: Path) -> None:
    async def test(media: Studio, recording: CallRecording, published: list) -> None:
        phone = Phone()
        recording.pause(True, "flow")
        recording.take((await media.connect(phone)).id, None)
        await media.settle()
        await speak(phone, loud(4000))
        await recording.finish()
        assert events.RecordingPaused in [event for event, _ in published]

    recorded(tmp_path, test)
    assert not file_of(tmp_path)[1].any()


def test_on_one_channel_both_are_mixed(tmp_path: Path) -> None:
    async def test(media: Studio, recording: CallRecording, published: list) -> None:
        phones = [Phone(), Phone()]
        left, right = [(await media.connect(phone)).id for phone in phones]
        recording.take(left, right)
        await asyncio.gather(speak(phones[0], loud(4000, 30)), speak(phones[1], loud(2000, 30)))
        await recording.finish()

    recorded(tmp_path, test, channels=1)
    channels, samples = file_of(tmp_path)
    assert channels == 1
    assert (abs(samples[:, 0] - 6000) < 300).sum() > 10 * FRAME
