"""G.711 µ-law and A-law, by table.

ITU-T G.711 defines both laws by decision values (where one code ends and the next begins) and by
the quantized value in the middle of each interval (tables 1 and 2). The tables here are built from
exactly those: a segment's intervals are twice as wide as the segment's before it. Coding is then one
indexing of a whole numpy column, whatever its shape:

* ``DECODE[codec]``: 256 int16, indexed by the octet on the wire;
* ``ENCODE[codec]``: 65,536 uint8, indexed by an int16 sample *viewed* as uint16.

µ-law's values have 14 bits and A-law's 13, sign included; both are shifted up to fill 16. A sample
on the wrong side of zero by rounding follows ITU-T G.191's reference software, which takes the
one's complement of a negative sample for its magnitude.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from media.engine import Codec

Samples = NDArray[np.int16]
Octets = NDArray[np.uint8]
Payload = bytes | bytearray | memoryview | Octets

SAMPLE_RATE_HZ = 8000


def _mu_law() -> tuple[Samples, Octets]:
    step = np.arange(16)
    segments = np.arange(8)[:, None]
    lower = (((2 * step + 32) << segments) - 33).ravel()  # decision values, table 2; the first is below 0
    middle = (((2 * step + 33) << segments) - 33).ravel()  # quantized values
    # A negative number's code is a positive's with the sign bit cleared; all bits are inverted.
    return _tables(lower, middle, bits=14, positive=0xFF, negative=0x7F)


def _a_law() -> tuple[Samples, Octets]:
    # Table 1's first two segments share one interval width; the others double it each.
    width = 2 << np.maximum(np.arange(8) - 1, 0)[:, None]
    start = np.array([0, 32, 64, 128, 256, 512, 1024, 2048])[:, None]
    lower = (start + width * np.arange(16)).ravel()
    middle = lower + np.repeat(width.ravel() // 2, 16)
    # Even bits are inverted (§3.1), on top of the sign bit: 1 for positive.
    return _tables(lower, middle, bits=13, positive=0xD5, negative=0x55)


def _tables(
    lower: NDArray[np.int64], middle: NDArray[np.int64], *, bits: int, positive: int, negative: int
) -> tuple[Samples, Octets]:
    shift = 16 - bits
    number = np.arange(128)
    decode = np.zeros(256, np.int16)
    decode[number ^ positive] = middle << shift
    decode[number ^ negative] = -(middle << shift)

    sample = np.arange(65536, dtype=np.uint16).view(np.int16)
    magnitude = np.where(sample < 0, ~sample, sample) >> shift
    number = np.searchsorted(lower, magnitude, side="right") - 1
    encode = np.where(sample < 0, number ^ negative, number ^ positive).astype(np.uint8)
    decode.setflags(write=False)
    encode.setflags(write=False)
    return decode, encode


LAWS = (Codec.PCMU, Codec.PCMA)
_TABLES = {Codec.PCMU: _mu_law(), Codec.PCMA: _a_law()}

DECODE: Mapping[Codec, Samples] = MappingProxyType({codec: tables[0] for codec, tables in _TABLES.items()})
ENCODE: Mapping[Codec, Octets] = MappingProxyType({codec: tables[1] for codec, tables in _TABLES.items()})

#: What a codec says when nobody speaks: a sample of zero.
SILENCE: Mapping[Codec, int] = MappingProxyType({codec: int(ENCODE[codec][0]) for codec in _TABLES})


def decode(codec: Codec, payload: Payload) -> Samples:
    """The samples of ``payload``, of the same shape where it is an array."""
    octets = payload if isinstance(payload, np.ndarray) else np.frombuffer(payload, np.uint8)
    return DECODE[codec][octets]


def encode(codec: Codec, samples: Samples) -> Octets:
    """The octets of ``samples``, of the same shape."""
    return ENCODE[codec][np.ascontiguousarray(samples, np.int16).view(np.uint16)]
