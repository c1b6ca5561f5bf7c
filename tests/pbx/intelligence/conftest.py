import wave
from pathlib import Path

import numpy as np
import pytest

from media.engine import Codec
from media.g711 import decode, encode
from media.wav import read_wav

MODEL = Path(__file__).parents[2] / "data" / "vosk" / "model-tiny-en"


@pytest.fixture
def model():
    return MODEL


@pytest.fixture
def sample():
    """One of the model's own samples, as 8 kHz samples after a µ-law line."""

    def read(number):
        return decode(Codec.PCMU, encode(Codec.PCMU, read_wav(MODEL / "samples" / f"sample{number}.wav")))

    return read


@pytest.fixture
def recording(tmp_path):
    """Writes a recording as the server does, a channel an argument; shorter ones are filled with silence."""

    def write(*channels, name="recording.wav", rate_hz=8000):
        moments = np.zeros((max(map(len, channels)), len(channels)), "<i2")
        for number, channel in enumerate(channels):
            moments[: len(channel), number] = channel
        with wave.open(str(tmp_path / name), "wb") as out:
            out.setparams((len(channels), 2, rate_hz, 0, "NONE", ""))
            out.writeframes(moments.tobytes())
        return tmp_path / name

    return write
