"""Recordings: what two far ends say, a channel each, in a file that is never far behind.

In the loop, a :class:`Recording` only copies what the jitter slots hold, a fraction of a second at a
time. The :class:`Recorder`'s one thread decodes whole chunks as numpy columns,
interleaves and writes them. A disk that is slow or refuses is therefore never felt by a call: what
it refuses ends that one recording, with a :class:`Failed`, and what it does not take in time is
bounded by :data:`MAX_BACKLOG`.
"""

import logging
import queue
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from media.engine import Codec, RecordingId, RecordingResult
from media.g711 import LAWS, SAMPLE_RATE_HZ, decode
from media.mailbox import Mailbox
from media.playout import HISTORY, Timeline
from media.wavfile import CHANNELS, WavFile

log = logging.getLogger(__name__)

SPEECH_LEVEL = 200  # mean amplitude of a chunk, -44 dB: lines hum below it, and people speak above it
FLUSH_FRAMES = 20  # a recording is written every 0.4 s
MAX_BACKLOG = 96 << 20  # octets waiting for the disk: some 30 s of 200 calls


@dataclass(frozen=True, slots=True)
class Channel:
    """What a timeline gave: a law's octets, or the samples of another codec. None stands for silence."""

    codec: Codec
    octets: bytes


@dataclass(frozen=True, slots=True)
class Chunk:
    recording: RecordingId
    samples: int
    left: Channel | None
    right: Channel | None
    beside: tuple[Channel, ...] = ()  # on the right too
    overrun: bool = False  # audio is missing here, because the disk is too far behind


@dataclass(frozen=True, slots=True)
class Open:
    recording: RecordingId
    path: Path
    channels: int = CHANNELS


@dataclass(frozen=True, slots=True)
class Watch:
    """Say when nothing was said on the left for so long, from now on; None: no more."""

    recording: RecordingId
    after_s: float | None


@dataclass(frozen=True, slots=True)
class Finish:
    recording: RecordingId


@dataclass(frozen=True, slots=True)
class Failed:
    """The disk refused; what was written before is kept."""

    recording: RecordingId
    problem: str


@dataclass(frozen=True, slots=True)
class Finished:
    recording: RecordingId
    result: RecordingResult


@dataclass(frozen=True, slots=True)
class Quiet:
    """As :class:`Watch` had asked for; once per silence."""

    recording: RecordingId


Job = Open | Chunk | Watch | Finish
Outcome = Failed | Finished | Quiet


class Side(Protocol):
    """Somebody recorded; without a timeline while nothing is known of the far end."""

    timeline: Timeline | None


class Recording:
    """One recording as the loop sees it: which sides, and how far they have been read."""

    def __init__(self, recording: RecordingId, start: int) -> None:
        self.id = recording
        self.left: Side | None = None
        self.right: Side | None = None
        self.beside: tuple[Side, ...] = ()
        self._paused = False
        self._read_to = start

    @property
    def sides(self) -> tuple[Side | None, ...]:
        return self.left, self.right, *self.beside

    def set_paused(self, paused: bool, head: int) -> list[Chunk]:
        """Paused time is cut out of the file."""
        chunks = self.read(head)
        self._paused = paused
        return chunks

    def read(self, head: int) -> list[Chunk]:
        """What was said since the last time, up to ``head``."""
        start, self._read_to = self._read_to, head
        if self._paused or start >= head:
            return []
        chunks = []
        if start < head - HISTORY:
            # The loop stood still for longer than the slots reach back: keep time, with silence.
            chunks.append(Chunk(self.id, head - HISTORY - start, None, None))
            start = head - HISTORY
        left, right = (_channel(side, start, head) for side in (self.left, self.right))
        beside = tuple(said for side in self.beside if (said := _channel(side, start, head)) is not None)
        chunks.append(Chunk(self.id, head - start, left, right, beside))
        return chunks


def _channel(side: Side | None, start: int, end: int) -> Channel | None:
    if side is None or side.timeline is None:
        return None
    return Channel(side.timeline.codec, side.timeline.read(start, end))


class _Ear:
    """Counts for how long nothing was said."""

    def __init__(self, after_s: float) -> None:
        self._after = round(after_s * SAMPLE_RATE_HZ)
        self._quiet = 0
        self._told = False

    def hears(self, said: NDArray[np.int16]) -> bool:
        """Whether the silence has just become as long as it was to."""
        if len(said) and np.abs(said.astype(np.int32)).mean() >= SPEECH_LEVEL:
            self._quiet, self._told = 0, False
            return False
        self._quiet += len(said)
        long_enough = self._quiet >= self._after and not self._told
        self._told |= long_enough
        return long_enough


class _Target:
    """A file on the writer's side. After the first problem nothing more is written to it."""

    def __init__(self, path: Path, channels: int) -> None:
        self.ear: _Ear | None = None
        self._path = path
        self._channels = channels
        self._file: WavFile | None = None
        self.problem = ""

    def attempt(self, job: Open | Chunk) -> bool:
        """Whether it went as it should; False once, when it fails for the first time."""
        if self.problem:
            return True
        try:
            if self._file is None:
                self._file = WavFile(self._path, self._channels)
            if isinstance(job, Chunk):
                if job.overrun:
                    raise OSError(f"the disk is more than {MAX_BACKLOG} octets behind")
                self._file.append(_interleave(job, self._channels))
        except OSError as error:
            self.problem = f"{self._path}: {error.strerror or error}"
        return not self.problem

    def finish(self) -> RecordingResult:
        if self._file is None:
            return RecordingResult(self._path, 0.0, self.problem)
        self._file.close()
        return RecordingResult(self._path, self._file.duration_s, self.problem)


def _interleave(chunk: Chunk, channels: int) -> bytes:
    samples = np.zeros((chunk.samples, CHANNELS), "<i2")
    for column, channel in enumerate((chunk.left, chunk.right)):
        if channel is not None:
            samples[:, column] = _samples(channel)
    if chunk.beside:
        right = samples[:, 1].astype(np.int32) + sum(_samples(channel) for channel in chunk.beside)
        samples[:, 1] = right.clip(-32768, 32767)
    if channels == 1:
        mono = samples.sum(axis=1, dtype=np.int32).clip(-32768, 32767)
        return bytes(mono.astype("<i2").data)
    return samples.tobytes()


def _left(chunk: Chunk) -> NDArray[np.int16]:
    return np.zeros(chunk.samples, np.int16) if chunk.left is None else _samples(chunk.left)


def _samples(channel: Channel) -> NDArray[np.int16]:
    if channel.codec in LAWS:
        return decode(channel.codec, channel.octets)
    return np.frombuffer(channel.octets, np.int16)


class Recorder:
    """The thread that writes. ``outcomes`` tells the loop what became of it."""

    def __init__(self) -> None:
        self.outcomes: Mailbox[Outcome] = Mailbox()
        self._jobs: queue.SimpleQueue[list[Job] | None] = queue.SimpleQueue()
        self._targets: dict[RecordingId, _Target] = {}
        # Each is written by one thread only; their difference is what the disk has yet to take.
        self._submitted = 0
        self._written = 0
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._thread.start()

    def submit(self, jobs: list[Job]) -> None:
        """Hand over jobs, carried out in order; returns at once."""
        if self._submitted - self._written > MAX_BACKLOG:
            jobs = [_without_audio(job) for job in jobs]
        self._submitted += sum(map(_weight, jobs))
        self._jobs.put(jobs)

    def close(self, timeout_s: float) -> bool:
        """Finish what is open; whether that was done in time."""
        self._jobs.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (jobs := self._jobs.get()) is not None:
            for job in jobs:
                self._do(job)
                self._written += _weight(job)
        for recording in tuple(self._targets):
            self._do(Finish(recording))

    def _do(self, job: Job) -> None:
        if isinstance(job, Open):
            self._targets[job.recording] = _Target(job.path, job.channels)
        target = self._targets[job.recording]
        if isinstance(job, Watch):
            target.ear = None if job.after_s is None else _Ear(job.after_s)
            return
        if isinstance(job, Chunk) and target.ear is not None and target.ear.hears(_left(job)):
            self.outcomes.post(Quiet(job.recording))
        if isinstance(job, Finish):
            del self._targets[job.recording]
            self.outcomes.post(Finished(job.recording, target.finish()))
        elif not target.attempt(job):
            log.error("recording stopped: %s", target.problem)
            self.outcomes.post(Failed(job.recording, target.problem))


def _weight(job: Job) -> int:
    return 2 * job.samples if isinstance(job, Chunk) else 0


def _without_audio(job: Job) -> Job:
    return Chunk(job.recording, 0, None, None, overrun=True) if isinstance(job, Chunk) else job
