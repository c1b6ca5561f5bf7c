"""Where in a channel somebody may be speaking, by loudness alone.

Each channel of a recording is silent about half the time, and a voicemail's second channel always.
Recognition costs far more than looking, so only stretches with some sound in them are recognised, with
a margin that keeps soft beginnings and ends of words.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from media.g711 import Samples

FRAME_S = 0.1
MARGIN_S = 0.5
LONGEST_PAUSE_S = 2.0  # within one stretch: pauses tell the recogniser where a sentence ends
THRESHOLD = 40.0  # root mean square; 58 dB below full scale, above G.711's idle noise

_PIECE_S = 60  # looked at in one go


def stretches(channel: Samples, rate_hz: int) -> list[slice]:
    """The parts of ``channel`` to recognise, in order, not overlapping."""
    frame = round(FRAME_S * rate_hz)
    margin = round(MARGIN_S * rate_hz)
    found: list[slice] = []
    for start in _loud_frames(channel, frame):
        begin, end = max(0, start - margin), min(len(channel), start + frame + margin)
        if found and begin - found[-1].stop <= (LONGEST_PAUSE_S - 2 * MARGIN_S) * rate_hz:
            found[-1] = slice(found[-1].start, end)
        else:
            found.append(slice(begin, end))
    return found


def _loud_frames(channel: Samples, frame: int) -> Iterator[int]:
    """Where each frame begins that is not silent; a part of a frame at the end counts as one."""
    piece = round(_PIECE_S / FRAME_S) * frame
    for at in range(0, len(channel), piece):
        power = _power(channel[at : at + piece], frame)
        for index in np.flatnonzero(power > THRESHOLD**2).tolist():
            yield at + index * frame


def _power(samples: Samples, frame: int) -> NDArray[np.float32]:
    padded = np.zeros(-(-len(samples) // frame) * frame, np.float32)
    padded[: len(samples)] = samples
    power: NDArray[np.float32] = np.square(padded).reshape(-1, frame).mean(axis=1)
    return power
