"""What the engine can play without a file: call-progress tones, and music on hold.

The tones are the North American ones (440 + 480 Hz ringing, 480 + 620 Hz busy), each one period
long so that it can be looped. The music is ours: sixteen bars of broken chords, plucked softly
over a slow bass, rendered from the notes below. Notes that still ring at the end are
folded back onto the beginning, so that the loop has no seam. Everything lies between 300 and
3400 Hz or has overtones there, since a telephone carries no more.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from media.engine import Tone
from media.g711 import SAMPLE_RATE_HZ, Samples

_PEAK = 32767.0
_RAMP_S = 0.005  # tones begin and end this softly, or they click

#: One chord a bar, as the pitches (MIDI numbers) of its bass and its four upper notes.
_PROGRESSION = (
    (48, (64, 67, 71, 74)),  # C major, with seventh and ninth
    (45, (64, 67, 69, 72)),  # A minor
    (41, (65, 69, 72, 76)),  # F major
    (43, (62, 67, 71, 74)),  # G major
    (40, (64, 67, 71, 76)),  # E minor
    (45, (64, 69, 72, 76)),  # A minor
    (50, (62, 65, 69, 72)),  # D minor
    (43, (62, 65, 71, 74)),  # G, with its seventh
)
#: Which of the upper notes each eighth of a bar plucks; every second time through goes downwards.
_PATTERNS = ((0, 1, 2, 3, 2, 1, 2, 1), (3, 2, 1, 0, 1, 2, 3, 2))
_EIGHTH_S = 0.32
_MUSIC_PEAK = 0.35  # about 24 dB below full scale on average: heard, not endured


@cache
def tone(which: Tone) -> Samples:
    """One period of ``which``, read-only."""
    amplitude = _MAKERS[which]()
    samples = (amplitude * _PEAK).round().astype(np.int16)
    samples.setflags(write=False)
    return samples


def _sines(
    *frequencies_hz: float, on_s: float, off_s: float = 0.0, level: float = 0.1
) -> NDArray[np.float64]:
    time_s = np.arange(round(on_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    sound = level * sum(np.sin(2 * np.pi * hz * time_s) for hz in frequencies_hz)
    ramp = np.minimum(time_s, time_s[::-1]) / _RAMP_S
    return np.concatenate((sound * ramp.clip(0, 1), np.zeros(round(off_s * SAMPLE_RATE_HZ))))


def _two_notes(*frequencies_hz: float) -> NDArray[np.float64]:
    return np.concatenate([_sines(hz, on_s=0.15, level=0.15) for hz in frequencies_hz])


def _music() -> NDArray[np.float64]:
    eighth = round(_EIGHTH_S * SAMPLE_RATE_HZ)
    bars = [(chord, pattern) for pattern in _PATTERNS for chord in _PROGRESSION]
    loop = np.zeros(len(bars) * 8 * eighth)
    for bar, ((bass, upper), pattern) in enumerate(bars):
        start = bar * 8 * eighth
        _add(loop, start, _pluck(bass, length_s=2.4, level=0.9))
        for beat, voice in enumerate(pattern):
            accent = 0.75 if beat % 4 == 0 else 0.5
            _add(loop, start + beat * eighth, _pluck(upper[voice], length_s=1.4, level=accent))
    return np.asarray(loop * _MUSIC_PEAK / np.abs(loop).max())


def _pluck(pitch: int, *, length_s: float, level: float) -> NDArray[np.float64]:
    """A soft string: overtones that fade the faster the higher they are."""
    frequency_hz = 440.0 * 2 ** ((pitch - 69) / 12)
    time_s = np.arange(round(length_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    overtones = [n for n in range(1, 8) if n * frequency_hz < 3400]
    sound = sum(
        np.sin(2 * np.pi * n * frequency_hz * time_s) * np.exp(-time_s * (2.0 + 1.2 * n)) / n**1.5
        for n in overtones
    )
    ends = np.minimum(time_s / _RAMP_S, (length_s - time_s) / 0.1).clip(0, 1)
    return np.asarray(level * sound * ends)


def _add(loop: NDArray[np.float64], start: int, note: NDArray[np.float64]) -> None:
    np.add.at(loop, (start + np.arange(len(note))) % len(loop), note)


_MAKERS = {
    Tone.RINGBACK: lambda: _sines(440, 480, on_s=2, off_s=4),
    Tone.BUSY: lambda: _sines(480, 620, on_s=0.5, off_s=0.5),
    Tone.RECORDING: lambda: _sines(1400, on_s=0.2, level=0.05),
    Tone.BEEP: lambda: _sines(1000, on_s=0.4, level=0.25),
    Tone.JOINED: lambda: _two_notes(660, 880),
    Tone.LEFT: lambda: _two_notes(880, 660),
    Tone.MUSIC: _music,
}
