"""Hums, one pitch a party, and who is heard in a recording of several: by frequency."""

import wave
from pathlib import Path

import numpy as np

from media.g711 import Samples

RATE_HZ = 8000
WINDOW_S = 0.4


def hum(path: Path, hz: float, seconds: float = 60.0) -> str:
    """A WAV file of that pitch."""
    t = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    samples = (6000 * np.sin(2 * np.pi * hz * t)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return str(path)


def samples_in(path: Path) -> Samples:
    with wave.open(str(path)) as file:
        assert file.getframerate() in (RATE_HZ, 2 * RATE_HZ)
        step = file.getnchannels() * file.getframerate() // RATE_HZ
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")[::step]


def heard_in(samples: Samples, pitches_hz: tuple[int, ...]) -> list[set[int]]:
    """The pitches that sound, window by window; a window in which nothing does is an empty set."""
    size = int(WINDOW_S * RATE_HZ)
    windows = samples[: len(samples) // size * size].reshape(-1, size) * np.hanning(size)
    power = np.abs(np.fft.rfft(windows)) ** 2
    at = {hz: power[:, round(hz * WINDOW_S) - 1 : round(hz * WINDOW_S) + 2].sum(axis=1) for hz in pitches_hz}
    audible = (size * 200) ** 2
    return [{hz for hz in pitches_hz if at[hz][n] > audible} for n in range(len(windows))]


def longest_s(windows: list[set[int]], pitches: set[int]) -> float:
    """For how long exactly these sounded without a break."""
    longest = run = 0
    for window in windows:
        run = run + 1 if window == pitches else 0
        longest = max(longest, run)
    return longest * WINDOW_S
