"""Concealment is worth having: measured on real speech, against silence."""

from pathlib import Path

import numpy as np
import pytest

from media.coding import DECODERS, ENCODERS
from media.conceal import CELL, HISTORY, LIMIT, guess, period, rejoin
from media.engine import Codec
from media.g711 import Samples
from media.wav import read_wav

SAMPLES = sorted((Path(__file__).parent.parent / "data/vosk/model-tiny-en/samples").glob("*.wav"))


def snr_db(right: Samples, made: Samples) -> float:
    error = right.astype(float) - made
    return float(10 * np.log10((right.astype(float) ** 2).sum() / (error**2).sum()))


@pytest.mark.parametrize("lost_cells", [1, 2, 4])
def test_on_speech_a_guess_is_nearer_than_silence(lost_cells: int) -> None:
    """Each tenth packet lost, over six recordings of people who speak."""
    gains = []
    for path in SAMPLES:
        speech = read_wav(path)
        concealed, silent = speech.copy(), speech.copy()
        for start in range(
            HISTORY // CELL * CELL + 10 * CELL, len(speech) - 10 * CELL, 10 * lost_cells * CELL
        ):
            for cell in range(lost_cells):
                at = start + cell * CELL
                concealed[at : at + CELL] = guess(concealed[at - HISTORY : at], CELL, cell)
                silent[at : at + CELL] = 0
        gains.append(snr_db(speech, concealed) - snr_db(speech, silent))
    assert np.mean(gains) > (1.0 if lost_cells < 4 else 0.0), gains


def test_the_period_of_a_voice_is_found() -> None:
    time = np.arange(HISTORY)
    for length in (40, 57, 80, 120):
        pulses = (6000 * np.exp(-(time % length) / 8) * np.sin(time % length)).astype(np.int16)
        assert period(pulses) % length == 0


def test_a_guess_fades_and_ends() -> None:
    before = (10000 * np.sin(np.arange(HISTORY) * 2 * np.pi / 80)).astype(np.int16)
    levels = [int(np.abs(guess(before, CELL, cell)).max()) for cell in range(LIMIT + 1)]
    assert levels[0] > 9500
    assert levels == sorted(levels, reverse=True)
    assert levels[-1] == 0


def test_silence_stays_silent() -> None:
    assert not guess(np.zeros(HISTORY, np.int16), CELL, 0).any()


def test_the_guess_fades_into_what_comes_after() -> None:
    joined = rejoin(np.full(CELL, 1000, np.int16), np.zeros(CELL, np.int16))
    assert joined[0] == 1000
    assert not joined[CELL // 2 :].any()
    assert np.abs(np.diff(joined)).max() <= 1000 / 16


@pytest.mark.parametrize("codec", [Codec.G722, Codec.OPUS])
def test_what_was_spoken_is_heard_through_the_codec(codec: Codec) -> None:
    speech = read_wav(SAMPLES[0])
    speech = speech[: len(speech) // 160 * 160]
    encoder, decoder = ENCODERS[codec](), DECODERS[codec]()
    heard = np.concatenate([decoder.decode(encoder.encode(frame)) for frame in speech.reshape(-1, 160)])
    assert len(heard) == len(speech)
    delays = [snr_db(speech[: -delay or None], heard[delay:]) for delay in range(80)]
    assert max(delays) > (30 if codec is Codec.G722 else 8)  # Opus keeps the sound, not the wave


@pytest.mark.parametrize("payload", [b"\xff", b"\x03", b"\x00" * 3000])
def test_octets_that_are_no_opus_are_refused_not_believed(payload: bytes) -> None:
    with pytest.raises(ValueError, match="no Opus"):
        DECODERS[Codec.OPUS]().decode(payload)
