"""Comfort noise (RFC 3389): what a far end sounds like that sends nothing because nobody speaks.

A packet's first octet is the noise's level in dB below full scale (§3.1); the reflection coefficients that
may follow would colour it and are ignored, as §3.2 allows. White noise is made of it. What we send is
as plain: the level alone, when we have nothing to say and the far end has agreed to hear it so.
"""

import numpy as np

from media.g711 import Samples

PAYLOAD_TYPE = 13  # §4; at 8000 Hz only
INTERVAL_FRAMES = 10  # a packet of ours every 200 ms, so that no NAT forgets the stream
OUR_LEVEL = 70  # dBov below full scale: a quiet room

_POOL_SIZE = 1 << 14
_POOL = np.random.default_rng(3389).standard_normal(_POOL_SIZE).astype(np.float32)
_place = 0


def level_of(payload: bytes) -> int | None:
    """The level in dB below full scale; None for a packet that says none."""
    return payload[0] & 0x7F if payload else None


def packet(level: int) -> bytes:
    return bytes([level & 0x7F])


def noise(level: int, count: int) -> Samples:
    """``count`` samples, at most some thousand, so loud."""
    global _place
    _place = (_place + 997) % (_POOL_SIZE - count)
    rms = 32768.0 * 10.0 ** (-level / 20.0)
    samples: Samples = (_POOL[_place : _place + count] * rms).clip(-32768, 32767).astype(np.int16)
    return samples
