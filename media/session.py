"""One endpoint: its two sockets, the far end's stream in, and our one stream out.

The way of a packet, in :meth:`Session._take`: checks (version, payload type, SSRC), statistics, a
copy into the jitter slots if anybody mixes, records or listens, then on to the far ends it is
relayed to. All of that happens on arrival, in one buffer, without an allocation to speak of. Until
the far end's address is settled (:mod:`media.latch`) packets come through :meth:`_receive_any`, from
then on through :meth:`_receive`, on a connected socket.

Sessions know nothing of commands: :mod:`media.switchboard` decides who is relayed, mixed or played
to whom, and the loop brings the time.
"""

import socket
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import partial
from ipaddress import ip_address

from media import comfort
from media.coding import Encoder, encoder_for, silent_frame
from media.dtmf import DtmfError, EventReceiver, EventSender
from media.engine import (
    Codec,
    Dtmf,
    EndpointId,
    EndpointStats,
    KeyToSignal,
    Latched,
    MediaEvent,
    PlayEnded,
    RemoteMedia,
    RtpTimeout,
    SrtpKeys,
)
from media.inband import InbandDetector
from media.keytones import key_tones
from media.latch import Latch
from media.outbound import Outbound
from media.playback import Clip, Playback
from media.playout import Rings, Timeline
from media.reports import Reports
from media.rtcp import RtcpError
from media.rtp import (
    CLOCK_RATE_HZ,
    FRAME_SAMPLES,
    HEADER,
    HEADER_SIZE,
    MARKER,
    PAYLOAD_TYPE,
    PLAIN,
    SEQUENCE_MASK,
    Arrival,
    Reception,
    RtpError,
    payload_span,
)
from media.srtp import Protection, SrtpError
from media.udp import Address, disconnect

Handler = Callable[[float], None]
PACKET = bytearray(2048)  # every packet is received here; one at a time is in hand
VIEW = memoryview(PACKET)
QUIET_S = 1.0
KEY_MS = 160  # how long a key is that is sent on as another kind than it came
_unpack = HEADER.unpack_from
_NEXT = Arrival.NEXT


class Drop(Enum):
    """Why a packet went no further."""

    MALFORMED = "malformed"
    UNEXPECTED = "before an answer, or on hold"
    SOURCE = "wrong source"
    PAYLOAD_TYPE = "wrong payload type"
    SSRC = "unknown SSRC"
    SEQUENCE = "duplicate, or far out of sequence"
    AUTHENTICATION = "not made with the SRTP key, or played back"


class KeyFrom(Enum):
    """How a key came."""

    EVENT = "RFC 4733"
    SOUND = "two tones in the audio"
    SIGNALLING = "not with the audio at all"


class Mode(Enum):
    """Where the packets to a far end come from."""

    IDLE = "nothing is sent"
    OWN = "a playback, keys or silence, each tick"
    RELAY = "another far end's packets, on arrival"
    MIX = "several far ends' audio, each tick"


@dataclass(frozen=True, slots=True)
class House:
    """What all sessions share: the slots, the sockets' poll, and who to tell."""

    rings: Rings
    watch: Callable[[int, Handler], None]
    unwatch: Callable[[int], None]
    emit: Callable[[MediaEvent], None]
    changed: Callable[["Session"], None]  # what this session hears or sends has to be planned again
    wall_clock: Callable[[], float]
    cname: str
    rtp_timeout_s: float


class Session:
    __slots__ = (
        "_destination",
        "_detector",
        "_drops",
        "_event_type_in",
        "_events",
        "_heard_at",
        "_house",
        "_key_queue",
        "_key_sender",
        "_key_tones",
        "_latch",
        "_latched",
        "_noise_type_in",
        "_octets_in",
        "_payload_type_in",
        "_reception",
        "_reports",
        "_rings",
        "_rtcp",
        "_rtcp_destination",
        "_rtp",
        "_rtp_recv_into",
        "_silence",
        "_ssrc",
        "_ssrc_candidate",
        "_timed_out",
        "codec",
        "edges",
        "encoder",
        "id",
        "keys_unheard",
        "listeners",
        "mode",
        "noise_level",
        "out",
        "playback",
        "port",
        "quiet",
        "recorded",
        "relayed_to",
        "remote",
        "timeline",
    )

    def __init__(
        self, endpoint: EndpointId, port: int, rtp: socket.socket, rtcp: socket.socket, house: House
    ) -> None:
        self.id = endpoint
        self.port = port
        self.codec = Codec.PCMU
        self.encoder: Encoder | None = None
        self.remote: RemoteMedia | None = None
        self.out = Outbound()
        self.mode = Mode.IDLE
        self.playback: Playback | None = None
        self.quiet = True  # nothing has been heard of the far end for a while
        self.noise_level: int | None = None  # it sends none but comfort noise, so loud
        # Kept by the switchboard:
        self.edges: tuple[tuple[Session, float], ...] = ()
        self.listeners: set[Session] = set()
        self.relayed_to: tuple[Session, ...] = ()
        self.keys_unheard: set[EndpointId] = set()  # of those it hears
        self.recorded = 0
        self.timeline: Timeline | None = None

        self._house = house
        self._rings = house.rings
        self._rtp, self._rtcp = rtp, rtcp
        self._rtp_recv_into = rtp.recv_into
        self._destination: Address | None = None
        self._rtcp_destination: Address | None = None
        self._latch = Latch(None)
        self._latched = False
        self._payload_type_in = self._event_type_in = self._noise_type_in = -1
        self._ssrc: int | None = None
        self._ssrc_candidate: tuple[int, int] | None = None
        self._reception = Reception()
        self._reports = Reports(house.cname)
        self._octets_in = 0
        self._drops: Counter[Drop] = Counter()
        self._events = EventReceiver()
        self._detector: InbandDetector | None = None
        self._heard_at = 0.0
        self._timed_out = False
        self._silence = b""
        self._key_queue: deque[tuple[str, int]] = deque()
        self._key_sender: EventSender | None = None
        self._key_tones: Playback | None = None
        house.watch(rtp.fileno(), self._receive_any)
        house.watch(rtcp.fileno(), self._receive_rtcp)

    # --- set-up and end

    def set_remote(self, remote: RemoteMedia, now: float) -> None:
        """Speak to ``remote`` from here on; its address is open to be found anew."""
        before, self.remote = self.remote, remote
        if before is None or remote.codec is not self.codec:
            self.codec = remote.codec
            self.encoder = encoder_for(remote.codec)
            self._reception.restart(remote.codec.clock_rate_hz)
            self.noise_level = None
        self._protect(remote.srtp)
        self.out.speak(remote.codec, remote.payload_type, remote.ptime_ms)
        takes_noise = remote.codec.clock_rate_hz == CLOCK_RATE_HZ
        self._noise_type_in = comfort.PAYLOAD_TYPE if takes_noise else -1
        self._payload_type_in = remote.receive_payload_type if remote.receive else -1
        events = remote.receive_telephone_event
        self._event_type_in = -1 if events is None else events
        self._detector = InbandDetector() if events is None and not remote.keys_by_signalling else None
        self._silence = silent_frame(remote.codec)
        self._heard_at, self._timed_out = now, False
        same_place = before is not None and (before.address, before.port) == (remote.address, remote.port)
        self._open_latch(keep=same_place)
        self._choose_send()

    def _protect(self, keys: SrtpKeys | None) -> None:
        """Encrypt with these keys; those that are in use already go on where they are."""
        if keys is None:
            self.out.protection = None
        elif self.out.protection is None or self.out.protection.keys != keys:
            self.out.protection = Protection(keys)

    def _open_latch(self, *, keep: bool) -> None:
        assert self.remote is not None
        if not (keep and self._latched):
            is_somewhere = self.remote.port and not ip_address(self.remote.address).is_unspecified
            self._destination = (self.remote.address, self.remote.port) if is_somewhere else None
            self._point_rtcp()
        if self._latched:
            self._latched = False
            disconnect(self._rtp)
            self._house.watch(self._rtp.fileno(), self._receive_any)
        self._latch = Latch(self._destination)

    def _point_rtcp(self) -> None:
        to = self._destination
        self._rtcp_destination = (to[0], to[1] + 1) if to is not None else None

    def _choose_send(self) -> None:
        assert self.remote is not None
        if self._destination is None or not self.remote.send:
            self.out.send = None
        elif self._latched:
            self.out.send = self._rtp.send
        else:
            self.out.send = partial(_send_to, self._rtp, self._destination)

    def _settle(self, source: Address) -> None:
        """The far end is at ``source``: answer there, and hear nobody else."""
        assert self.remote is not None
        moved = source != self._destination
        self._destination = source
        try:
            self._rtp.connect(source)
        except OSError:
            return  # no route there now; the next packet tries again
        self._latched = True
        self._choose_send()
        self._wake()
        if moved:
            self._point_rtcp()
            self._house.emit(Latched(self.id, *source))

    def close(self) -> EndpointStats:
        """Say goodbye, close the sockets and give the final figures."""
        if self.remote is not None and (self.out.packets or self._reception.received):
            self._report(goodbye=True)
        for sock in (self._rtp, self._rtcp):
            self._house.unwatch(sock.fileno())
            sock.close()
        if self.timeline is not None:
            self.timeline.close()
            self.timeline = None
        return self.stats

    @property
    def stats(self) -> EndpointStats:
        reception, reports = self._reception, self._reports
        return EndpointStats(
            packets_received=reception.received,
            octets_received=self._octets_in,
            packets_sent=self.out.packets,
            packets_lost=reception.lost,
            packets_dropped=self._drops.total(),
            jitter_ms=reception.jitter_ms,
            remote_lost=reports.remote_lost,
            remote_jitter_ms=reports.remote_jitter_ms,
            round_trip_ms=reports.round_trip_ms,
            drops={reason.value: count for reason, count in self._drops.items()},
        )

    # --- packets in

    def _receive(self, now: float) -> None:
        try:
            size = self._rtp_recv_into(PACKET)
        except OSError:
            return  # the far end's port was closed for a packet of ours, or nothing is there
        if self.out.protection is None or (size := self._decrypt(self.out.protection, size)):
            self._take(size, now)

    def _receive_after_quiet(self, now: float) -> None:
        self._wake()
        self._receive(now)

    def _wake(self) -> None:
        """The far end speaks, for the first time or again: it can be relayed from this packet on."""
        self.quiet = False
        self._house.watch(self._rtp.fileno(), self._receive)
        self._house.changed(self)

    def _receive_any(self, now: float) -> None:
        """A packet from anybody, while we do not know where the far end is."""
        try:
            size, sender = self._rtp.recvfrom_into(PACKET)
        except OSError:
            return
        remote = self.remote
        if remote is None:
            self._drops[Drop.UNEXPECTED] += 1
            return
        if self.out.protection is not None and not (size := self._decrypt(self.out.protection, size)):
            return
        _first, second, sequence, _timestamp, ssrc = _unpack(PACKET)
        if size < HEADER_SIZE or PACKET[0] >> 6 != 2:
            self._drops[Drop.MALFORMED] += 1
        elif not remote.receive:
            self._drops[Drop.UNEXPECTED] += 1
        elif second & PAYLOAD_TYPE not in self._types_in:
            self._drops[Drop.PAYLOAD_TYPE] += 1
        elif not self._latch.settles(source := (sender[0], sender[1]), ssrc, sequence):
            self._drops[Drop.SOURCE] += 1
        else:
            self._settle(source)
            self._take(size, now)

    def _decrypt(self, protection: Protection, size: int) -> int:
        """Decrypt the packet in hand; its new size, or 0 if it is to be dropped."""
        try:
            packet = protection.unprotect(bytes(VIEW[:size]))
        except SrtpError:
            self._drops[Drop.AUTHENTICATION] += 1
            return 0
        PACKET[: len(packet)] = packet
        return len(packet)

    def _take(self, size: int, now: float) -> None:
        first, second, sequence, timestamp, ssrc = _unpack(PACKET)
        if first != PLAIN or size < HEADER_SIZE:
            size = self._strip(size)
            if not size:
                return
        if ssrc != self._ssrc and not self._is_new_sender(ssrc, sequence):
            self._drops[Drop.SSRC] += 1
            return
        payload_type = second & PAYLOAD_TYPE
        if payload_type != self._payload_type_in:
            self._take_other(payload_type, size, second, sequence, timestamp, now)
            return
        arrival = self._reception.update(sequence, timestamp, now)
        if arrival is not _NEXT and not self._accepts(arrival):
            return
        if self.noise_level is not None:
            self._hear_noise(None)
        self._heard_at = now
        self._octets_in += size - HEADER_SIZE
        timeline = self.timeline
        if timeline is not None:
            timeline.put(timestamp, VIEW, HEADER_SIZE, size)
        for listener in self.relayed_to:
            out = listener.out
            out.relay(
                PACKET,
                VIEW[:size],
                second & MARKER | out.payload_type,
                sequence,
                timestamp,
                self._rings.head,
            )

    def _strip(self, size: int) -> int:
        """Make the packet in hand a plain one; its new size, or 0 if it is to be dropped."""
        try:
            start, end = payload_span(PACKET, size)
        except RtpError:
            self._drops[Drop.MALFORMED] += 1
            return 0
        PACKET[HEADER_SIZE : HEADER_SIZE + end - start] = PACKET[start:end]
        return HEADER_SIZE + end - start

    def _is_new_sender(self, ssrc: int, sequence: int) -> bool:
        """An SSRC we do not know may take over with its second packet in order."""
        if self._ssrc is not None:
            expected, self._ssrc_candidate = self._ssrc_candidate, (ssrc, (sequence + 1) & SEQUENCE_MASK)
            if expected != (ssrc, sequence):
                return False
            self._reception.restart()
            self._events = EventReceiver()
        self._ssrc = ssrc
        self._ssrc_candidate = None
        return True

    def _accepts(self, arrival: Arrival) -> bool:
        """Deal with a packet that is not just the next one; whether it is to be used."""
        if arrival is Arrival.DUPLICATE or arrival is Arrival.SUSPECT:
            self._drops[Drop.SEQUENCE] += 1
            return False
        if arrival is Arrival.BREAK:
            if self.timeline is not None:
                self.timeline.restart()
            for listener in self.relayed_to:
                listener.out.rejoin(self._rings.head)
        return True

    def _take_other(
        self, payload_type: int, size: int, second: int, sequence: int, timestamp: int, now: float
    ) -> None:
        """A packet that is no audio we want: an event, comfort noise, or nothing we agreed on."""
        if self.remote is None or not self.remote.receive:
            self._drops[Drop.UNEXPECTED] += 1
            return
        if payload_type not in self._types_in:
            self._drops[Drop.PAYLOAD_TYPE] += 1
            return
        if not self._accepts(self._reception.count(sequence)):
            return
        self._heard_at = now
        self._octets_in += size - HEADER_SIZE
        if payload_type == self._noise_type_in:
            self._hear_noise(comfort.level_of(bytes(VIEW[HEADER_SIZE:size])))
            self._relay_other(lambda listener: comfort.PAYLOAD_TYPE, size, second, sequence, timestamp)
        elif self._take_event(size, timestamp):
            self._relay_other(_event_type, size, second, sequence, timestamp)

    def _relay_other(
        self,
        payload_type_of: Callable[["Session"], int | None],
        size: int,
        second: int,
        sequence: int,
        timestamp: int,
    ) -> None:
        """Send on what is no audio, to those who have a payload type for it."""
        for listener in self.relayed_to:
            payload_type = payload_type_of(listener)
            if payload_type is None:
                listener.out.skip()
            else:
                listener.out.relay(
                    PACKET,
                    VIEW[:size],
                    second & MARKER | payload_type,
                    sequence,
                    timestamp,
                    self._rings.head,
                )

    @property
    def _types_in(self) -> tuple[int, int, int]:
        return self._payload_type_in, self._event_type_in, self._noise_type_in

    @property
    def takes_noise(self) -> bool:
        """Whether the far end has agreed to be sent comfort noise in place of silence."""
        return self.remote is not None and self.remote.comfort_noise

    def _hear_noise(self, level: int | None) -> None:
        """The far end has fallen silent, and sounds like this; or, with None, speaks again."""
        begins_or_ends = (level is None) != (self.noise_level is None)
        self.noise_level = level
        if begins_or_ends:
            self._house.changed(self)
        if self.timeline is not None and level is not None:
            self.timeline.noise_level = level

    def _take_event(self, size: int, timestamp: int) -> bool:
        try:
            digit = self._events.feed(timestamp, bytes(VIEW[HEADER_SIZE:size]))
        except DtmfError:
            self._drops[Drop.MALFORMED] += 1
            return False
        if digit is not None:
            self._pressed(digit, KeyFrom.EVENT)
        return True

    def key_signalled(self, digit: str) -> None:
        """The far end pressed a key, and said so elsewhere."""
        self._pressed(digit, KeyFrom.SIGNALLING)

    def _pressed(self, digit: str, by: KeyFrom) -> None:
        """A key of the far end's: tell it, and send it on where it does not go with the packets.

        Audio goes to all listeners, an event to those that are relayed to and take events.
        """
        self._house.emit(Dtmf(self.id, digit))
        for listener in tuple(self.listeners):
            if self.id in listener.keys_unheard:
                continue
            has_events = _event_type(listener) is not None
            match by:
                case KeyFrom.EVENT:
                    has_it = has_events and listener.mode is Mode.RELAY
                case KeyFrom.SOUND:
                    has_it = not has_events and not listener.keys_by_signalling
                case KeyFrom.SIGNALLING:
                    has_it = False
            if not has_it:
                listener.send_keys(digit, KEY_MS)

    @property
    def hears_keys(self) -> bool:
        """Whether keys have to be found in the audio, as the far end sends no events."""
        return self._detector is not None

    def listen_for_keys(self, start: int, end: int) -> None:
        """Look for keys in the slots from ``start`` to ``end``."""
        if self._detector is not None and self.timeline is not None:
            for digit in self._detector.feed(self.timeline.samples(start, end)):
                self._pressed(digit, KeyFrom.SOUND)

    # --- packets out

    @property
    def is_sending_keys(self) -> bool:
        return self._key_sender is not None or self._key_tones is not None

    @property
    def keys_by_signalling(self) -> bool:
        return self.remote is not None and self.remote.keys_by_signalling

    def send_keys(self, digits: str, duration_ms: int) -> None:
        if self.keys_by_signalling:
            for digit in digits:
                self._house.emit(KeyToSignal(self.id, digit, duration_ms))
            return
        self._key_queue.append((digits, duration_ms))
        if not self.is_sending_keys:
            self._next_keys()

    def _next_keys(self) -> None:
        self._key_sender = self._key_tones = None
        if self._key_queue:
            digits, duration_ms = self._key_queue.popleft()
            if self.remote is not None and self.remote.telephone_event is None:
                clip = Clip(key_tones(digits, duration_ms=duration_ms))
                self._key_tones = Playback(0, clip, loop=False)
            else:
                head = self._rings.head
                self.out.rejoin(head)
                start = self.out.timestamp_at(head)
                self._key_sender = EventSender(
                    digits,
                    timestamp=start,
                    duration_ms=duration_ms,
                    clock_rate_hz=self.codec.clock_rate_hz,
                )
        self._house.changed(self)

    def tick(self, position: int) -> None:
        """Send what is due at ``position``, unless it has to be mixed."""
        if self._key_sender is not None:
            self._tick_event(self._key_sender, position)
        elif self._key_tones is not None:
            self.out.frame(self._key_tones.octets(self.codec), position)
            if self._key_tones.ended:
                self._next_keys()
        elif self.playback is not None:
            self.out.frame(self.playback.octets(self.codec), position)
            self.end_playback_if_done()
        elif not self.takes_noise:
            self.out.frame(self._silence, position)
        elif position // FRAME_SAMPLES % comfort.INTERVAL_FRAMES == 0:
            self.out.noise(comfort.OUR_LEVEL, position)

    def _tick_event(self, sender: EventSender, position: int) -> None:
        try:
            packet = next(sender)
        except StopIteration:
            packet = None
            self._next_keys()
        events = self.remote.telephone_event if self.remote is not None else None
        if packet is None or events is None:
            self.out.frame(self._silence, position)
        else:
            self.out.event(packet.payload, events, packet.timestamp, packet.marker)

    def end_playback_if_done(self) -> None:
        if self.playback is not None and self.playback.ended:
            ended, self.playback = self.playback, None
            self._house.emit(PlayEnded(self.id, ended.id))
            self._house.changed(self)

    # --- once a second, and RTCP

    def watch_silence(self, now: float) -> None:
        """Notice a far end that should be heard and is not; report that, once per silence."""
        silent_s = now - self._heard_at
        if silent_s > QUIET_S and self._latched and not self.quiet and self.noise_level is None:
            self.quiet = True
            self._house.watch(self._rtp.fileno(), self._receive_after_quiet)
            self._house.changed(self)
        if silent_s < self._house.rtp_timeout_s:
            self._timed_out = False
        elif not self._timed_out and self.remote is not None and self.remote.receive and self._destination:
            self._timed_out = True
            self._house.emit(RtpTimeout(self.id, silent_s))

    def report(self) -> None:
        """Send RTCP, and let the jitter slots settle."""
        if self.remote is not None:
            self._report()
        if self.timeline is not None:
            self.timeline.settle()

    def _report(self, *, goodbye: bool = False) -> None:
        if self._rtcp_destination is None:
            return
        packet = self._reports.build(
            self.out,
            self._reception,
            self._ssrc,
            position=self._rings.head,
            unix_s=self._house.wall_clock(),
            goodbye=goodbye,
        )
        if self.out.protection is not None:
            packet = self.out.protection.protect_rtcp(packet)
        _send_to_quietly(self._rtcp, self._rtcp_destination, packet)

    def _receive_rtcp(self, now: float) -> None:
        try:
            packet, sender = self._rtcp.recvfrom(2048)
        except OSError:
            return
        if self._destination is None or sender[0] != self._destination[0]:
            self._drops[Drop.SOURCE] += 1
            return
        try:
            if self.out.protection is not None:
                packet = self.out.protection.unprotect_rtcp(packet)
            self._reports.take(packet, self.out.ssrc, self._house.wall_clock(), self.codec.clock_rate_hz)
        except RtcpError:
            self._drops[Drop.MALFORMED] += 1
            return
        except SrtpError:
            self._drops[Drop.AUTHENTICATION] += 1
            return
        self._rtcp_destination = (sender[0], sender[1])


def _event_type(session: Session) -> int | None:
    """The payload type that the session's far end takes events by."""
    return session.remote.telephone_event if session.remote is not None else None


def _send_to(sock: socket.socket, to: Address, packet: bytes | bytearray | memoryview) -> int:
    return sock.sendto(packet, to)


def _send_to_quietly(sock: socket.socket, to: Address, packet: bytes) -> None:
    """RTCP is worth no more than a try (RFC 3550 §6.2)."""
    try:
        sock.sendto(packet, to)
    except OSError:
        return
