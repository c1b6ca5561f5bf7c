"""Jitter slots: where packets wait, in their place in time, until the tick or the recorder reads.

One clock counts samples for all endpoints; :attr:`Rings.head` is its present: what lies before it
may be read, what lies ahead is still being filled. An endpoint whose far end is mixed, recorded or
searched for tones owns a row of :class:`Rings`, two seconds of G.711 octets around the head. A
packet is copied to the place its timestamp says, so that order, loss and duplicates need no thought,
and what never came is silence. All rows make one numpy array, so that a tick decodes whatever it
needs of all endpoints at once.

:class:`Timeline` maps a sender's timestamps to that clock. The first packet of a stream is placed
:data:`FIRST_DELAY` ahead; one that comes too late moves all that follow further ahead; a delay that
has proved needlessly long for some seconds is cut.
"""

import numpy as np
from numpy.typing import NDArray

from media.engine import Codec
from media.g711 import SILENCE, Octets
from media.rtp import FRAME_SAMPLES, TIMESTAMP_MASK

SIZE = 100 * FRAME_SAMPLES  # 2 s
HISTORY = 45 * FRAME_SAMPLES  # how far behind the head a reader may be
MAX_LEAD = 50 * FRAME_SAMPLES  # how far ahead of it a packet may lie
FIRST_DELAY = 2 * FRAME_SAMPLES
LONGEST_DELAY = 10 * FRAME_SAMPLES
_SLACK = 2 * FRAME_SAMPLES  # delay above what was asked for that is not worth a cut
_FIRST_ROWS = 64


class Rings:
    """The rows of all endpoints."""

    def __init__(self) -> None:
        self.head = 0
        self.octets: Octets = np.zeros((_FIRST_ROWS, SIZE), np.uint8)
        self.flat = self.octets.data.cast("B")
        self._silence: NDArray[np.uint8] = np.zeros((_FIRST_ROWS, 1), np.uint8)
        self._free = list(range(_FIRST_ROWS))[::-1]

    def take(self, codec: Codec) -> int:
        """A row, filled with ``codec``'s silence."""
        if not self._free:
            self._grow()
        row = self._free.pop()
        self._silence[row] = SILENCE[codec]
        self.octets[row] = SILENCE[codec]
        return row

    def give_back(self, row: int) -> None:
        self._free.append(row)

    def _grow(self) -> None:
        rows = len(self.octets)
        self.octets = np.concatenate((self.octets, np.zeros_like(self.octets)))
        self.flat = self.octets.data.cast("B")
        self._silence = np.concatenate((self._silence, np.zeros_like(self._silence)))
        self._free.extend(range(rows, 2 * rows))

    def advance(self) -> None:
        """One frame of time passes; the oldest frame becomes the farthest ahead, and silent."""
        self.head += FRAME_SAMPLES
        at = (self.head + MAX_LEAD) % SIZE
        self.octets[:, at : at + FRAME_SAMPLES] = self._silence

    def skip(self, frames: int) -> None:
        """Time passed in which nothing was done."""
        for _ in range(min(frames, SIZE // FRAME_SAMPLES)):
            self.advance()
        self.head += max(0, frames - SIZE // FRAME_SAMPLES) * FRAME_SAMPLES


class Timeline:
    """One endpoint's row, and where in it a timestamp belongs."""

    __slots__ = ("_delay", "_least_lead", "_offset", "_origin", "_rings", "codec", "late", "row")

    def __init__(self, rings: Rings, codec: Codec) -> None:
        self._rings = rings
        self.codec = codec
        self.row = rings.take(codec)
        self.late = 0
        self._offset = self.row * SIZE
        self._origin: int | None = None  # position = timestamp + origin
        self._delay = FIRST_DELAY
        self._least_lead = MAX_LEAD

    def close(self) -> None:
        self._rings.give_back(self.row)

    def restart(self) -> None:
        """The sender began anew: its next timestamp says nothing about the last."""
        self._origin = None

    def put(self, timestamp: int, packet: memoryview, start: int, end: int) -> None:
        """Place ``packet[start:end]``, which begins at ``timestamp``."""
        rings = self._rings
        size = end - start
        if self._origin is None:
            lead = self._align(timestamp)
        else:
            lead = (timestamp + self._origin - rings.head) & TIMESTAMP_MASK
            if lead + size > MAX_LEAD:
                lead = self._realign(timestamp, lead)
        if lead < self._least_lead:
            self._least_lead = lead
        at = (rings.head + lead) % SIZE
        room = SIZE - at
        if size <= room:
            at += self._offset
            rings.flat[at : at + size] = packet[start:end]
        else:
            rings.flat[at + self._offset : self._offset + SIZE] = packet[start : start + room]
            rings.flat[self._offset : self._offset + size - room] = packet[start + room : end]

    def _realign(self, timestamp: int, lead: int) -> int:
        if lead > TIMESTAMP_MASK // 2:
            self.late += 1
            self._delay = min(self._delay + FRAME_SAMPLES, LONGEST_DELAY)
        return self._align(timestamp)

    def _align(self, timestamp: int) -> int:
        # A frame more than the delay: the head's own frame is being read at this moment.
        lead = FRAME_SAMPLES + self._delay
        self._origin = self._rings.head + lead - timestamp
        self._least_lead = MAX_LEAD
        return lead

    def settle(self) -> None:
        """Cut delay that no packet of late has needed; call every few seconds."""
        excess = self._least_lead - FRAME_SAMPLES - self._delay
        if self._origin is not None and _SLACK < excess < MAX_LEAD - FRAME_SAMPLES - self._delay:
            self._origin -= excess // FRAME_SAMPLES * FRAME_SAMPLES
        self._least_lead = MAX_LEAD

    def read(self, start: int, end: int) -> bytes:
        """The octets from ``start`` up to ``end``, at most the head, at least ``HISTORY`` before it."""
        first, last = start % SIZE, (end - 1) % SIZE + 1
        flat, offset = self._rings.flat, self._offset
        if first < last:
            return bytes(flat[offset + first : offset + last])
        return bytes(flat[offset + first : offset + SIZE]) + bytes(flat[offset : offset + last])
