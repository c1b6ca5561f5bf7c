"""Silence is left out, speech never."""

import numpy as np
import pytest

from pbx.intelligence.speech import stretches

RATE = 8000


def channel(*parts):
    """Alternating seconds of silence and of noise as loud as speech, beginning with silence."""
    noise = np.random.default_rng(1)
    pieces = [
        noise.normal(0, 1000, round(seconds * RATE)) if place % 2 else np.zeros(round(seconds * RATE))
        for place, seconds in enumerate(parts)
    ]
    return np.concatenate(pieces).astype(np.int16)


def seconds(parts):
    return [(part.start / RATE, part.stop / RATE) for part in parts]


def test_silence_has_no_stretch():
    assert stretches(channel(100), RATE) == []
    assert stretches(channel(0), RATE) == []


def test_idle_noise_of_a_g711_line_is_silence():
    assert stretches(np.tile(np.array([8, -8, 24, -24], np.int16), 20_000), RATE) == []


def test_a_stretch_has_margins():
    assert seconds(stretches(channel(10, 3, 10), RATE)) == [(9.5, 13.5)]


def test_margins_end_with_the_channel():
    assert seconds(stretches(channel(0, 3), RATE)) == [(0.0, 3.0)]


@pytest.mark.parametrize(
    ("pause", "expected"),
    [(2.0, [(9.5, 18.5)]), (2.1, [(9.5, 13.5), (14.6, 18.6)]), (30.0, [(9.5, 13.5), (42.5, 46.5)])],
)
def test_short_pauses_stay_within_a_stretch(pause, expected):
    assert seconds(stretches(channel(10, 3, pause, 3, 10), RATE)) == expected


def test_a_click_at_the_very_end_counts():
    samples = channel(130.05)
    samples[-1] = 32000
    assert seconds(stretches(samples, RATE)) == [(129.5, 130.05)]


def test_stretches_cover_every_loud_sample():
    samples = channel(1, 70, 3, 0.02, 61, 1.03, 2.3, 4)
    covered = np.zeros(len(samples), bool)
    for part in stretches(samples, RATE):
        assert not covered[part].any()
        covered[part] = True
    assert np.abs(samples[~covered]).max(initial=0) == 0
