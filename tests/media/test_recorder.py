import errno
import os
import select
import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from media.engine import Codec, RecordingResult
from media.g711 import encode
from media.jitter import FIRST_DELAY
from media.playout import HISTORY, Rings, Timeline
from media.recorder import (
    Channel,
    Chunk,
    Failed,
    Finish,
    Finished,
    Open,
    Outcome,
    Quiet,
    Recorder,
    Recording,
    Watch,
)
from media.rtp import FRAME_SAMPLES
from media.wavfile import WavFile, duration_s


def stereo(path: Path) -> np.ndarray:
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 8000)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2)


def outcomes(recorder: Recorder, count: int) -> list[Outcome]:
    """Wait for so many."""
    got: list[Outcome] = []
    while len(got) < count:
        assert select.select([recorder.outcomes.fileno()], [], [], 10)[0], "the recorder says nothing"
        got += recorder.outcomes.collect()
    return got


@pytest.fixture
def recorder():
    recorder = Recorder()
    yield recorder
    assert recorder.close(10)
    recorder.outcomes.close()


def channel(codec: Codec, level: int, samples: int) -> Channel:
    return Channel(codec, encode(codec, np.full(samples, level, np.int16)).tobytes())


def test_two_channels_of_different_codecs(recorder: Recorder, tmp_path: Path) -> None:
    path = tmp_path / "2026" / "call.wav"
    left, right = channel(Codec.PCMU, 1000, 320), channel(Codec.PCMA, -2000, 320)
    recorder.submit([Open(1, path), Chunk(1, 320, left, None)])
    recorder.submit([Chunk(1, 320, left, right), Finish(1)])
    assert outcomes(recorder, 1) == [Finished(1, RecordingResult(path, 0.08))]
    samples = stereo(path)
    np.testing.assert_allclose(samples[:, 0], 1000, rtol=0.04)
    assert not samples[:320, 1].any()
    np.testing.assert_allclose(samples[320:, 1], -2000, rtol=0.04)


def test_the_file_is_whole_after_every_write(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    file = WavFile(path)
    for written in range(4):
        assert len(stereo(path)) == written * 160
        assert duration_s(path) == file.duration_s == written * 0.02
        file.append(bytes(640))
    file.close()


def test_samples_without_their_header_do_no_harm(tmp_path: Path) -> None:
    """As after a kill between the two writes."""
    path = tmp_path / "call.wav"
    file = WavFile(path)
    file.append(bytes(640))
    file.close()
    with path.open("ab") as more:
        more.write(b"\x01" * 640)
    assert len(stereo(path)) == 160


def test_no_file_has_no_duration(tmp_path: Path) -> None:
    assert duration_s(tmp_path / "none.wav") == 0.0
    (tmp_path / "short.wav").write_bytes(b"RIFF")
    assert duration_s(tmp_path / "short.wav") == 0.0


def test_a_folder_that_cannot_be_made_fails_once(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "call.wav"
    chunk = Chunk(1, 160, None, None)
    recorder.submit([Open(1, path), chunk, chunk, Finish(1)])
    failed, finished = outcomes(recorder, 2)
    assert isinstance(failed, Failed)
    assert str(path) in failed.problem
    assert isinstance(finished, Finished)
    assert finished.result == RecordingResult(path, 0.0, failed.problem)


def test_a_full_disk_ends_that_recording_and_keeps_what_is_there(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = 5000
    pwrite = os.pwrite

    def full(fd: int, data: bytes, at: int) -> int:
        if at >= room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return pwrite(fd, memoryview(data)[: room - at], at)

    path = tmp_path / "call.wav"
    chunk = Chunk(1, 400, channel(Codec.PCMU, 1000, 400), None)  # 1,600 octets
    monkeypatch.setattr(os, "pwrite", full)
    recorder.submit([Open(1, path), *[chunk] * 6, Finish(1)])
    failed, finished = outcomes(recorder, 2)
    assert isinstance(failed, Failed)
    assert failed.problem == f"{path}: No space left on device"
    assert finished == Finished(1, RecordingResult(path, 0.15, failed.problem))
    assert len(stereo(path)) == 1200


def test_a_disk_too_slow_is_a_problem_not_a_growing_queue(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("media.recorder.MAX_BACKLOG", -1)
    recorder.submit([Open(1, tmp_path / "call.wav"), Chunk(1, 160, None, None), Finish(1)])
    failed, _finished = outcomes(recorder, 2)
    assert isinstance(failed, Failed)
    assert "behind" in failed.problem


def test_closing_finishes_what_is_open(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.submit([Open(1, tmp_path / "call.wav"), Chunk(1, 160, None, None)])
    assert recorder.close(10)
    assert outcomes(recorder, 1) == [Finished(1, RecordingResult(tmp_path / "call.wav", 0.02))]


class Voice:
    """One side, whose packets come every tick."""

    def __init__(self, rings: Rings, codec: Codec = Codec.PCMU) -> None:
        self.timeline: Timeline | None = Timeline(rings, codec)
        self._timestamp = 0

    def speak(self, value: int) -> None:
        assert self.timeline is not None
        self.timeline.put(self._timestamp, memoryview(bytes([value]) * FRAME_SAMPLES), 0, FRAME_SAMPLES)
        self._timestamp += FRAME_SAMPLES


def test_a_recording_reads_on_from_where_it_was() -> None:
    rings = Rings()
    voice = Voice(rings)
    recording = Recording(5, rings.head)
    recording.left = voice
    octets = b""
    for value in range(40):
        voice.speak(value)
        rings.advance()
        if value % 7 == 0:
            for chunk in recording.read(rings.head):
                assert chunk.right is None
                assert chunk.left is not None
                octets += chunk.left.octets
    assert recording.read(rings.head)
    assert recording.read(rings.head) == []
    frames = [octets[at] for at in range(0, len(octets), FRAME_SAMPLES)]
    lead = 1 + FIRST_DELAY // FRAME_SAMPLES
    assert frames[lead:] == list(range(len(frames) - lead))


def test_paused_time_is_cut_out() -> None:
    rings = Rings()
    recording = Recording(5, rings.head)
    recording.left = Voice(rings)
    rings.advance()
    assert sum(chunk.samples for chunk in recording.set_paused(True, rings.head)) == 160
    rings.advance()
    assert recording.read(rings.head) == []
    rings.advance()
    assert recording.set_paused(False, rings.head) == []
    rings.advance()
    assert sum(chunk.samples for chunk in recording.read(rings.head)) == 160


def test_a_stall_keeps_time_with_silence() -> None:
    rings = Rings()
    recording = Recording(5, rings.head)
    recording.left = Voice(rings)
    rings.skip(500)
    silent, heard = recording.read(rings.head)
    assert silent == Chunk(5, rings.head - HISTORY, None, None)
    assert (heard.samples, heard.left is not None) == (HISTORY, True)


def test_the_header_is_what_the_format_says(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    file = WavFile(path)
    file.append(bytes(8))
    file.close()
    assert struct.unpack_from("<I", path.read_bytes(), 4) == (path.stat().st_size - 8,)


SPOKEN, HUMMED = channel(Codec.PCMU, 1000, 800), channel(Codec.PCMU, 60, 800)


def test_a_long_silence_is_told_once(recorder: Recorder, tmp_path: Path) -> None:
    def said(*channels: Channel | None) -> list[Chunk]:
        return [Chunk(1, 800, left, SPOKEN) for left in channels]

    recorder.submit([Open(1, tmp_path / "call.wav"), Watch(1, 0.3)])
    recorder.submit(said(None, HUMMED, SPOKEN, None, None))  # never 0.3 s in one piece
    recorder.submit(said(HUMMED, None, HUMMED))  # now it is; and it goes on
    recorder.submit([*said(SPOKEN, None, None, None), Watch(1, None), *said(None, None, None), Finish(1)])
    *silences, finished = outcomes(recorder, 3)
    assert silences == [Quiet(1), Quiet(1)]
    assert isinstance(finished, Finished)
