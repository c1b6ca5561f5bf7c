"""The media engine as the application sees it: coarse commands in, events out, never packets.

An *endpoint* is one RTP address of ours, with at most one far end. Endpoints are joined by
*edges* (from whom to whom, how loud), which serve bridge, whisper, barge, monitor and conference
alike; files and tones are *played* to an endpoint; a *recording* takes what two endpoints' far
ends say, one to a channel.

Commands return at once and are carried out in order; only :meth:`MediaEngine.allocate`,
:meth:`MediaEngine.release` and :meth:`MediaEngine.stop_recording` wait for the worker's answer.
When the worker dies, every endpoint is lost: :class:`WorkerLost` is emitted once, pending commands
raise :class:`MediaUnavailable`, and a new worker serves the next ``allocate``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

EndpointId = int
PlaybackId = int
RecordingId = int


class MediaUnavailable(Exception):  # noqa: N818 - the field's word
    """The worker is gone, has no port left, or did not answer in time; the message says which."""


class Codec(Enum):
    """What we can speak, with its payload type: static (RFC 3551 §6), or the usual one."""

    PCMU = 0
    PCMA = 8
    G722 = 9
    OPUS = 111

    @property
    def clock_rate_hz(self) -> int:
        """Of RTP timestamps: 8000 for G.722 too, by an old mistake kept on purpose (RFC 3551 §4.5.2)."""
        return 48000 if self is Codec.OPUS else 8000


class SrtpSuite(Enum):
    """RFC 4568 §6.2; the number is of the authentication tag's bits. AES-128 in counter mode for both."""

    SHA1_80 = "AES_CM_128_HMAC_SHA1_80"
    SHA1_32 = "AES_CM_128_HMAC_SHA1_32"


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Master key and salt, 30 octets, for each way; never shown."""

    suite: SrtpSuite
    send: bytes = field(repr=False)
    receive: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class RemoteMedia:
    """Where and how to send, and what to expect; typed, never SDP text.

    ``address``/``port``: the far end's; port 0 or an unspecified address sends nothing.
    ``payload_type``: the one to send ``codec`` with; ``receive_payload_type`` the one they use.
    ``telephone_event``: payload type to send RFC 4733 events with, None if not offered;
    ``receive_telephone_event`` the one to expect; both count at the codec's clock rate.
    ``keys_by_signalling``: keys for it are not sent as sound but told of by :class:`KeyToSignal`.
    ``ptime_ms``: what they want in one packet. ``comfort_noise``: whether RFC 3389 was agreed on.
    ``send``/``receive`` are ours (RFC 3264 hold). ``srtp``: both ways are encrypted, RTCP too.
    """

    address: str
    port: int
    codec: Codec
    payload_type: int
    receive_payload_type: int
    telephone_event: int | None = None
    receive_telephone_event: int | None = None
    keys_by_signalling: bool = False
    ptime_ms: int = 20
    comfort_noise: bool = False
    send: bool = True
    receive: bool = True
    srtp: SrtpKeys | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One RTP address of ours; RTCP is on ``port`` + 1."""

    id: EndpointId
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Edge:
    """``dst``'s far end hears ``src``'s at ``gain`` (1.0 is unchanged), and gets the ``keys`` it presses."""

    src: EndpointId
    dst: EndpointId
    gain: float = 1.0
    keys: bool = True


@dataclass(frozen=True, slots=True)
class FileSource:
    """A WAV file (any rate, mono or stereo; brought to 8 kHz mono and cached)."""

    path: Path


class Tone(Enum):
    RINGBACK = "ringback"  # 440 + 480 Hz, 2 s on, 4 s off
    BUSY = "busy"
    BEEP = "beep"  # 1 kHz, 0.4 s: the voicemail tone
    RECORDING = "recording"  # 1.4 kHz, 0.2 s, soft: this call is recorded
    JOINED = "joined"  # two notes, rising: somebody came into the room
    LEFT = "left"  # the same two, falling
    MUSIC = "music"  # music on hold, made by us


Source = FileSource | Tone


@dataclass(frozen=True, slots=True)
class EndpointStats:
    """RFC 3550 figures of one endpoint, both directions; times in milliseconds."""

    packets_received: int = 0
    octets_received: int = 0
    packets_sent: int = 0
    packets_lost: int = 0
    packets_dropped: int = 0  # malformed, wrong payload type, wrong source
    jitter_ms: float = 0.0
    remote_lost: int = 0  # as the far end's receiver reports say
    remote_jitter_ms: float = 0.0
    round_trip_ms: float = 0.0
    drops: Mapping[str, int] = field(default_factory=dict)  # packets_dropped, by reason


@dataclass(frozen=True, slots=True)
class RecordingResult:
    """``problem`` is "" when every sample was written."""

    path: Path
    duration_s: float
    problem: str = ""


@dataclass(frozen=True, slots=True)
class MediaEvent:
    pass


@dataclass(frozen=True, slots=True)
class Dtmf(MediaEvent):
    """A key was pressed at the endpoint's far end; once per press, by RFC 4733, in-band or by signalling."""

    endpoint: EndpointId
    digit: str


@dataclass(frozen=True, slots=True)
class KeyToSignal(MediaEvent):
    """A key for a far end that takes keys by signalling alone: whoever signals is to tell it."""

    endpoint: EndpointId
    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class PlayEnded(MediaEvent):
    """A playback ran to its end (not emitted for one that was stopped). ``problem``: why it could not."""

    endpoint: EndpointId
    playback: PlaybackId
    problem: str = ""


@dataclass(frozen=True, slots=True)
class RtpTimeout(MediaEvent):
    """Nothing has been received for the engine's limit; emitted once per silence."""

    endpoint: EndpointId
    silent_s: float


@dataclass(frozen=True, slots=True)
class FellSilent(MediaEvent):
    """Nothing was said for as long as :meth:`MediaEngine.watch_for_silence` was told; once per silence."""

    endpoint: EndpointId


@dataclass(frozen=True, slots=True)
class Latched(MediaEvent):
    """The far end sends from elsewhere than its SDP said; we now answer there."""

    endpoint: EndpointId
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class RecordingFailed(MediaEvent):
    """The disk refused; the call goes on."""

    recording: RecordingId
    problem: str


@dataclass(frozen=True, slots=True)
class WorkerLost(MediaEvent):
    """The worker process died; the endpoints named are gone."""

    endpoints: tuple[EndpointId, ...]


EventSink = Callable[[MediaEvent], None]


class MediaEngine(Protocol):
    """The application's only door to media. ``on_event`` is called on the application's loop."""

    on_event: EventSink

    async def start(self) -> None: ...

    async def close(self) -> None:
        """Finish recordings and end the worker."""
        ...

    async def allocate(self, *, ipv6: bool = False) -> Endpoint:
        """Bind an even RTP port and its RTCP port, with ``ipv6`` on the second address. Raises
        MediaUnavailable."""
        ...

    def set_remote(self, endpoint: EndpointId, remote: RemoteMedia) -> None:
        """Where to send; again after a re-INVITE (which re-opens latching)."""
        ...

    def set_edges(self, dst: EndpointId, edges: Iterable[Edge]) -> None:
        """Replace everything that ``dst`` hears of other endpoints; all edges must end at ``dst``."""
        ...

    def play(self, endpoint: EndpointId, source: Source, *, loop: bool = False) -> PlaybackId:
        """Play to the endpoint's far end, replacing its current playback, over its edges."""
        ...

    def stop_playing(self, endpoint: EndpointId) -> None: ...

    def send_dtmf(self, endpoint: EndpointId, digits: str, *, duration_ms: int = 160) -> None: ...

    def key_signalled(self, endpoint: EndpointId, digit: str) -> None:
        """The far end pressed a key and said so by signalling: :class:`Dtmf` follows, and whoever hears it
        gets the key as one pressed in the audio."""
        ...

    def start_recording(
        self, path: Path, *, left: EndpointId | None, right: EndpointId | None, channels: int = 2
    ) -> RecordingId:
        """8 kHz 16-bit WAV: what ``left``'s and ``right``'s far ends say, a channel each, or mixed in one."""
        ...

    def set_recording_sides(
        self,
        recording: RecordingId,
        *,
        left: EndpointId | None,
        right: EndpointId | None,
        beside: Sequence[EndpointId] = (),
    ) -> None:
        """``beside``: others who are heard on the right, mixed with ``right``."""
        ...

    def pause_recording(self, recording: RecordingId, paused: bool) -> None: ...

    def watch_for_silence(self, recording: RecordingId, after_s: float | None) -> None:
        """Tell with :class:`FellSilent` when nothing was said on the left for so long; None: no more."""
        ...

    async def stop_recording(self, recording: RecordingId) -> RecordingResult:
        """Flush and close; the file's length is final when this returns."""
        ...

    async def release(self, endpoint: EndpointId) -> EndpointStats:
        """Send RTCP BYE, free the ports (after quarantine) and return the final figures."""
        ...
