"""What one far end hears of us: one stream with one SSRC, whatever its parts come from.

RFC 3550 §5.1 wants sequence numbers that rise by one and timestamps of one clock. Prompts, mixes and
silence are made by us, a frame a tick, on the engine's clock. Packets relayed from another far end
keep their payload; their numbers are shifted so that they go on where the last packet left off, and
so that a packet lost before us is a gap after us too. :meth:`Outbound.rejoin` marks where the
shift has to be found anew; the first packet after it has the marker bit (RFC 3551 §4.1).
"""

import secrets
from collections.abc import Callable

from media import comfort
from media.engine import Codec
from media.packing import Packing, packing_for
from media.rtp import (
    CLOCK_RATE_HZ,
    FRAME_SAMPLES,
    HEADER,
    HEADER_SIZE,
    MARKER,
    PLAIN,
    SEQUENCE_MASK,
    TIMESTAMP_MASK,
)
from media.srtp import Protection, SrtpError

Send = Callable[[bytes | bytearray | memoryview], object]

_pack_into = HEADER.pack_into
_HALF_SEQUENCE = 0x8000
_HALF_TIMESTAMP = 0x80000000


class Outbound:
    __slots__ = (
        "_clock_offset",
        "_fresh",
        "_packing",
        "_sequence",
        "_sequence_shift",
        "_timestamp",
        "_timestamp_shift",
        "octets",
        "packets",
        "payload_type",
        "protection",
        "refused",
        "send",
        "ssrc",
        "units",
    )

    def __init__(self) -> None:
        self.ssrc = secrets.randbits(32)
        self.payload_type = 0
        self.send: Send | None = None
        self.packets = 0
        self.octets = 0
        self.refused = 0  # by the kernel: its buffer was full, or there is no route; or not to be encrypted
        self.units = 1  # of the stream's timestamps, in a sample of the engine's clock
        self._packing: Packing | None = None
        self.protection: Protection | None = None
        self._sequence = secrets.randbits(15)  # the last one sent
        self._timestamp = 0
        self._clock_offset = secrets.randbits(32)
        self._sequence_shift = 0
        self._timestamp_shift = 0
        self._fresh = True

    def speak(self, codec: Codec, payload_type: int, ptime_ms: int) -> None:
        """What follows is in ``codec``, in packets of ``ptime_ms``."""
        self.payload_type = payload_type
        self._packing = packing_for(codec, ptime_ms)
        units = codec.clock_rate_hz // CLOCK_RATE_HZ
        if units != self.units:
            self.units = units
            if self.packets:  # another clock is another stream (RFC 7160 §4.1)
                self.ssrc = secrets.randbits(32)

    def timestamp_at(self, position: int) -> int:
        """The stream's timestamp at a position of the engine's clock."""
        return (position * self.units + self._clock_offset) & TIMESTAMP_MASK

    def rejoin(self, position: int) -> None:
        """What comes from ``position`` on is of another origin than what came before."""
        self._fresh = True
        if self._packing is not None:
            self._packing.clear()
        frame = FRAME_SAMPLES * self.units
        behind = (self._timestamp + frame - self.timestamp_at(position)) & TIMESTAMP_MASK
        if self.packets and behind < _HALF_TIMESTAMP:
            # The sender we relayed has a faster clock than we: go on from where it was.
            self._clock_offset += behind

    def frame(self, payload: bytes, position: int) -> None:
        """Send one frame of ours, due at ``position``."""
        if self._packing is None:
            self._own(payload, self.payload_type, position)
        else:
            for packed, start in self._packing.add(payload, position):
                self._own(packed, self.payload_type, start)

    def noise(self, level: int, position: int) -> None:
        """Say that from ``position`` on there is but noise (RFC 3389); audio after it has the marker."""
        self._own(comfort.packet(level), comfort.PAYLOAD_TYPE, position)
        self._fresh = True

    def _own(self, payload: bytes, payload_type: int, position: int) -> None:
        marker = 0
        if self._fresh:
            self._fresh = False
            marker = MARKER
        self._transmit(payload, marker | payload_type, self.timestamp_at(position))

    def event(self, payload: bytes, payload_type: int, timestamp: int, marker: bool) -> None:
        """Send one telephone-event packet of ours (RFC 4733 §2.2: ``timestamp`` is the event's)."""
        self._transmit(payload, (MARKER if marker else 0) | payload_type, timestamp)

    def _transmit(self, payload: bytes, second: int, timestamp: int) -> None:
        self._sequence = (self._sequence + 1) & SEQUENCE_MASK
        self._timestamp = timestamp
        header = HEADER.pack(PLAIN, second, self._sequence, timestamp, self.ssrc)
        self._send(header + payload)

    def relay(
        self, packet: bytearray, view: memoryview, second: int, sequence: int, timestamp: int, position: int
    ) -> None:
        """Send on the packet in ``view``, which lies in ``packet``, with its numbers shifted.

        ``second`` is the header's second octet as it shall be; ``position`` the engine's clock now.
        """
        if self._fresh:
            self._join(sequence, timestamp, position)
            second |= MARKER
        sequence = (sequence + self._sequence_shift) & SEQUENCE_MASK
        timestamp = (timestamp + self._timestamp_shift) & TIMESTAMP_MASK
        if (sequence - self._sequence) & SEQUENCE_MASK < _HALF_SEQUENCE:
            self._sequence = sequence
            self._timestamp = timestamp
        _pack_into(packet, 0, PLAIN, second, sequence, timestamp, self.ssrc)
        self._send(view)

    def skip(self) -> None:
        """A packet of the sender we relay is not sent on: close the gap it leaves."""
        self._sequence_shift -= 1

    def _join(self, sequence: int, timestamp: int, position: int) -> None:
        self._fresh = False
        self._sequence_shift = self._sequence + 1 - sequence
        self._timestamp_shift = self.timestamp_at(position) - timestamp

    def _send(self, packet: bytes | memoryview) -> None:
        send = self.send
        if send is None:
            return
        size = len(packet)
        if self.protection is not None:
            try:
                packet = self.protection.protect(bytes(packet))
            except SrtpError:
                self.refused += 1
                return
        try:
            send(packet)
        except ConnectionRefusedError:
            self._send_again(send, packet)
        except OSError:
            self.refused += 1
            return
        self.packets += 1
        self.octets += size - HEADER_SIZE

    def _send_again(self, send: Send, packet: bytes | memoryview) -> None:
        # The kernel reports that an *earlier* packet met a closed port, and has not sent this one.
        try:
            send(packet)
        except OSError:
            self.refused += 1
