"""Mixing, for all far ends of a slice at once.

Every edge is a row: its source's frame is gathered from the jitter slots, decoded by table, weighted
by the edge's gain; rows of one destination are summed, playbacks added, the sums clipped and encoded
by table. Each is one numpy operation, however many calls are being mixed. What a destination hears
never includes itself unless an edge says so, so that a conference needs no subtraction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.coding import Encoder
from media.engine import Codec
from media.g711 import DECODE, ENCODE, LAWS, Samples
from media.playout import SIZE, Rings, Timeline
from media.rtp import FRAME_SAMPLES

_DECODE = np.stack([DECODE[codec] for codec in LAWS])
_ENCODE = np.stack([ENCODE[codec] for codec in LAWS])


@dataclass(frozen=True, slots=True)
class Part:
    """What one destination hears in this frame: at least one source, and maybe a playback."""

    codec: Codec
    sources: Sequence[tuple[Timeline, float]]
    playback: Samples | None
    encoder: Encoder | None = None  # of a codec that is no law


def mix(rings: Rings, parts: Sequence[Part]) -> list[bytes]:
    """The frame at the head for each part, encoded."""
    edges = [edge for part in parts for edge in part.sources]
    gains = np.array([gain for _timeline, gain in edges], np.float32)
    starts = np.cumsum([0, *(len(part.sources) for part in parts[:-1])])
    sums = np.add.reduceat(
        _frames(rings, [timeline for timeline, _gain in edges]) * gains[:, None], starts, axis=0
    )
    for row, part in enumerate(parts):
        if part.playback is not None:
            sums[row] += part.playback
    return _encoded(np.clip(sums, -32768, 32767).astype(np.int16), parts)


def _frames(rings: Rings, timelines: Sequence[Timeline]) -> NDArray[np.float32]:
    """The head's frame of each, decoded."""
    at = rings.head % SIZE
    for timeline in timelines:
        timeline.ready(rings.head + FRAME_SAMPLES)
    frames = np.empty((len(timelines), FRAME_SAMPLES), np.float32)
    octets = [index for index, timeline in enumerate(timelines) if timeline.codec in LAWS]
    if octets:
        laws = np.array([LAWS.index(timelines[index].codec) for index in octets])
        rows = np.array([timelines[index].row for index in octets])
        frames[octets] = _DECODE[laws[:, None], rings.octets[rows, at : at + FRAME_SAMPLES]]
    for index, timeline in enumerate(timelines):
        if timeline.codec not in LAWS:
            frames[index] = rings.samples[timeline.row, at : at + FRAME_SAMPLES]
    return frames


def _encoded(samples: NDArray[np.int16], parts: Sequence[Part]) -> list[bytes]:
    laws = [index for index, part in enumerate(parts) if part.encoder is None]
    frames = [
        part.encoder.encode(samples[index]) if part.encoder else b"" for index, part in enumerate(parts)
    ]
    if laws:
        out = np.array([LAWS.index(parts[index].codec) for index in laws])
        octets = _ENCODE[out[:, None], samples[laws].view(np.uint16)]
        for index, frame in zip(laws, octets, strict=True):
            frames[index] = frame.tobytes()
    return frames
