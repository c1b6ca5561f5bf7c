"""What application and worker say to each other, over a socket pair that only they hold.

Each message is a frozen dataclass; what is to be said at one time is pickled together, behind its length
in four octets. Pickle is safe here as it is in :mod:`multiprocessing`: the application started the process
at the other end itself, and nobody else can reach the pair.

The application chooses all ids, so that a command needs no answer before the next may refer to it.
"""

import io
import pickle
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any

from media.engine import (
    Edge,
    EndpointId,
    EndpointStats,
    MediaEvent,
    PlaybackId,
    RecordingId,
    RecordingResult,
    RemoteMedia,
    Source,
    SrtpKeys,
)

_LENGTH = struct.Struct("!I")


@dataclass(frozen=True, slots=True)
class Command:
    """From the application to the worker; carried out in order."""


@dataclass(frozen=True, slots=True)
class Allocate(Command):
    """Answered by :class:`Allocated` or :class:`Refused`."""

    endpoint: EndpointId
    ipv6: bool  # on the second address


@dataclass(frozen=True, slots=True)
class SetRemote(Command):
    endpoint: EndpointId
    remote: RemoteMedia


@dataclass(frozen=True, slots=True)
class SetEdges(Command):
    endpoint: EndpointId
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Play(Command):
    endpoint: EndpointId
    playback: PlaybackId
    source: Source
    loop: bool


@dataclass(frozen=True, slots=True)
class StopPlaying(Command):
    endpoint: EndpointId


@dataclass(frozen=True, slots=True)
class SendDtmf(Command):
    endpoint: EndpointId
    digits: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class KeySignalled(Command):
    endpoint: EndpointId
    digit: str


@dataclass(frozen=True, slots=True)
class StartRecording(Command):
    recording: RecordingId
    path: Path
    left: EndpointId | None
    right: EndpointId | None
    channels: int


@dataclass(frozen=True, slots=True)
class SetRecordingSides(Command):
    recording: RecordingId
    left: EndpointId | None
    right: EndpointId | None
    beside: tuple[EndpointId, ...]


@dataclass(frozen=True, slots=True)
class PauseRecording(Command):
    recording: RecordingId
    paused: bool


@dataclass(frozen=True, slots=True)
class WatchForSilence(Command):
    recording: RecordingId
    after_s: float | None


@dataclass(frozen=True, slots=True)
class StopRecording(Command):
    """Answered by :class:`RecordingStopped`."""

    recording: RecordingId


@dataclass(frozen=True, slots=True)
class Release(Command):
    """Answered by :class:`Released`."""

    endpoint: EndpointId


@dataclass(frozen=True, slots=True)
class Close(Command):
    """Finish recordings and exit; the end of the stream is the answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """From the worker to the application, where a command asked for it."""


@dataclass(frozen=True, slots=True)
class Ready(Answer):
    """The worker's first message."""


@dataclass(frozen=True, slots=True)
class Allocated(Answer):
    endpoint: EndpointId
    port: int


@dataclass(frozen=True, slots=True)
class Refused(Answer):
    endpoint: EndpointId
    problem: str


@dataclass(frozen=True, slots=True)
class Released(Answer):
    endpoint: EndpointId
    stats: EndpointStats


@dataclass(frozen=True, slots=True)
class RecordingStopped(Answer):
    recording: RecordingId
    result: RecordingResult


Message = Command | Answer | MediaEvent


def _by_fields(kind: type) -> Callable[[Any], tuple[type, tuple[Any, ...]]]:
    """Pickles a dataclass as a call with its fields: its own way, state by state, takes ten times as long."""
    names = [each.name for each in fields(kind)]
    if len(names) > 1:
        values = attrgetter(*names)
        return lambda message: (kind, values(message))
    return lambda message: (kind, tuple(getattr(message, name) for name in names))


_PARTS: tuple[type, ...] = (Edge, EndpointStats, RecordingResult, RemoteMedia, SrtpKeys)
_REDUCERS = {
    kind: _by_fields(kind)
    for kind in (
        *Command.__subclasses__(),
        *Answer.__subclasses__(),
        *MediaEvent.__subclasses__(),
        *_PARTS,
    )
}


def pack(*messages: Message) -> bytes:
    """What is said at one time, in order."""
    body = io.BytesIO()
    pickler = pickle.Pickler(body, pickle.HIGHEST_PROTOCOL)
    pickler.dispatch_table = _REDUCERS
    pickler.dump(messages)
    return _LENGTH.pack(body.tell()) + body.getvalue()


class Unpacker:
    """Gives back messages from a stream that arrives in pieces of any size."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        self._pending += data
        start = 0
        try:
            while (body := start + _LENGTH.size) <= len(self._pending):
                (length,) = _LENGTH.unpack_from(self._pending, start)
                if body + length > len(self._pending):
                    break
                start = body + length
                yield from pickle.loads(self._pending[body:start])
        finally:
            del self._pending[:start]
