"""Mixing, for all far ends of a slice at once.

Every edge is a row: its source's frame is gathered from the jitter slots, decoded by table, weighted
by the edge's gain; rows of one destination are summed, playbacks added, the sums clipped and encoded
by table. Each is one numpy operation, however many calls are being mixed. What a destination hears
never includes itself unless an edge says so, so that a conference needs no subtraction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from media.engine import Codec
from media.g711 import DECODE, ENCODE, Samples
from media.playout import SIZE, Rings, Timeline
from media.rtp import FRAME_SAMPLES

_LAWS = tuple(Codec)
_DECODE = np.stack([DECODE[codec] for codec in _LAWS])
_ENCODE = np.stack([ENCODE[codec] for codec in _LAWS])


@dataclass(frozen=True, slots=True)
class Part:
    """What one destination hears in this frame: at least one source, and maybe a playback."""

    codec: Codec
    sources: Sequence[tuple[Timeline, float]]
    playback: Samples | None


def mix(rings: Rings, parts: Sequence[Part]) -> list[bytes]:
    """The frame at the head for each part, encoded."""
    at = rings.head % SIZE
    edges = [edge for part in parts for edge in part.sources]
    rows = np.array([timeline.row for timeline, _gain in edges])
    laws = np.array([_LAWS.index(timeline.codec) for timeline, _gain in edges])
    gains = np.array([gain for _timeline, gain in edges], np.float32)
    starts = np.cumsum([0, *(len(part.sources) for part in parts[:-1])])

    octets = rings.octets[rows, at : at + FRAME_SAMPLES]
    sums = np.add.reduceat(_DECODE[laws[:, None], octets] * gains[:, None], starts, axis=0)
    for row, part in enumerate(parts):
        if part.playback is not None:
            sums[row] += part.playback
    samples = np.clip(sums, -32768, 32767).astype(np.int16).view(np.uint16)
    out = np.array([_LAWS.index(part.codec) for part in parts])
    return [frame.tobytes() for frame in _ENCODE[out[:, None], samples]]
