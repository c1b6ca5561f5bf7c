"""Packet loss concealment, after ITU-T G.711 Appendix I: what was lost sounds like what came before.

Speech repeats itself with every period of the voice. The last period that was heard is found by
correlation and repeated for as long as nothing comes; from 10 ms on it fades, and after
:data:`LIMIT` it is silence, for a guess that goes on too long sounds worse than a pause. Where
the voice returns, the guess fades into it, as two voices out of step would click.

Pure: samples in, samples out. Who is concealed, and when, is :mod:`media.playout`'s to know.
"""

import numpy as np

from media.g711 import Samples

CELL = 80  # 10 ms: loss is counted in these, as the shortest packets are that long
LIMIT = 6  # cells without a packet until there is silence
HISTORY = 390  # samples before the loss that are looked at, as in the appendix
OVERLAP = 32  # samples, 4 ms

_SHORTEST, _LONGEST = 40, 120  # periods: 200 Hz down to 66 Hz
_WINDOW = 160
_FADE = 0.2  # a cell


def period(before: Samples) -> int:
    """How many samples the voice takes to repeat itself, at the end of ``before``."""
    signal = before[-HISTORY:].astype(np.float32)
    newest = signal[-_WINDOW:]
    past = signal[-_WINDOW - _LONGEST : -_SHORTEST]
    windows = np.lib.stride_tricks.sliding_window_view(past, _WINDOW)  # the oldest, and longest, first
    energy = np.einsum("ij,ij->i", windows, windows) + 1.0
    likeness = windows @ newest / np.sqrt(energy)
    return _LONGEST - int(np.argmax(likeness))


def guess(before: Samples, count: int, missing: int) -> Samples:
    """``count`` samples to follow ``before``, of which ``missing`` cells are guesses already."""
    if missing >= LIMIT:
        return np.zeros(count, np.int16)
    length = period(before)
    repeated = np.resize(before[-length:], count).astype(np.float32)
    at = missing + np.arange(count, dtype=np.float32) / CELL
    return (repeated * np.clip(1.0 - _FADE * (at - 1.0), 0.0, 1.0)).astype(np.int16)


def rejoin(guessed: Samples, real: Samples) -> Samples:
    """``real`` with the way on of ``guessed`` faded out over its beginning."""
    rise = np.linspace(0.0, 1.0, OVERLAP, endpoint=False, dtype=np.float32)
    joined = real.copy()
    joined[:OVERLAP] = guessed[:OVERLAP] * (1.0 - rise) + real[:OVERLAP] * rise
    return joined
