"""Jitter slots: where packets wait, in their place in time, until the tick or the recorder reads.

One clock counts samples for all endpoints; :attr:`Rings.head` is its present: what lies before it
may be read, what lies ahead is still being filled. An endpoint whose far end is mixed, recorded or
searched for tones owns a row of :class:`Rings`: two seconds around the head, and beside it which
:data:`~media.conceal.CELL` of them a packet came for. A packet belongs where its timestamp says, so that
order and duplicates need no thought; how far ahead that is, is :class:`~media.jitter.Jitter`'s to say.

Two kinds of rows. G.711 is kept as octets, copied on arrival and decoded by whoever reads, all rows at
once (:class:`Timeline`). What has a memory is kept as packets, decoded in order when somebody wants
to read, into samples (:class:`DecodedTimeline`). Both make good what is missing before they are read
(:meth:`Timeline.ready`): with what the codec knows of it, a guess (:mod:`media.conceal`), or the noise that
the sender describes when nobody speaks (RFC 3389).
"""

import numpy as np
from numpy.typing import NDArray

from media import conceal
from media.coding import DECODERS
from media.comfort import noise
from media.conceal import CELL
from media.engine import Codec
from media.g711 import LAWS, SAMPLE_RATE_HZ, SILENCE, Octets, Samples, decode, encode
from media.jitter import Jitter
from media.opus import OpusDecoder
from media.rtp import FRAME_SAMPLES, TIMESTAMP_MASK

SIZE = 100 * FRAME_SAMPLES  # 2 s
HISTORY = 45 * FRAME_SAMPLES  # how far behind the head a reader may be
MAX_LEAD = 50 * FRAME_SAMPLES  # how far ahead of it a packet may lie
_FIRST_ROWS = 64
_CELLS = SIZE // CELL
_FRAME_CELLS = FRAME_SAMPLES // CELL
_HERE = bytes([1]) * _CELLS
_MAX_WAITING = 200  # packets: 2 s of the shortest
_NOTHING: Samples = np.empty(0, np.int16)


class Rings:
    """The rows of all endpoints: octets of the laws, samples of the others."""

    def __init__(self) -> None:
        self.head = 0
        self.octets: Octets = np.zeros((_FIRST_ROWS, SIZE), np.uint8)
        self.flat = self.octets.data.cast("B")
        self.here: NDArray[np.uint8] = np.zeros((_FIRST_ROWS, _CELLS), np.uint8)
        self.here_flat = self.here.data.cast("B")
        self.samples: NDArray[np.int16] = np.zeros((0, SIZE), np.int16)
        self._silence: NDArray[np.uint8] = np.zeros((_FIRST_ROWS, 1), np.uint8)
        self._free = list(range(_FIRST_ROWS))[::-1]
        self._free_samples: list[int] = []

    def take(self, codec: Codec) -> int:
        """A row of octets, filled with ``codec``'s silence."""
        if not self._free:
            self._grow()
        row = self._free.pop()
        self._silence[row] = SILENCE[codec]
        self.octets[row] = SILENCE[codec]
        self.here[row] = 0
        return row

    def give_back(self, row: int) -> None:
        self._free.append(row)

    def take_samples(self) -> int:
        """A row of samples, all zero."""
        if not self._free_samples:
            rows = len(self.samples)
            more = max(8, rows)
            self.samples = np.concatenate((self.samples, np.zeros((more, SIZE), np.int16)))
            self._free_samples.extend(range(rows, rows + more))
        row = self._free_samples.pop()
        self.samples[row] = 0
        return row

    def give_samples_back(self, row: int) -> None:
        self._free_samples.append(row)

    def _grow(self) -> None:
        rows = len(self.octets)
        self.octets = np.concatenate((self.octets, np.zeros_like(self.octets)))
        self.flat = self.octets.data.cast("B")
        self.here = np.concatenate((self.here, np.zeros_like(self.here)))
        self.here_flat = self.here.data.cast("B")
        self._silence = np.concatenate((self._silence, np.zeros_like(self._silence)))
        self._free.extend(range(rows, 2 * rows))

    def advance(self) -> None:
        """One frame of time passes; the oldest frame becomes the farthest ahead, and silent."""
        self.head += FRAME_SAMPLES
        at = (self.head + MAX_LEAD) % SIZE
        self.octets[:, at : at + FRAME_SAMPLES] = self._silence
        self.here[:, at // CELL : at // CELL + _FRAME_CELLS] = 0

    def skip(self, frames: int) -> None:
        """Time passed in which nothing was done."""
        for _ in range(min(frames, SIZE // FRAME_SAMPLES)):
            self.advance()
        self.head += max(0, frames - SIZE // FRAME_SAMPLES) * FRAME_SAMPLES


class Timeline:
    """One endpoint's row of a law's octets, and where in it a timestamp belongs."""

    __slots__ = (
        "_jitter",
        "_missing",
        "_origin",
        "_ready_to",
        "_rings",
        "codec",
        "late",
        "noise_level",
        "row",
        "units",
    )

    def __init__(self, rings: Rings, codec: Codec) -> None:
        self._rings = rings
        self.codec = codec
        self.units = codec.clock_rate_hz // SAMPLE_RATE_HZ  # of a timestamp, in a sample of ours
        self.row = self._take_row()
        self.late = 0
        self.noise_level: int | None = None  # dBov below full scale, while the sender is silent
        self._origin: int | None = None  # position, in units, = timestamp + origin
        self._jitter = Jitter()
        self._ready_to = rings.head
        self._missing = conceal.LIMIT  # cells in a row up to there, that nothing came for

    def _take_row(self) -> int:
        return self._rings.take(self.codec)

    def close(self) -> None:
        self._rings.give_back(self.row)

    def restart(self) -> None:
        """The sender began anew: its next timestamp says nothing about the last."""
        self._origin = None

    def put(self, timestamp: int, packet: memoryview, start: int, end: int) -> None:
        """Place ``packet[start:end]``, which begins at ``timestamp``."""
        rings = self._rings
        size = end - start
        lead = self._lead(timestamp, size)
        at = (rings.head + lead) % SIZE
        row = self.row * SIZE
        cell = (at + CELL // 2) // CELL
        cells = (size + CELL // 2) // CELL
        if at + size <= SIZE and cell + cells <= _CELLS:
            rings.flat[row + at : row + at + size] = packet[start:end]
            cell += self.row * _CELLS
            rings.here_flat[cell : cell + cells] = _HERE[:cells]
        else:
            room = min(SIZE - at, size)
            rings.flat[row + at : row + at + room] = packet[start : start + room]
            rings.flat[row : row + size - room] = packet[start + room : end]
            rings.here[self.row, np.arange(cell, cell + cells) % _CELLS] = 1

    def _lead(self, timestamp: int, size: int) -> int:
        """How many samples ahead of the head ``timestamp`` is, and ``size`` samples of it have room."""
        if self._origin is None:
            lead = self._align(timestamp)
        else:
            lead = (timestamp + self._origin - self._rings.head * self.units) & TIMESTAMP_MASK
            if lead > TIMESTAMP_MASK // 2:
                self.late += 1
                behind = (TIMESTAMP_MASK + 1 - lead) // self.units
                if behind < MAX_LEAD:  # else it is no lateness but a jump
                    self._jitter.was_late(behind)
                lead = self._align(timestamp)
            else:
                lead //= self.units
                if lead + size > MAX_LEAD:
                    lead = self._align(timestamp)
        self._jitter.spared(lead)
        if self.noise_level is not None:
            self.noise_level = None
        return lead

    def _align(self, timestamp: int) -> int:
        # A frame more than the delay: the head's own frame is being read at this moment.
        lead = FRAME_SAMPLES + self._jitter.delay
        self._origin = (self._rings.head + lead) * self.units - timestamp
        self._jitter.restart()
        return lead

    def settle(self) -> None:
        """Cut delay that no packet of late has needed; call every few seconds."""
        cut = self._jitter.window_ended()
        if cut and self._origin is not None:
            self._origin -= cut * self.units

    def read(self, start: int, end: int) -> bytes:
        """What lies from ``start`` up to ``end``, at most the head, at least ``HISTORY`` before it."""
        self.ready(end)
        first, last = start % SIZE, (end - 1) % SIZE + 1
        flat, offset = self._rings.flat, self.row * SIZE
        if first < last:
            return bytes(flat[offset + first : offset + last])
        return bytes(flat[offset + first : offset + SIZE]) + bytes(flat[offset : offset + last])

    def samples(self, start: int, end: int) -> Samples:
        """The same, decoded."""
        return decode(self.codec, self.read(start, end))

    def ready(self, end: int) -> None:
        """Make good what is missing up to ``end``, at most a frame ahead of the head."""
        start, self._ready_to = max(self._ready_to, self._rings.head - HISTORY), end
        if start >= end:
            return
        first, last = start // CELL % _CELLS, (end - 1) // CELL % _CELLS + 1
        offset = self.row * _CELLS
        here = self._rings.here_flat
        if first < last:
            cells = bytes(here[offset + first : offset + last])
        else:
            cells = bytes(here[offset + first : offset + _CELLS]) + bytes(here[offset : offset + last])
        if self._missing or 0 in cells:
            self._make_good(start, cells)

    def _make_good(self, start: int, cells: bytes) -> None:
        for number, came in enumerate(cells):
            at = start + number * CELL
            if came:
                if 0 < self._missing < conceal.LIMIT:
                    self._write(at, conceal.rejoin(self._guess(at), self._decoded(at, at + CELL)))
                self._missing = 0
            elif self.noise_level is not None:
                self._write(at, noise(self.noise_level, CELL))
                self._missing = conceal.LIMIT
            elif self._missing < conceal.LIMIT:
                self._write(at, self._guess(at))
                self._missing += 1

    def _guess(self, at: int) -> Samples:
        return conceal.guess(self._decoded(at - conceal.HISTORY, at), CELL, self._missing)

    def _decoded(self, start: int, end: int) -> Samples:
        row = self._rings.octets[self.row]
        return decode(self.codec, row.take(np.arange(start, end), mode="wrap"))

    def _write(self, at: int, samples: Samples) -> None:
        where = at % SIZE
        self._rings.octets[self.row, where : where + CELL] = encode(self.codec, samples)


class DecodedTimeline(Timeline):
    """One endpoint's row of samples, and the packets that wait to be decoded into it."""

    __slots__ = ("_decoder", "_waiting")

    def __init__(self, rings: Rings, codec: Codec) -> None:
        super().__init__(rings, codec)
        self._decoder = DECODERS[codec]()
        self._waiting: dict[int, bytes] = {}  # by position

    def _take_row(self) -> int:
        return self._rings.take_samples()

    def close(self) -> None:
        self._rings.give_samples_back(self.row)

    def put(self, timestamp: int, packet: memoryview, start: int, end: int) -> None:
        position = self._rings.head + self._lead(timestamp, FRAME_SAMPLES)
        position -= position % CELL
        if position < self._ready_to:  # read already, as silence or a guess
            self.late += 1
            self._jitter.was_late(self._ready_to - position)
            self._origin = None
            return
        if len(self._waiting) >= _MAX_WAITING:  # nobody reads at the moment
            del self._waiting[next(iter(self._waiting))]
        self._waiting[position] = bytes(packet[start:end])

    def read(self, start: int, end: int) -> bytes:
        return self.samples(start, end).tobytes()

    def samples(self, start: int, end: int) -> Samples:
        self.ready(end)
        return self._decoded(start, end)

    def ready(self, end: int) -> None:
        if self._ready_to < self._rings.head - HISTORY:
            self._ready_to = self._rings.head - HISTORY
            self._waiting = {at: payload for at, payload in self._waiting.items() if at >= self._ready_to}
        while self._ready_to < end:
            heard = self._heard(self._ready_to)
            if not heard.size:
                heard = self._unheard(self._ready_to)
            self._write(self._ready_to, heard)
            self._ready_to += len(heard)

    def _heard(self, at: int) -> Samples:
        """What the packet for this place says; nothing if none came, or it says nothing."""
        payload = self._waiting.pop(at, None)
        if payload is None:
            return _NOTHING
        try:
            heard = self._decoder.decode(payload)[:MAX_LEAD]
        except ValueError:
            return _NOTHING
        heard = heard[: len(heard) // CELL * CELL]
        if heard.size:
            if not isinstance(self._decoder, OpusDecoder) and 0 < self._missing < conceal.LIMIT:
                heard[:CELL] = conceal.rejoin(self._guess(at), heard[:CELL])
            self._missing = 0
        return heard

    def _unheard(self, at: int) -> Samples:
        if self.noise_level is not None:
            self._missing = conceal.LIMIT
            return noise(self.noise_level, CELL)
        if self._missing >= conceal.LIMIT:
            return np.zeros(CELL, np.int16)
        if not isinstance(self._decoder, OpusDecoder):
            guess = self._guess(at)
            self._missing += 1
            return guess
        if at + CELL in self._waiting:
            self._missing += 1
            return self._decoder.conceal(CELL)
        self._missing += 2
        after = self._waiting.get(at + FRAME_SAMPLES)
        return self._decoder.recover(after, FRAME_SAMPLES) if after else self._decoder.conceal(FRAME_SAMPLES)

    def _decoded(self, start: int, end: int) -> Samples:
        samples: Samples = self._rings.samples[self.row].take(np.arange(start, end), mode="wrap")
        return samples

    def _write(self, at: int, samples: Samples) -> None:
        where = np.arange(at, at + len(samples)) % SIZE
        self._rings.samples[self.row, where] = samples


def timeline_of(rings: Rings, codec: Codec) -> Timeline:
    return Timeline(rings, codec) if codec in LAWS else DecodedTimeline(rings, codec)
