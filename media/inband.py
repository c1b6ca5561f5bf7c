"""DTMF heard as sound: a Goertzel filter bank over blocks of 102 samples.

For phones and trunks that offer no telephone-event. ITU-T Q.24 says what a receiver must take (tones of
40 ms with 40 ms between, frequencies off by 1.5 %, one tone up to several dB louder than the other)
and what it must not: speech. A block counts as a key when

* one row and one column frequency are each well above the others of their group,
* neither is more than its *twist* louder than the other,
* both are above a floor, and together they are nearly all there is in the block.

Voices pass the first three now and then, the last hardly ever, and two blocks in a row less still:
a press is two neighbouring blocks that agree, its end two that do not.

A Goertzel filter's output is the block's discrete Fourier transform at one frequency, so that the
eight filters over all blocks at hand are one matrix product.
"""

import numpy as np
from numpy.typing import NDArray

from media.g711 import SAMPLE_RATE_HZ, Samples

BLOCK = 102  # 12.75 ms: a 40 ms tone always fills two blocks, and the eight frequencies stay apart
ROWS_HZ = (697, 770, 852, 941)
COLUMNS_HZ = (1209, 1336, 1477, 1633)
KEYPAD = ("123A", "456B", "789C", "*0#D")

FULL_SCALE_DBM0 = 3.14  # what a sine that fills the codec's range measures, by G.711
MIN_TONE_DBM0 = -33.0
MAX_NORMAL_TWIST_DB = 8.0  # the column louder than the row
MAX_REVERSE_TWIST_DB = 6.0  # the row louder than the column
MIN_PEAK_DB = 8.0  # a group's loudest over its next
MIN_SHARE = 0.78  # of the block's power, in the two tones


def _ratio(decibels: float) -> float:
    return float(10 ** (decibels / 10))


def _filters() -> NDArray[np.float32]:
    phase = 2 * np.pi * np.outer(np.arange(BLOCK), ROWS_HZ + COLUMNS_HZ) / SAMPLE_RATE_HZ
    return np.hstack([np.cos(phase), np.sin(phase)]).astype(np.float32)


_FILTERS = _filters()
_FLOOR = (32768 * BLOCK / 2) ** 2 * _ratio(MIN_TONE_DBM0 - FULL_SCALE_DBM0)
# A block of less power than one tone at the floor cannot hold two.
_QUIET = _FLOOR * 2 / BLOCK


class InbandDetector:
    """Finds key presses in one stream of 8 kHz samples, fed in pieces of any size."""

    def __init__(self) -> None:
        self._rest = np.empty(0, np.int16)
        self._pressed = ""
        self._last = ""

    def feed(self, samples: Samples) -> str:
        """The keys whose press was recognised in these samples, mostly none."""
        pending = np.concatenate((self._rest, samples)) if self._rest.size else samples
        whole = len(pending) // BLOCK * BLOCK
        self._rest = pending[whole:].copy()
        if not whole:
            return ""
        return "".join(map(self._press, _hits(pending[:whole].reshape(-1, BLOCK))))

    def _press(self, hit: str) -> str:
        confirmed = hit == self._last
        self._last = hit
        if not confirmed or hit == self._pressed:
            return ""
        self._pressed = hit
        return hit


def _hits(blocks: NDArray[np.int16]) -> list[str]:
    """The key each block sounds like, "" for none."""
    signal = blocks.astype(np.float32)
    energy = np.einsum("ij,ij->i", signal, signal)
    if not (energy > _QUIET).any():
        return [""] * len(blocks)
    parts = signal @ _FILTERS
    powers = parts[:, :8] ** 2 + parts[:, 8:] ** 2
    return [_key(power, total) for power, total in zip(powers.tolist(), energy.tolist(), strict=True)]


def _key(powers: list[float], energy: float) -> str:
    row, row_power, row_next = _peak(powers[:4])
    column, column_power, column_next = _peak(powers[4:])
    is_key = (
        min(row_power, column_power) >= _FLOOR
        and row_power >= _PEAK * row_next
        and column_power >= _PEAK * column_next
        and column_power <= _NORMAL_TWIST * row_power
        and row_power <= _REVERSE_TWIST * column_power
        # A sine's share of a block's energy is its filter's power over energy * BLOCK / 2.
        and row_power + column_power >= MIN_SHARE * energy * BLOCK / 2
    )
    return KEYPAD[row][column] if is_key else ""


def _peak(powers: list[float]) -> tuple[int, float, float]:
    """The place and power of a group's loudest tone, and the power of its next."""
    order = sorted(range(4), key=powers.__getitem__)
    return order[3], powers[order[3]], powers[order[2]]


_PEAK = _ratio(MIN_PEAK_DB)
_NORMAL_TWIST = _ratio(MAX_NORMAL_TWIST_DB)
_REVERSE_TWIST = _ratio(MAX_REVERSE_TWIST_DB)
