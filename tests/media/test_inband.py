"""Keys as sound: what ITU-T Q.24 wants taken, and what must not be."""

import shutil
import subprocess

import numpy as np
import pytest

from media.engine import Codec
from media.g711 import LAWS, decode, encode
from media.inband import COLUMNS_HZ, FULL_SCALE_DBM0, KEYPAD, ROWS_HZ, InbandDetector
from media.wav import read_wav

ALL = "".join(KEYPAD)
FREQUENCIES = {key: (ROWS_HZ[r], COLUMNS_HZ[c]) for r, row in enumerate(KEYPAD) for c, key in enumerate(row)}


def tones(keys, *, on_ms=60, off_ms=60, row_dbm0=-10.0, column_dbm0=-10.0, detuned=1.0):
    time_s = np.arange(on_ms * 8) / 8000
    pieces = [np.zeros(400)]
    for key in keys:
        for_row, for_column = (2 * np.pi * hz * detuned * time_s for hz in FREQUENCIES[key])
        pieces.append(amplitude(row_dbm0) * np.sin(for_row) + amplitude(column_dbm0) * np.sin(for_column))
        pieces.append(np.zeros(off_ms * 8))
    return np.concatenate(pieces)


def amplitude(dbm0):
    return 32767 * 10 ** ((dbm0 - FULL_SCALE_DBM0) / 20)


def heard(signal, *, piece=160, codec=Codec.PCMU):
    """What is recognised in ``signal`` after a G.711 line, packet by packet."""
    samples = decode(codec, encode(codec, np.clip(np.round(signal), -32768, 32767).astype(np.int16)))
    detector = InbandDetector()
    return "".join(detector.feed(samples[at : at + piece]) for at in range(0, len(samples), piece))


@pytest.mark.parametrize("codec", LAWS)
def test_all_sixteen_keys(codec):
    assert heard(tones(ALL), codec=codec) == ALL


@pytest.mark.parametrize("piece", [1, 80, 102, 160, 5000])
def test_the_size_of_the_pieces_does_not_matter(piece):
    assert heard(tones("15#"), piece=piece) == "15#"


def test_forty_milliseconds_on_and_off_are_enough():
    assert heard(tones(ALL * 3, on_ms=40, off_ms=40)) == ALL * 3


def test_a_key_held_is_one_key():
    assert heard(tones("5", on_ms=3000)) == "5"


def test_the_same_key_again_is_two():
    assert heard(tones("55")) == "55"


@pytest.mark.parametrize("detuned", [0.985, 1.015])
def test_frequencies_may_be_off_by_one_and_a_half_percent(detuned):
    assert heard(tones(ALL, detuned=detuned)) == ALL


@pytest.mark.parametrize("detuned", [0.95, 1.05])
def test_but_not_by_five(detuned):
    assert heard(tones(ALL, detuned=detuned)) == ""


@pytest.mark.parametrize("dbm0", [0.0, -25.0, -30.0])
def test_levels_that_count(dbm0):
    assert heard(tones(ALL, row_dbm0=dbm0 - 0.5, column_dbm0=dbm0 - 0.5)) == ALL


def test_levels_that_do_not():
    assert heard(tones(ALL, row_dbm0=-45, column_dbm0=-45)) == ""


@pytest.mark.parametrize(("row_dbm0", "column_dbm0"), [(-16, -9), (-9, -14)])
def test_twist_that_is_taken(row_dbm0, column_dbm0):
    assert heard(tones(ALL, row_dbm0=row_dbm0, column_dbm0=column_dbm0)) == ALL


@pytest.mark.parametrize(("row_dbm0", "column_dbm0"), [(-22, -10), (-10, -20), (-10, -90), (-90, -10)])
def test_twist_that_is_not(row_dbm0, column_dbm0):
    assert heard(tones(ALL, row_dbm0=row_dbm0, column_dbm0=column_dbm0)) == ""


def test_keys_in_noise():
    signal = tones(ALL * 4)
    noise = np.random.default_rng(1).normal(0, amplitude(-10) / np.sqrt(2) * 10 ** (-18 / 20), len(signal))
    assert heard(signal + noise) == ALL * 4


def test_noise_alone_is_no_key():
    noise = np.random.default_rng(2).normal(0, 4000, 8000 * 60)
    assert heard(noise, piece=8000) == ""


@pytest.mark.parametrize("frequencies_hz", [(350, 440), (440, 480), (480, 620), (1000,), (1100,), (2100,)])
def test_progress_and_fax_tones_are_no_key(frequencies_hz):
    time_s = np.arange(16000) / 8000
    assert heard(sum(8000 * np.sin(2 * np.pi * hz * time_s) for hz in frequencies_hz)) == ""


TALK = """Please leave me a message after the tone, and thank you for calling. I would like to speak to
somebody about a leaking pipe in my kitchen, on the second floor. Seven eight nine, zero, five five five,
four three two one. Yes, we do. No, you may not! Aha. Mm hmm, really? See you on Wednesday, Eve."""


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="needs espeak-ng (apt install espeak-ng)")
@pytest.mark.parametrize("voice", ["en-us", "en-us+f3", "en-gb+m7", "en-us+croak"])
@pytest.mark.parametrize("pitch", ["20", "50", "95"])
def test_talk_off(voice, pitch, tmp_path):
    """Speech, at three levels, presses no key."""
    spoken = tmp_path / "talk.wav"
    subprocess.run(["espeak-ng", "-v", voice, "-p", pitch, "-w", spoken, TALK], check=True)
    speech = read_wav(spoken).astype(float)
    for gain in (0.1, 0.4, 1.0):
        assert heard(speech * gain, piece=8000) == ""
