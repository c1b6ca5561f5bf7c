"""The application's end of the media worker: :class:`WorkerEngine`.

It starts the process, sends commands, and turns what comes back into answers and events. Commands
of one turn of the event loop leave together. The process is watched by its end of the socket pair:
when that closes, every endpoint it had is lost, which is told once, and the next ``allocate`` starts
another. One that stops answering is killed, which comes to the same.
"""

import asyncio
import itertools
import logging
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from media import wire
from media.dtmf import KEYS
from media.engine import (
    Edge,
    Endpoint,
    EndpointId,
    EndpointStats,
    EventSink,
    MediaEvent,
    MediaUnavailable,
    PlaybackId,
    RecordingId,
    RecordingResult,
    RemoteMedia,
    Source,
    WorkerLost,
)
from media.wavfile import duration_s

log = logging.getLogger(__name__)

START_TIMEOUT_S = 20.0
ANSWER_TIMEOUT_S = 5.0
CLOSE_TIMEOUT_S = 8.0

A = TypeVar("A")


class WorkerEngine:
    """A :class:`~media.engine.MediaEngine` whose packets are handled in a process of their own."""

    def __init__(
        self,
        *,
        address: str,
        port_range: tuple[int, int],
        rtp_timeout_s: float = 30.0,
        address_ipv6: str = "",
        on_event: EventSink = lambda event: None,
    ) -> None:
        """``address``: the local one to bind; ``port_range``: first and last, both included."""
        self.on_event = on_event
        self._address = address
        self._address_ipv6 = address_ipv6
        self._port_range = port_range
        self._rtp_timeout_s = rtp_timeout_s
        self._worker: _Process | None = None
        self._starting = asyncio.Lock()
        self._closed = False
        self._endpoint_ids = itertools.count(1)
        self._playback_ids = itertools.count(1)
        self._recording_ids = itertools.count(1)
        self._endpoints: set[EndpointId] = set()
        self._recordings: dict[RecordingId, Path] = {}
        self._allocations: dict[EndpointId, asyncio.Future[int]] = {}
        self._releases: dict[EndpointId, asyncio.Future[EndpointStats]] = {}
        self._stops: dict[RecordingId, asyncio.Future[RecordingResult]] = {}

    @property
    def pid(self) -> int | None:
        """The worker's process id, while one runs."""
        return self._worker.pid if self._worker is not None else None

    # --- life

    async def start(self) -> None:
        """Start the worker. Raises MediaUnavailable."""
        self._closed = False
        await self._running()

    async def close(self) -> None:
        self._closed = True
        worker = self._worker
        if worker is None:
            return
        worker.send(wire.Close())
        await worker.wait_closed(CLOSE_TIMEOUT_S)

    async def _running(self) -> "_Process":
        async with self._starting:
            if self._closed:
                raise MediaUnavailable("the media engine is closed")
            if self._worker is None:
                worker = _Process(self._on_message)
                await worker.start(self._arguments(), self._on_lost)
                self._worker = worker
            return self._worker

    def _arguments(self) -> list[str]:
        first, last = self._port_range
        return [
            *("--parent", str(os.getpid())),
            *("--address", self._address),
            *(("--address-ipv6", self._address_ipv6) if self._address_ipv6 else ()),
            *("--ports", f"{first}-{last}"),
            *("--rtp-timeout", str(self._rtp_timeout_s)),
        ]

    def _on_lost(self, worker: "_Process") -> None:
        if self._worker is not worker:
            return
        self._worker = None
        lost = tuple(sorted(self._endpoints))
        self._endpoints.clear()
        for allocation in self._allocations.values():
            _fail(allocation, MediaUnavailable("the media worker died"))
        self._allocations.clear()
        for endpoint in tuple(self._releases):
            self._answer(self._releases, endpoint, EndpointStats())
        for recording in tuple(self._stops):
            self._answer(self._stops, recording, self._cut_off(recording))
        if not self._closed:
            log.error("the media worker (process %d) died with %d endpoints", worker.pid, len(lost))
            self.on_event(WorkerLost(lost))

    def _cut_off(self, recording: RecordingId) -> RecordingResult:
        path = self._recordings.pop(recording)
        return RecordingResult(path, duration_s(path), "cut off: the media worker died")

    # --- commands that are answered

    async def allocate(self, *, ipv6: bool = False) -> Endpoint:
        worker = await self._running()
        endpoint = next(self._endpoint_ids)
        self._endpoints.add(endpoint)
        try:
            port = await self._ask(worker, wire.Allocate(endpoint, ipv6), self._allocations, endpoint)
        except BaseException as error:
            self._endpoints.discard(endpoint)
            if not isinstance(error, MediaUnavailable):
                worker.send(wire.Release(endpoint))  # cancelled: nobody will know of it
            raise
        return Endpoint(endpoint, self._address_ipv6 if ipv6 else self._address, port)

    async def release(self, endpoint: EndpointId) -> EndpointStats:
        """Zeros for an endpoint that went with its worker."""
        worker = self._worker
        if worker is None or endpoint not in self._endpoints:
            return EndpointStats()
        self._endpoints.discard(endpoint)
        return await self._ask(worker, wire.Release(endpoint), self._releases, endpoint)

    async def stop_recording(self, recording: RecordingId) -> RecordingResult:
        """For a recording that went with its worker: what is on disk, and that as its problem."""
        if recording not in self._recordings:
            raise ValueError(f"recording {recording} is not running")
        worker = self._worker
        if worker is None or recording not in worker.recordings:
            return self._cut_off(recording)
        worker.recordings.discard(recording)
        return await self._ask(worker, wire.StopRecording(recording), self._stops, recording)

    async def _ask(
        self, worker: "_Process", command: wire.Command, waiting: dict[int, asyncio.Future[A]], key: int
    ) -> A:
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        waiting[key] = answer
        worker.ask(command, answer)
        try:
            return await answer
        finally:
            waiting.pop(key, None)

    # --- commands that are not

    def set_remote(self, endpoint: EndpointId, remote: RemoteMedia) -> None:
        self._tell(endpoint, wire.SetRemote(endpoint, remote))

    def set_edges(self, dst: EndpointId, edges: Iterable[Edge]) -> None:
        edges = tuple(edges)
        if wrong := [edge for edge in edges if edge.dst != dst]:
            raise ValueError(f"edges of endpoint {dst} end at {wrong[0].dst}")
        self._tell(dst, wire.SetEdges(dst, edges))

    def play(self, endpoint: EndpointId, source: Source, *, loop: bool = False) -> PlaybackId:
        playback = next(self._playback_ids)
        self._tell(endpoint, wire.Play(endpoint, playback, source, loop))
        return playback

    def stop_playing(self, endpoint: EndpointId) -> None:
        self._tell(endpoint, wire.StopPlaying(endpoint))

    def send_dtmf(self, endpoint: EndpointId, digits: str, *, duration_ms: int = 160) -> None:
        if wrong := set(digits.upper()) - set(KEYS):
            raise ValueError(f"no DTMF key: {''.join(sorted(wrong))!r}; keys are {KEYS}")
        if digits:
            self._tell(endpoint, wire.SendDtmf(endpoint, digits, duration_ms))

    def key_signalled(self, endpoint: EndpointId, digit: str) -> None:
        self._tell(endpoint, wire.KeySignalled(endpoint, digit))

    def start_recording(
        self, path: Path, *, left: EndpointId | None, right: EndpointId | None, channels: int = 2
    ) -> RecordingId:
        recording = next(self._recording_ids)
        self._recordings[recording] = path
        if self._worker is not None:
            self._worker.recordings.add(recording)
            self._worker.send(wire.StartRecording(recording, path, left, right, channels))
        return recording

    def set_recording_sides(
        self,
        recording: RecordingId,
        *,
        left: EndpointId | None,
        right: EndpointId | None,
        beside: Sequence[EndpointId] = (),
    ) -> None:
        self._tell_of(recording, wire.SetRecordingSides(recording, left, right, tuple(beside)))

    def pause_recording(self, recording: RecordingId, paused: bool) -> None:
        self._tell_of(recording, wire.PauseRecording(recording, paused))

    def watch_for_silence(self, recording: RecordingId, after_s: float | None) -> None:
        self._tell_of(recording, wire.WatchForSilence(recording, after_s))

    def _tell(self, endpoint: EndpointId, command: wire.Command) -> None:
        # Commands to an endpoint that was lost are void: its owner hears, or has heard, WorkerLost.
        if self._worker is not None and endpoint in self._endpoints:
            self._worker.send(command)

    def _tell_of(self, recording: RecordingId, command: wire.Command) -> None:
        if self._worker is not None and recording in self._worker.recordings:
            self._worker.send(command)

    # --- what comes back

    def _on_message(self, message: wire.Message) -> None:
        match message:
            case wire.Allocated(endpoint, port):
                self._answer(self._allocations, endpoint, port)
            case wire.Refused(endpoint, problem):
                if (allocation := self._allocations.get(endpoint)) is not None:
                    _fail(allocation, MediaUnavailable(problem))
            case wire.Released(endpoint, stats):
                self._answer(self._releases, endpoint, stats)
            case wire.RecordingStopped(recording, result):
                self._recordings.pop(recording, None)
                self._answer(self._stops, recording, result)
            case MediaEvent():
                self.on_event(message)

    def _answer(self, waiting: dict[int, asyncio.Future[A]], key: int, value: A) -> None:
        future = waiting.get(key)
        if future is not None and not future.done():
            future.set_result(value)


def _fail(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)


class _Process(asyncio.Protocol):
    """One worker process and the pair that leads to it."""

    def __init__(self, on_message: Callable[[wire.Message], None]) -> None:
        self.recordings: set[RecordingId] = set()
        self._on_message = on_message
        self._on_lost: Callable[[_Process], None] = lambda process: None
        self._process: subprocess.Popen[bytes] | None = None
        self._transport: asyncio.Transport | None = None
        self._unpacker = wire.Unpacker()
        self._outgoing: list[wire.Command] = []
        self._asked: deque[tuple[float, wire.Command, asyncio.Future[Any]]] = deque()
        self._watching = False  # over what was asked, oldest first, each with the time that it has
        self._ready = asyncio.Event()
        self._lost = asyncio.Event()

    @property
    def pid(self) -> int:
        return self._process.pid if self._process is not None else 0

    async def start(self, arguments: list[str], on_lost: "Callable[[_Process], None]") -> None:
        """Start the process and wait until it is ready. Raises MediaUnavailable."""
        ours = self._spawn(arguments)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: self, sock=ours)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._ready.wait()
        except TimeoutError:
            self.kill()
            await self._lost.wait()
        if self._lost.is_set():
            raise MediaUnavailable("the media worker does not start: its messages are on standard error")
        self._on_lost = on_lost

    def _spawn(self, arguments: list[str]) -> socket.socket:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "media.worker", "--control", str(theirs.fileno()), *arguments]
            try:
                self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=_environment())
            except OSError as error:
                ours.close()
                raise MediaUnavailable(f"the media worker does not start: {error}") from error
        return ours

    def ask(self, command: wire.Command, answer: asyncio.Future[Any]) -> None:
        """Send a command; a worker that leaves it without ``answer`` for too long is of no use any more.

        All have the same time, so one timer, for the oldest, watches over them all.
        """
        loop = asyncio.get_running_loop()
        while self._asked and self._asked[0][2].done():
            self._asked.popleft()
        if not self._watching:
            self._watching = True
            loop.call_later(ANSWER_TIMEOUT_S, self._watch)
        self._asked.append((loop.time() + ANSWER_TIMEOUT_S, command, answer))
        self.send(command)

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while self._asked:
            until, command, answer = self._asked[0]
            if not answer.done() and until > loop.time():
                loop.call_at(until, self._watch)
                return
            self._asked.popleft()
            if not answer.done():
                self.kill()
                problem = (
                    f"the media worker did not answer {type(command).__name__} in {ANSWER_TIMEOUT_S:.0f} s"
                )
                _fail(answer, MediaUnavailable(problem))
        self._watching = False

    def send(self, command: wire.Command) -> None:
        """Leaves with the others of this turn of the event loop."""
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outgoing.append(command)

    def _flush(self) -> None:
        if self._transport is not None:
            self._transport.write(wire.pack(*self._outgoing))
        self._outgoing.clear()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    async def wait_closed(self, timeout_s: float) -> None:
        """Wait for its end, and bring that about if it takes longer."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._lost.wait()
        except TimeoutError:
            log.error("the media worker does not end: killed")
            self.kill()
            await self._lost.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        for message in self._unpacker.feed(data):
            if isinstance(message, wire.Ready):
                self._ready.set()
            else:
                self._on_message(message)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        if self._process is not None:
            # The pair closes when the process ends. One that closed it and lives on is of no use.
            self._process.kill()
            self._process.wait()
        self._lost.set()
        self._ready.set()
        self._on_lost(self)


def _environment() -> dict[str, str]:
    """Ours, with the path on which this package is found, and numpy kept to one thread."""
    home = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
