"""RTP packets and one stream's receiving side (RFC 3550 §5.1, §6.4.1, appendix A).

::

    0                   1                   2                   3
    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
   |V=2|P|X|  CC   |M|     PT      |       sequence number         |
   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
   |                           timestamp                           |
   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
   |           synchronization source (SSRC) identifier            |
   +=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+=+

:class:`Reception` is statistics only: it is told of packets and the time, and owns neither socket
nor clock. It tells its owner of a *break*: the sender began anew, so that offsets from its sequence
numbers and timestamps no longer hold.
"""

import struct
from enum import Enum

HEADER = struct.Struct("!BBHII")
HEADER_SIZE = HEADER.size
PLAIN = 0x80  # version 2, no padding, no extension, no contributing sources
MARKER = 0x80
PAYLOAD_TYPE = 0x7F

CLOCK_RATE_HZ = 8000
FRAME_SAMPLES = 160  # 20 ms
FRAME_S = FRAME_SAMPLES / CLOCK_RATE_HZ
SEQUENCE_MASK = 0xFFFF
TIMESTAMP_MASK = 0xFFFFFFFF

MAX_DROPOUT = 3000  # appendix A.1
MAX_MISORDER = 100
_NONE = -2  # as the highest sequence number: no packet yet, nor does any follow it


class RtpError(ValueError):
    """Not an RTP packet; the message names what is wrong."""


def payload_span(packet: bytes | bytearray | memoryview, size: int) -> tuple[int, int]:
    """Where the payload begins and ends in the first ``size`` octets: past contributing sources and
    the extension, before the padding."""
    if size < HEADER_SIZE:
        raise RtpError(f"{size} octets < header {HEADER_SIZE}")
    first = packet[0]
    if first >> 6 != 2:
        raise RtpError(f"version {first >> 6}, not 2")
    start, end = HEADER_SIZE + 4 * (first & 0x0F), size
    if first & 0x10:
        if start + 4 > size:
            raise RtpError(f"extension at {start} beyond the packet's {size} octets")
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big")
    if first & 0x20:
        padding = packet[size - 1]
        if padding == 0:
            raise RtpError("padding of 0 octets")
        end -= padding
    if start > end:
        raise RtpError(f"payload from {start} to {end} of {size} octets")
    return start, end


class Arrival(Enum):
    """What a packet is to its stream."""

    NEXT = "next"  # in order, or after a loss
    LATE = "late"  # out of order, but usable
    DUPLICATE = "duplicate"
    BREAK = "break"  # in order, but the sender began anew
    SUSPECT = "suspect"  # a jump in sequence numbers that the next packet must confirm


_NEXT = Arrival.NEXT  # looked up once: it is asked for with every packet


class Reception:
    """One sender's packets as RFC 3550 counts them."""

    __slots__ = (
        "_base",
        "_clock_rate_hz",
        "_cycles",
        "_expected_prior",
        "_highest",
        "_jitter",
        "_lost_before",
        "_probe",
        "_received_prior",
        "_this_sender",
        "_transit",
        "received",
    )

    def __init__(self, clock_rate_hz: int = CLOCK_RATE_HZ) -> None:
        self.received = 0
        self._clock_rate_hz = clock_rate_hz
        self._this_sender = 0
        self._lost_before = 0  # of earlier senders on the same endpoint
        self._highest = _NONE
        self._base = 0
        self._cycles = 0
        self._probe = -1
        self._jitter = 0.0  # in timestamp units
        self._transit = 0.0
        self._expected_prior = 0
        self._received_prior = 0

    def update(self, sequence: int, timestamp: int, now: float) -> Arrival:
        """Count one audio packet that arrived at ``now`` seconds."""
        if sequence == self._highest + 1:
            self._highest = sequence
            self.received += 1
            self._this_sender += 1
        else:
            arrival = self.count(sequence)
            if arrival is not _NEXT:
                if arrival is Arrival.BREAK:
                    self._transit = now * self._clock_rate_hz - timestamp
                return arrival
        # Appendix A.8, in floating point.
        transit = now * self._clock_rate_hz - timestamp
        change = transit - self._transit
        self._transit = transit
        if change < 0.0:
            change = -change
        if change > self._clock_rate_hz:
            # A second more or less than the clock. Timestamps wrap every day or six: that is no break.
            return Arrival.BREAK if abs(change - TIMESTAMP_MASK) > self._clock_rate_hz else _NEXT
        self._jitter += (change - self._jitter) * 0.0625
        return _NEXT

    def count(self, sequence: int) -> Arrival:
        """Count one packet whose timestamp says nothing of its time: an event's, or comfort noise."""
        step = (sequence - self._highest) & SEQUENCE_MASK
        if step != 1 or self._highest < 0:
            arrival = self._out_of_step(sequence, step)
            if arrival is not _NEXT:
                return arrival
        elif sequence == 0:
            self._cycles += 1
        self._highest = sequence
        self.received += 1
        self._this_sender += 1
        return Arrival.NEXT

    def _out_of_step(self, sequence: int, step: int) -> Arrival:
        if self._highest < 0:
            self._begin(sequence)
            return Arrival.BREAK
        if step == 0:
            return Arrival.DUPLICATE
        if step < MAX_DROPOUT:
            if sequence < self._highest:
                self._cycles += 1
            return Arrival.NEXT
        if step > SEQUENCE_MASK - MAX_MISORDER:
            self.received += 1
            self._this_sender += 1
            return Arrival.LATE
        if sequence != self._probe:
            self._probe = (sequence + 1) & SEQUENCE_MASK
            return Arrival.SUSPECT
        self.restart()
        self._begin(sequence)
        return Arrival.BREAK

    def _begin(self, sequence: int) -> None:
        self._base = self._highest = sequence
        self._cycles = 0
        self._probe = -1
        self._this_sender = 1
        self.received += 1

    def restart(self, clock_rate_hz: int | None = None) -> None:
        """Another sender speaks from here on: keep the totals, forget where the old one was."""
        if clock_rate_hz is not None and clock_rate_hz != self._clock_rate_hz:
            self._clock_rate_hz = clock_rate_hz
            self._jitter = 0.0
        self._lost_before = self.lost
        self._highest = _NONE
        self._this_sender = self._expected_prior = self._received_prior = 0

    @property
    def extended_highest(self) -> int:
        return max(0, (self._cycles << 16) + self._highest)

    @property
    def _expected(self) -> int:
        return (self._cycles << 16) + self._highest - self._base + 1 if self._highest >= 0 else 0

    @property
    def lost(self) -> int:
        """Packets of all senders that never came; duplicates do not make up for them."""
        return self._lost_before + max(0, self._expected - self._this_sender)

    @property
    def jitter_units(self) -> float:
        return self._jitter

    @property
    def jitter_ms(self) -> float:
        return self._jitter * 1000 / self._clock_rate_hz

    def fraction_lost(self) -> int:
        """In 256ths, since this was last asked (appendix A.3)."""
        expected = self._expected - self._expected_prior
        received = self._this_sender - self._received_prior
        self._expected_prior, self._received_prior = self._expected, self._this_sender
        lost = expected - received
        return min(255, (lost << 8) // expected) if expected > 0 and lost > 0 else 0
