"""Frames of ours, put together or taken apart as the far end wants them in packets (``ptime``).

The tick makes 20 ms. An octet of G.711 and of G.722 is a sample of the RTP clock, so that their frames may be
cut anywhere. Opus frames stay whole: those of 40 and 60 ms leave as one packet of several frames (RFC 6716
§3.2.5, code 3), where the encoder made them in one configuration; 10 and 30 ms as 20, for ``ptime``
is a wish (RFC 8866 §6.4) and every Opus decoder takes any length.
"""

from media.engine import Codec
from media.rtp import FRAME_SAMPLES

Packed = list[tuple[bytes, int]]  # payload, and the position of the engine's clock where it begins
PTIMES_MS = (10, 20, 30, 40, 60)
_CODE = 0x03  # of a table-of-contents octet: how many frames follow
_VARIABLE = 0x80


def nearest_ptime(ptime_ms: int) -> int:
    """The longest of ours that is not longer than wanted."""
    return max((ours for ours in PTIMES_MS if ours <= ptime_ms), default=PTIMES_MS[0])


def packing_for(codec: Codec, ptime_ms: int) -> "Packing | None":
    """None where a frame is a packet."""
    ptime_ms = nearest_ptime(ptime_ms)
    if codec is not Codec.OPUS:
        return OctetPacking(ptime_ms * 8) if ptime_ms != 20 else None
    return OpusPacking(ptime_ms // 20) if ptime_ms >= 40 else None


class Packing:
    """Takes frames one after the other and gives back what is due to be sent."""

    def __init__(self) -> None:
        self._start = 0

    def add(self, frame: bytes, position: int) -> Packed:
        raise NotImplementedError

    def clear(self) -> None:
        """What follows has nothing to do with what waits."""
        raise NotImplementedError


class OctetPacking(Packing):
    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._waiting = bytearray()

    def add(self, frame: bytes, position: int) -> Packed:
        if self._start + len(self._waiting) != position:
            self._waiting.clear()
        if not self._waiting:
            self._start = position
        self._waiting += frame
        packed: Packed = []
        while len(self._waiting) >= self._size:
            packed.append((bytes(self._waiting[: self._size]), self._start))
            del self._waiting[: self._size]
            self._start += self._size
        return packed

    def clear(self) -> None:
        self._waiting.clear()


class OpusPacking(Packing):
    def __init__(self, frames: int) -> None:
        super().__init__()
        self._frames = frames
        self._waiting: list[bytes] = []

    def add(self, frame: bytes, position: int) -> Packed:
        packed: Packed = []
        follows = self._start + len(self._waiting) * FRAME_SAMPLES == position
        if self._waiting and not (follows and self._waiting[0][:1] == frame[:1]):
            packed = self._flush()
        if not self._waiting:
            self._start = position
        self._waiting.append(frame)
        return packed + self._flush() if len(self._waiting) == self._frames else packed

    def _flush(self) -> Packed:
        frames, self._waiting = self._waiting, []
        return [(joined(frames) if len(frames) > 1 else frames[0], self._start)]

    def clear(self) -> None:
        self._waiting.clear()


def joined(packets: list[bytes]) -> bytes:
    """Packets of one frame each and one configuration, as one packet (RFC 6716 §3.2.5)."""
    lengths = b"".join(_length(len(packet) - 1) for packet in packets[:-1])
    contents = packets[0][0] & ~_CODE | 3
    return bytes([contents, _VARIABLE | len(packets)]) + lengths + b"".join(packet[1:] for packet in packets)


def _length(octets: int) -> bytes:
    """§3.2.1: one octet up to 251, then two."""
    return bytes([octets]) if octets < 252 else bytes([252 + octets % 4, (octets - 252) // 4])
