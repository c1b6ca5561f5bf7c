"""Recordings in a smaller form: FLAC, which loses nothing, and Opus, a tenth of a WAV.

``python -m media.convert SOURCE.wav TARGET.flac`` (or ``.opus``) is run in a process of its own, at the
lowest priority, once a call is over: while it lasts its file is a WAV, which is valid at any instant as no
other form is. The target appears whole or not at all.

:func:`samples_of` reads each form again. Everything is 8 kHz, as the WAV was; Opus comes back from 48.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from media.wav import NotAWav, map_channels

FORMS = {".flac": ("flac", "flac"), ".opus": ("ogg", "libopus")}
RATE_HZ = 8000
OPUS_BITRATE_A_CHANNEL = 16_000
_PIECE = 10 * RATE_HZ


def convert(source: Path, target: Path) -> None:
    """Raises NotAWav, OSError or av.FFmpegError, and then leaves nothing behind."""
    container, codec = FORMS[target.suffix]
    rate_hz, samples = map_channels(source)
    channels = samples.shape[1]
    part = target.with_name(f"{target.name}.part")
    try:
        with av.open(str(part), "w", format=container) as file:
            stream = file.add_stream(codec, rate=rate_hz, layout=_layout(channels))
            assert isinstance(stream, av.AudioStream)
            if codec == "libopus":
                stream.bit_rate = OPUS_BITRATE_A_CHANNEL * channels
            for frame in _frames(samples, rate_hz):
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def _layout(channels: int) -> str:
    return "mono" if channels == 1 else "stereo"


def _frames(samples: NDArray[np.int16], rate_hz: int) -> Iterator[av.AudioFrame]:
    for start in range(0, len(samples), _PIECE):
        piece = np.ascontiguousarray(samples[start : start + _PIECE]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(piece, format="s16", layout=_layout(samples.shape[1]))
        frame.sample_rate = rate_hz
        frame.pts = start
        yield frame


def samples_of(path: Path) -> tuple[int, NDArray[np.int16]]:
    """Sample rate, and the samples as (moments, channels), whatever form the recording has by now.

    A WAV that is gone was converted: its other form lies beside it. Raises NotAWav or OSError.
    """
    if not path.exists():
        path = next((there for suffix in FORMS if (there := path.with_suffix(suffix)).exists()), path)
    if path.suffix not in FORMS:
        return map_channels(path)
    try:
        with av.open(str(path)) as file:
            resampler = av.AudioResampler(format="s16", rate=RATE_HZ)
            frames = [part for frame in file.decode(audio=0) for part in resampler.resample(frame)]
            frames += resampler.resample(None)
    except av.FFmpegError as error:
        raise NotAWav(f"{path}: {error}") from None
    pieces = [frame.to_ndarray().reshape(-1, len(frame.layout.channels)) for frame in frames]
    return RATE_HZ, np.concatenate(pieces) if pieces else np.empty((0, 1), np.int16)


def main() -> None:
    source, target = map(Path, sys.argv[1:3])
    try:
        convert(source, target)
    except (NotAWav, OSError, av.FFmpegError) as error:
        raise SystemExit(f"{source}: {error}") from None


if __name__ == "__main__":
    main()
