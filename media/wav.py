"""Reading WAV files of any making into the one shape that media works in: 8 kHz, 16 bits, mono.

A RIFF file is a list of chunks, each with a four-letter name and a length. Integer PCM of 8 to 32
bits, IEEE float and both G.711 laws are read, mono or more channels (mixed), at any rate. A file that
was cut off in its data, or whose lengths were never filled in because it was streamed, is read as far as
it goes: half a prompt beats none. Everything else that is wrong is a :class:`NotAWav` that says what.
"""

import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from media.engine import Codec
from media.g711 import SAMPLE_RATE_HZ, Samples, decode

MAX_FILE_BYTES = 256 << 20  # 15 minutes of 48 kHz stereo at 24 bits; no prompt is longer

_CHUNK = struct.Struct("<4sI")
_FORMAT = struct.Struct("<HHIIHH")
_EXTENSIBLE = 0xFFFE
_SUBFORMAT_AT = 24  # in an extensible format chunk, where the real format's number is
_PCM, _FLOAT = 1, 3
_G711 = {6: Codec.PCMA, 7: Codec.PCMU}


class NotAWav(ValueError):  # noqa: N818 - says what the file is
    """A file that cannot be read as audio; the message names it and the reason."""


@dataclass(frozen=True, slots=True)
class WavFormat:
    encoding: int
    channels: int
    rate_hz: int
    bits: int


def read_wav(path: Path) -> Samples:
    """The whole file as 8 kHz mono. Raises NotAWav, or OSError when it cannot be opened."""
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise NotAWav(f"{path}: {size} bytes, at most {MAX_FILE_BYTES} are read")
    try:
        form, data = _chunks(memoryview(path.read_bytes()))
        return _to_telephone(_amplitudes(form, data), form)
    except _Fault as fault:
        raise NotAWav(f"{path}: {fault}") from None


def map_channels(path: Path) -> tuple[int, Samples]:
    """Sample rate, and the samples of a 16-bit PCM file as (moments, channels), left on the disk.

    For long recordings, of which only a piece at a time is wanted in memory.
    """
    content = np.memmap(path, np.uint8, "r") if path.stat().st_size else np.empty(0, np.uint8)
    try:
        form, data = _chunks(content.data)
        if (form.encoding, form.bits) != (_PCM, 16):
            raise _Fault(f"encoding {form.encoding} with {form.bits} bits; a recording is PCM of 16 bits")
    except _Fault as fault:
        raise NotAWav(f"{path}: {fault}") from None
    return form.rate_hz, np.frombuffer(_whole(form, data), "<i2").reshape(-1, form.channels)


def write_wav(path: Path, samples: Samples) -> None:
    """``samples`` as an 8 kHz 16-bit mono file."""
    data = samples.astype("<i2").tobytes()
    form = _FORMAT.pack(_PCM, 1, SAMPLE_RATE_HZ, SAMPLE_RATE_HZ * 2, 2, 16)
    body = b"WAVE" + _CHUNK.pack(b"fmt ", len(form)) + form + _CHUNK.pack(b"data", len(data)) + data
    path.write_bytes(_CHUNK.pack(b"RIFF", len(body)) + body)


class _Fault(Exception):  # noqa: N818 - what is wrong, not that it is
    """What is wrong with the file at hand."""


def _chunks(content: memoryview) -> tuple[WavFormat, memoryview]:
    begins = bytes(content[:12])
    if begins[:4] != b"RIFF" or begins[8:] != b"WAVE":
        raise _Fault(f"no WAV file (it begins {begins!r}); convert it to WAV")
    form: WavFormat | None = None
    at = 12
    while at + _CHUNK.size <= len(content):
        name, length = _CHUNK.unpack_from(content, at)
        at += _CHUNK.size
        if name == b"fmt ":
            form = _format(content[at : at + length])
        elif name == b"data":
            if form is None:
                raise _Fault("its data comes before its format")
            return form, content[at : at + length] if length else content[at:]
        at += length + length % 2
    raise _Fault("it holds no audio data" if form else "it says no format")


def _format(chunk: memoryview) -> WavFormat:
    if len(chunk) < _FORMAT.size:
        raise _Fault(f"format chunk of {len(chunk)} bytes, {_FORMAT.size} needed")
    encoding, channels, rate_hz, _, _, bits = _FORMAT.unpack_from(chunk)
    if encoding == _EXTENSIBLE and len(chunk) >= _SUBFORMAT_AT + 2:
        (encoding,) = struct.unpack_from("<H", chunk, _SUBFORMAT_AT)
    if not 1 <= channels <= 32:
        raise _Fault(f"{channels} channels, 1 to 32 are read")
    if not 1000 <= rate_hz <= 384_000:
        raise _Fault(f"sample rate {rate_hz} Hz, 1000 to 384000 are read")
    return WavFormat(encoding, channels, rate_hz, bits)


def _amplitudes(form: WavFormat, data: memoryview) -> NDArray[np.float32]:
    """The samples between -1 and 1, one row a moment, one column a channel."""
    if form.encoding == _PCM and form.bits in (8, 16, 24, 32):
        flat = _integers(_whole(form, data), form.bits)
    elif form.encoding == _FLOAT and form.bits in (32, 64):
        raw = np.frombuffer(_whole(form, data), f"<f{form.bits // 8}")
        flat = np.nan_to_num(raw, posinf=1.0, neginf=-1.0).clip(-1, 1).astype(np.float32)
    elif form.encoding in _G711 and form.bits == 8:
        flat = _scaled(decode(_G711[form.encoding], _whole(form, data)), 32768)
    else:
        raise _Fault(
            f"encoding {form.encoding} with {form.bits} bits; "
            "PCM of 8, 16, 24 or 32 bits, float and G.711 are read"
        )
    return flat.reshape(-1, form.channels)


def _whole(form: WavFormat, data: memoryview) -> memoryview:
    """``data`` without a moment that was cut off in the middle."""
    moment = form.channels * form.bits // 8
    return data[: len(data) // moment * moment]


def _integers(data: memoryview, bits: int) -> NDArray[np.float32]:
    if bits == 8:  # the one that is unsigned
        return _scaled(np.frombuffer(data, np.uint8).astype(np.int16) - 128, 128)
    if bits == 24:
        octets = np.frombuffer(data, np.uint8).reshape(-1, 3)
        wide = np.zeros((len(octets), 4), np.uint8)
        wide[:, 1:] = octets
        return _scaled(wide.view("<i4").ravel(), 1 << 31)
    return _scaled(np.frombuffer(data, f"<i{bits // 8}"), 1 << (bits - 1))


def _scaled(integers: NDArray[np.signedinteger], full_scale: int) -> NDArray[np.float32]:
    amplitudes: NDArray[np.float32] = np.divide(integers, full_scale, dtype=np.float32)
    return amplitudes


def _to_telephone(amplitudes: NDArray[np.float32], form: WavFormat) -> Samples:
    mono: NDArray[np.float32] = amplitudes.mean(axis=1, dtype=np.float32)
    if form.rate_hz != SAMPLE_RATE_HZ and mono.size:
        mono = soxr.resample(mono, form.rate_hz, SAMPLE_RATE_HZ)
    samples: Samples = (mono * 32768).round().clip(-32768, 32767).astype(np.int16)
    return samples
