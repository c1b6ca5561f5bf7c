"""Vosk over one recording: words with times, speaker and confidence.

A recording's channels are recognised one after the other by one model, each stretch of speech
(:mod:`pbx.intelligence.speech`) in small blocks. Vosk ends an utterance at a pause of its own
accord; what has been fed of a channel stays its clock, to which the silence left out is added.

A model made for 16 kHz is given 16 kHz: not all models accept a telephone's 8 kHz as it is.
"""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import soxr
import vosk

from media.convert import samples_of
from media.g711 import Samples
from pbx.intelligence.speech import stretches

BLOCK_S = 0.5
NOT_WORDS = frozenset({"[unk]", "<unk>"})  # what models say when they heard something, but no word
DEFAULT_RATE_HZ = 16000


class SpokenWord(TypedDict):
    """``start`` and ``end`` in seconds of the recording."""

    word: str
    start: float
    end: float
    speaker: str
    confidence: float


class ModelBroken(Exception):  # noqa: N818 - says what it is
    """The folder cannot be loaded as a Vosk model."""


class Recogniser:
    """A loaded model."""

    def __init__(self, model: Path) -> None:
        vosk.SetLogLevel(-1)
        self._rate_hz = model_rate_hz(model)
        try:
            self._model = vosk.Model(str(model))
            vosk.KaldiRecognizer(self._model, self._rate_hz)  # some faults only show here
        except Exception as error:  # Vosk raises no narrower class
            raise ModelBroken(f"{model} cannot be loaded as a Vosk model") from error

    def transcribe(self, wav: Path, speakers: Sequence[str]) -> list[SpokenWord]:
        """The words of all channels in the order spoken; ``speakers`` names the channels."""
        rate_hz, samples = samples_of(wav)
        channels = zip(samples.T, speakers, strict=False)
        words = [word for channel, speaker in channels for word in self._channel(channel, rate_hz, speaker)]
        return sorted(words, key=lambda word: (word["start"], word["end"]))

    def _channel(self, channel: Samples, rate_hz: int, speaker: str) -> Iterator[SpokenWord]:
        parts = stretches(channel, rate_hz)
        if not parts:
            return
        fed_hz = max(rate_hz, self._rate_hz)
        recogniser = vosk.KaldiRecognizer(self._model, fed_hz)
        recogniser.SetWords(True)
        fed_s = 0.0
        for part in parts:
            speech = _resampled(np.ascontiguousarray(channel[part]), rate_hz, fed_hz)
            shift_s = part.start / rate_hz - fed_s
            for heard in _recognised(recogniser, speech, round(BLOCK_S * fed_hz)):
                if heard["word"] not in NOT_WORDS:
                    yield SpokenWord(
                        word=heard["word"],
                        start=round(heard["start"] + shift_s, 2),
                        end=round(heard["end"] + shift_s, 2),
                        speaker=speaker,
                        confidence=round(heard["conf"], 3),
                    )
            fed_s += len(speech) / fed_hz


def _recognised(recogniser: Any, speech: Samples, block: int) -> Iterator[dict[str, Any]]:
    for at in range(0, len(speech), block):
        # Each result must be fetched: left alone, an utterance grows and the time it takes with it.
        if recogniser.AcceptWaveform(speech[at : at + block].tobytes()):
            yield from json.loads(recogniser.Result()).get("result", ())
    yield from json.loads(recogniser.FinalResult()).get("result", ())


def _resampled(speech: Samples, rate_hz: int, wanted_hz: int) -> Samples:
    if rate_hz == wanted_hz:
        return speech
    resampled: Samples = soxr.resample(speech, rate_hz, wanted_hz)
    return resampled


def model_rate_hz(model: Path) -> int:
    """The sample rate that the model was made for."""
    for place in ("conf/mfcc.conf", "mfcc.conf"):
        if (file := model / place).is_file():
            stated = re.search(r"^--sample-frequency=(\d+)", file.read_text(), re.MULTILINE)
            return int(stated[1]) if stated else DEFAULT_RATE_HZ
    return DEFAULT_RATE_HZ
