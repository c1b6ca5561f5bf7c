"""Recordings become FLAC or Opus and can be read again; what is no recording leaves nothing behind."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from media.convert import convert, samples_of
from media.wav import NotAWav
from media.wavfile import WavFile, duration_s


def made(path: Path, channels: int) -> np.ndarray:
    time = np.arange(8000 * 3)
    sides = [9000 * np.sin(2 * np.pi * hz * time / 8000) for hz in (440, 1000)[:channels]]
    samples = np.stack(sides, axis=1).astype("<i2")
    file = WavFile(path, channels)
    file.append(samples.tobytes())
    file.close()
    assert duration_s(path) == 3.0
    return samples


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("form", ["flac", "opus"])
def test_what_was_said_is_heard_again(tmp_path: Path, form: str, channels: int) -> None:
    source, target = tmp_path / "call.wav", tmp_path / f"call.{form}"
    samples = made(source, channels)
    convert(source, target)
    rate_hz, again = samples_of(target)
    assert (rate_hz, again.shape) == (8000, samples.shape)
    if form == "flac":
        np.testing.assert_array_equal(again, samples)
    for side, hz in zip(range(channels), (440, 1000), strict=False):
        power = np.abs(np.fft.rfft(again[8000:16000, side]))
        assert int(power.argmax()) == hz
    assert target.stat().st_size < source.stat().st_size
    assert [path.name for path in tmp_path.glob("*.part")] == []


def test_a_wav_that_is_gone_is_looked_for_in_its_other_forms(tmp_path: Path) -> None:
    source = tmp_path / "call.wav"
    samples = made(source, 2)
    np.testing.assert_array_equal(samples_of(source)[1], samples)
    convert(source, tmp_path / "call.flac")
    source.unlink()
    np.testing.assert_array_equal(samples_of(source)[1], samples)
    (tmp_path / "call.flac").unlink()
    with pytest.raises(OSError, match=r"call\.wav"):
        samples_of(source)


def test_what_is_no_recording_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "call.wav").write_bytes(b"RIFF no")
    command = [sys.executable, "-m", "media.convert", str(tmp_path / "call.wav"), str(tmp_path / "call.flac")]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "call.wav" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["call.wav"]
    (tmp_path / "call.opus").write_bytes(b"no Ogg")
    with pytest.raises(NotAWav):
        samples_of(tmp_path / "call.opus")
