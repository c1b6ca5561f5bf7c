"""Between telephone's 8 kHz and G.722's 16 kHz, frame by frame.

One half-band filter serves both ways: a windowed sinc that passes up to 3.4 kHz and stops what lies
above 4.6 kHz by some 60 dB. Each object keeps the end of the frame before, so that frames join without a
seam; the price is a delay of :data:`TAPS` / 2 samples at 16 kHz, two milliseconds.
"""

import numpy as np
from numpy.typing import NDArray

from media.g711 import Samples

TAPS = 63


def _half_band() -> NDArray[np.float32]:
    at = np.arange(TAPS) - TAPS // 2
    ideal = np.sinc(at / 2) / 2 * np.kaiser(TAPS, 6.0)
    taps: NDArray[np.float32] = (ideal / ideal.sum()).astype(np.float32)
    return taps


_FILTER = _half_band()
_EVEN, _ODD = _FILTER[::2] * 2, _FILTER[1::2] * 2  # what falls on samples, and between them


def _whole(samples: NDArray[np.float32]) -> Samples:
    return samples.round().clip(-32768, 32767).astype(np.int16)


class Halver:
    """16 kHz to 8 kHz."""

    def __init__(self) -> None:
        self._before: NDArray[np.float32] = np.zeros(TAPS - 1, np.float32)

    def feed(self, samples: Samples) -> Samples:
        """Half as many; ``samples`` must be an even number."""
        signal: NDArray[np.float32] = np.concatenate((self._before, samples))
        self._before = signal[-(TAPS - 1) :]
        return _whole(np.convolve(signal, _FILTER, "valid")[::2])


class Doubler:
    """8 kHz to 16 kHz."""

    def __init__(self) -> None:
        self._before: NDArray[np.float32] = np.zeros(len(_EVEN) - 1, np.float32)

    def feed(self, samples: Samples) -> Samples:
        """Twice as many."""
        signal: NDArray[np.float32] = np.concatenate((self._before, samples))
        self._before = signal[-(len(_EVEN) - 1) :]
        doubled = np.empty(2 * len(samples), np.float32)
        doubled[0::2] = np.convolve(signal, _EVEN, "valid")
        doubled[1::2] = np.convolve(signal[1:], _ODD, "valid")
        return _whole(doubled)
