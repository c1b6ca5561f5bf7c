"""The media worker: one process, one loop, all RTP.

The loop polls its sockets with epoll and handles each packet as it comes; every 5 ms one *slice* of
the 20 ms tick is due, in which a quarter of the far ends that are played or mixed to get their frame.
Under load the loop lets packets gather for :data:`GATHER_S`: one wake-up then serves some twenty
packets, for a delay that nobody hears. Files are read, and recordings written, by two threads that
never touch a socket.

The application is at the other end of a socket pair (:mod:`media.wire`). When that closes, or the
kernel tells that the parent died (``PR_SET_PDEATHSIG``), recordings are finished and the process
ends: it never outlives the application, even a killed one. Ctrl-C and a service manager's SIGTERM
reach the whole process group; what they mean is the application's to decide, so they are ignored.
"""

import argparse
import contextlib
import ctypes
import gc
import logging
import os
import secrets
import signal
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

from media import wire
from media.engine import EndpointStats, FellSilent, PlayEnded, RecordingFailed, RecordingId
from media.library import Library, Loaded, Order
from media.playback import Playback
from media.playout import Rings
from media.poll import Control, Poll
from media.ports import PortPool
from media.recorder import (
    FLUSH_FRAMES,
    Chunk,
    Failed,
    Finish,
    Finished,
    Job,
    Open,
    Quiet,
    Recorder,
    Recording,
    Watch,
)
from media.rtcp import INTERVAL_S
from media.rtp import FRAME_S, FRAME_SAMPLES
from media.session import House, Session
from media.switchboard import SLICES, Switchboard
from media.udp import allow_many_sockets, bind_pair

log = logging.getLogger("media.worker")

SLICE_S = FRAME_S / SLICES
GATHER_S = 0.001
GATHER_FROM = 8  # packets in one wake-up that make it worth while
MAX_BEHIND_S = 1.0  # after a longer stall, time is skipped rather than caught up with
KEY_FRAMES = 4  # in-band keys are looked for every 80 ms
SECOND_FRAMES = 50
BIND_TRIES = 16
NICENESS = -10  # where we may: a packet that waits for a transcript to be written is a packet lost
CLOSE_TIMEOUT_S = 3.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Settings:
    address: str
    address_ipv6: str  # the second one; "" for none
    first_port: int
    last_port: int
    rtp_timeout_s: float
    cname: str


class Worker:
    def __init__(self, control: Control, settings: Settings) -> None:
        self._control = control
        self._settings = settings
        self._poll = Poll()
        self._rings = Rings()
        self._ports = PortPool(settings.first_port, settings.last_port)
        self._recorder = Recorder()
        self._library = Library()
        self._switchboard = Switchboard(self._rings)
        self._sessions = self._switchboard.sessions
        self._recordings: dict[RecordingId, Recording] = {}
        self._wanted: dict[int, int] = {}  # by endpoint: the playback that was ordered last
        self._house = House(
            rings=self._rings,
            watch=self._poll.watch,
            unwatch=self._poll.unwatch,
            emit=control.send,
            changed=self._switchboard.changed,
            wall_clock=time.time,
            cname=settings.cname,
            rtp_timeout_s=settings.rtp_timeout_s,
        )
        self._ticks = 0
        self._slice = 0
        self._next_slice = 0.0
        self._closing = False
        self._poll.watch(control.sock.fileno(), self._on_control)
        self._poll.watch(self._recorder.outcomes.fileno(), self._on_recorder)
        self._poll.watch(self._library.loaded.fileno(), self._on_library)

    def orphaned(self) -> None:
        """The parent died."""
        self._closing = True

    # --- the loop

    def run(self) -> None:
        control = self._control
        control.send(wire.Ready())
        control.flush()
        packets = 0
        while not (self._closing or control.closed):
            if not self._sessions:
                self._poll.serve(None)
                self._next_slice = time.monotonic()
                control.flush()
                continue
            if packets >= GATHER_FROM:
                time.sleep(GATHER_S)
                packets = self._poll.serve(0)
            else:
                packets = self._poll.serve(max(0.0, self._next_slice - time.monotonic()))
            self._catch_up(time.monotonic())
            control.flush()
        self._finish()

    def _catch_up(self, now: float) -> None:
        behind_s = now - self._next_slice
        if behind_s > MAX_BEHIND_S:
            frames = int(behind_s / FRAME_S)
            log.warning("stood still for %.1f s", behind_s)
            self._rings.skip(frames)
            self._next_slice += frames * FRAME_S
        while self._next_slice <= now:
            self._next_slice += SLICE_S
            if self._slice == 0:
                self._begin_tick(now)
            self._switchboard.tick(self._slice)
            self._slice = (self._slice + 1) % SLICES

    def _begin_tick(self, now: float) -> None:
        self._rings.advance()
        self._ticks += 1
        head = self._rings.head
        jobs: list[Job] = []
        for recording in self._recordings.values():
            if (self._ticks + recording.id) % FLUSH_FRAMES == 0:
                jobs += recording.read(head)
        if jobs:
            self._recorder.submit(jobs)
        if self._ticks % KEY_FRAMES == 0:
            for session in tuple(self._sessions.values()):
                if session.hears_keys:
                    session.listen_for_keys(head - KEY_FRAMES * FRAME_SAMPLES, head)
        self._every_second(now)

    def _every_second(self, now: float) -> None:
        """Each session once a second, a fiftieth of them in each tick; a report every fifth time."""
        due = self._ticks % SECOND_FRAMES
        report_period = int(INTERVAL_S) * SECOND_FRAMES
        for session in tuple(self._sessions.values()):
            if session.id % SECOND_FRAMES == due:
                session.watch_silence(now)
                if (self._ticks + session.id * SECOND_FRAMES) % report_period < SECOND_FRAMES:
                    session.report()

    def _finish(self) -> None:
        """Goodbye to all; recordings are closed. A disk that hangs does not keep us."""
        signal.alarm(int(CLOSE_TIMEOUT_S) + 1)
        for recording in tuple(self._recordings):
            self._stop_recording(recording)
        for session in tuple(self._sessions.values()):
            session.close()
        if not self._recorder.close(CLOSE_TIMEOUT_S):
            log.error("the disk did not take the last of the recordings in %.0f s", CLOSE_TIMEOUT_S)

    # --- commands

    def _on_control(self, now: float) -> None:
        for command in self._control.receive():
            self._carry_out(command, now)

    def _carry_out(self, command: wire.Message, now: float) -> None:
        match command:
            case wire.Allocate(endpoint, ipv6):
                self._allocate(endpoint, ipv6, now)
            case wire.SetRemote(endpoint, remote):
                if (session := self._session(endpoint)) is not None:
                    self._read_recordings(session)
                    session.set_remote(remote, now)
                    self._switchboard.changed(session)
            case wire.SetEdges(endpoint, edges):
                if (session := self._session(endpoint)) is not None:
                    known = [(self._session(edge.src), edge.gain) for edge in edges]
                    session.keys_unheard = {edge.src for edge in edges if not edge.keys}
                    self._switchboard.set_edges(session, [(src, gain) for src, gain in known if src])
            case wire.Play(endpoint, playback, source, loop):
                if (session := self._session(endpoint)) is not None:
                    self._wanted[endpoint] = playback
                    self._library.order(Order(endpoint, playback, source, loop, session.codec))
            case wire.StopPlaying(endpoint):
                self._wanted.pop(endpoint, None)
                if (session := self._session(endpoint)) is not None and session.playback is not None:
                    session.playback = None
                    self._switchboard.changed(session)
            case wire.SendDtmf(endpoint, digits, duration_ms):
                if (session := self._session(endpoint)) is not None:
                    session.send_keys(digits, duration_ms)
            case wire.KeySignalled(endpoint, digit):
                if (session := self._session(endpoint)) is not None:
                    session.key_signalled(digit)
            case wire.StartRecording(recording, path, left, right, channels):
                self._recordings[recording] = Recording(recording, self._rings.head)
                self._recorder.submit([Open(recording, path, channels)])
                self._set_sides(recording, left, right)
            case wire.SetRecordingSides(recording, left, right, beside):
                self._set_sides(recording, left, right, beside)
            case wire.PauseRecording(recording, paused):
                if (known_recording := self._recordings.get(recording)) is not None:
                    self._submit(known_recording.set_paused(paused, self._rings.head))
            case wire.WatchForSilence(recording, after_s):
                if recording in self._recordings:
                    self._recorder.submit([Watch(recording, after_s)])
            case wire.StopRecording(recording):
                self._stop_recording(recording)
            case wire.Release(endpoint):
                self._release(endpoint, now)
            case wire.Close():
                self._closing = True
            case _:
                log.error("no command: %r", command)

    def _session(self, endpoint: int) -> Session | None:
        session = self._sessions.get(endpoint)
        if session is None:
            log.warning("endpoint %d is not allocated", endpoint)
        return session

    def _allocate(self, endpoint: int, ipv6: bool, now: float) -> None:
        address = self._settings.address_ipv6 if ipv6 else self._settings.address
        problem = f"all RTP ports of {self._settings.first_port}-{self._settings.last_port} are in use"
        for _ in range(BIND_TRIES):
            port = self._ports.take(now)
            if port is None:
                break
            try:
                rtp, rtcp = bind_pair(address, port)
            except OSError as error:
                # Another program's port: try it again when its rest is over.
                self._ports.give_back(port, now)
                problem = f"{address}:{port}: {error.strerror or error}"
            else:
                self._switchboard.add(Session(endpoint, port, rtp, rtcp, self._house))
                self._control.send(wire.Allocated(endpoint, port))
                return
        log.error("no endpoint: %s", problem)
        self._control.send(wire.Refused(endpoint, problem))

    def _release(self, endpoint: int, now: float) -> None:
        session = self._session(endpoint)
        stats = EndpointStats()
        if session is not None:
            if session.recorded:
                self._leave_recordings(session)
            self._switchboard.remove(session)
            stats = session.close()
            self._ports.give_back(session.port, now)
            self._wanted.pop(endpoint, None)
        self._control.send(wire.Released(endpoint, stats))

    # --- playing

    def _on_library(self, _now: float) -> None:
        for loaded in self._library.loaded.collect():
            self._begin_playing(loaded)

    def _begin_playing(self, loaded: Loaded) -> None:
        order = loaded.order
        session = self._sessions.get(order.endpoint)
        if session is None or self._wanted.get(order.endpoint) != order.playback:
            return
        del self._wanted[order.endpoint]
        if loaded.clip is None:
            self._control.send(PlayEnded(order.endpoint, order.playback, loaded.problem))
            session.playback = None
        else:
            session.playback = Playback(order.playback, loaded.clip, loop=order.loop)
        self._switchboard.changed(session)

    # --- recording

    def _submit(self, chunks: Sequence[Chunk]) -> None:
        if chunks:
            self._recorder.submit(list(chunks))

    def _read_recordings(self, session: Session) -> None:
        """Bring what records this session up to now, before its slots change."""
        for recording in self._recordings.values():
            if session in recording.sides:
                self._submit(recording.read(self._rings.head))

    def _set_sides(
        self, recording: RecordingId, left: int | None, right: int | None, beside: Sequence[int] = ()
    ) -> None:
        known = self._recordings.get(recording)
        if known is None:
            log.warning("recording %d is not open", recording)
            return
        self._submit(known.read(self._rings.head))
        before = known.sides
        known.left, known.right = (None if side is None else self._session(side) for side in (left, right))
        known.beside = tuple(session for side in beside if (session := self._session(side)) is not None)
        # The new first, so that whoever stays keeps their slots.
        for sides, change in ((known.sides, 1), (before, -1)):
            for side in sides:
                if isinstance(side, Session):
                    self._switchboard.set_recorded(side, change)

    def _leave_recordings(self, session: Session) -> None:
        for recording in self._recordings.values():
            if session in recording.sides:
                left, right, *beside = (
                    side.id if isinstance(side, Session) and side is not session else None
                    for side in recording.sides
                )
                self._set_sides(recording.id, left, right, [side for side in beside if side is not None])

    def _stop_recording(self, recording: RecordingId) -> None:
        if recording in self._recordings:
            self._set_sides(recording, None, None)
            del self._recordings[recording]
            self._recorder.submit([Finish(recording)])

    def _on_recorder(self, _now: float) -> None:
        for outcome in self._recorder.outcomes.collect():
            match outcome:
                case Finished(recording, result):
                    self._control.send(wire.RecordingStopped(recording, result))
                case Failed(recording, problem):
                    self._control.send(RecordingFailed(recording, problem))
                case Quiet(recording):
                    known = self._recordings.get(recording)
                    if known is not None and isinstance(known.left, Session):
                        self._control.send(FellSilent(known.left.id))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m media.worker")
    parser.add_argument("--control", type=int, required=True, help="descriptor of our end of a socket pair")
    parser.add_argument("--parent", type=int, required=True, help="process whose end is ours")
    parser.add_argument("--address", required=True)
    parser.add_argument("--address-ipv6", default="")
    parser.add_argument("--ports", required=True, help="FIRST-LAST")
    parser.add_argument("--rtp-timeout", type=float, required=True)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)

    first, last = map(int, arguments.ports.split("-"))
    cname = f"{secrets.token_hex(6)}@{arguments.address}"  # RFC 7022 §4.2: says nothing about us
    settings = Settings(arguments.address, arguments.address_ipv6, first, last, arguments.rtp_timeout, cname)
    allow_many_sockets()
    with contextlib.suppress(OSError):  # not permitted: then as any other process
        os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    with socket.socket(fileno=arguments.control) as sock:
        worker = Worker(Control(sock), settings)
        signal.signal(signal.SIGUSR1, lambda *_: worker.orphaned())
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGUSR1)
        if os.getppid() != arguments.parent:
            worker.orphaned()  # it died before we asked to be told
        gc.collect()
        gc.freeze()
        worker.run()


if __name__ == "__main__":
    main()
