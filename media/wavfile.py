"""A 16-bit 8 kHz WAV file, of two channels or one, that is valid at any instant.

The samples are written first, then the two sizes in the header: whoever opens the file, even after
the process was killed between the two, finds a header that promises no more than is there.
"""

import os
import struct
from pathlib import Path

from media.g711 import SAMPLE_RATE_HZ

CHANNELS = 2
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")
_PCM = 1
_MAX_DATA = 0xFFFFFFFF - _HEADER.size


class WavFile:
    """An open file; every method may raise OSError, after which only :meth:`close` makes sense."""

    def __init__(self, path: Path, channels: int = CHANNELS) -> None:
        self._channels = channels
        path.parent.mkdir(parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o640)
        self._octets = 0
        try:
            self._write(_header(0, self._channels), 0)
        except OSError:
            self.close()
            raise

    @property
    def duration_s(self) -> float:
        return self._octets / (2 * self._channels) / SAMPLE_RATE_HZ

    def append(self, samples: bytes) -> None:
        """``samples``: whole frames, little-endian, left before right."""
        if self._octets + len(samples) > _MAX_DATA:
            raise OSError(f"a WAV file cannot grow beyond {_MAX_DATA} octets")
        self._write(samples, _HEADER.size + self._octets)
        self._octets += len(samples)
        self._write(_header(self._octets, self._channels), 0)

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _write(self, data: bytes, at: int) -> None:
        rest = memoryview(data)
        while rest:
            written = os.pwrite(self._fd, rest, at)
            rest, at = rest[written:], at + written


def _header(octets: int, channels: int) -> bytes:
    frame = 2 * channels
    return _HEADER.pack(
        b"RIFF",
        _HEADER.size - 8 + octets,
        b"WAVE",
        b"fmt ",
        16,
        _PCM,
        channels,
        SAMPLE_RATE_HZ,
        SAMPLE_RATE_HZ * frame,
        frame,
        16,
        b"data",
        octets,
    )


def duration_s(path: Path) -> float:
    """How long the recording at ``path`` is by its header; 0.0 when there is none."""
    try:
        with path.open("rb") as file:
            header = _HEADER.unpack(file.read(_HEADER.size))
    except (OSError, struct.error):
        return 0.0
    channels, octets = header[6], header[-1]
    return float(octets / (2 * max(1, channels)) / SAMPLE_RATE_HZ)
