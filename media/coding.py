"""One coder a party, whatever the codec: 8 kHz samples to packets and back.

G.711 needs none of this where it matters: it has no memory, so that the mixer codes all far ends at once
by table (:mod:`media.g711`). The others remember what they coded before, and so have one encoder and one
decoder for each far end. What everybody hears alike (a prompt, silence) is encoded once for all: a
decoder that is in the midst of something else takes a few milliseconds to follow, which nobody hears.
"""

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Protocol

import numpy as np

from media.engine import Codec
from media.g711 import LAWS, Samples, encode
from media.g722 import G722Decoder, G722Encoder
from media.opus import OpusDecoder, OpusEncoder
from media.rtp import FRAME_SAMPLES

_SETTLED = 10  # frames until an encoder of silence says the same each time


class Encoder(Protocol):
    def encode(self, samples: Samples) -> bytes:
        """One frame of 8 kHz samples as it goes on the wire."""
        ...


class Decoder(Protocol):
    def decode(self, payload: bytes) -> Samples:
        """The samples of one packet, at 8 kHz. Raises ValueError."""
        ...


ENCODERS: Mapping[Codec, Callable[[], Encoder]] = MappingProxyType(
    {Codec.G722: G722Encoder, Codec.OPUS: OpusEncoder}
)
DECODERS: Mapping[Codec, Callable[[], Decoder]] = MappingProxyType(
    {Codec.G722: G722Decoder, Codec.OPUS: OpusDecoder}
)


def encoder_for(codec: Codec) -> Encoder | None:
    """None for a law, which the mixer encodes itself."""
    return None if codec in LAWS else ENCODERS[codec]()


def encode_frames(codec: Codec, samples: Samples) -> list[bytes]:
    """A whole sound as frames; its length must be a number of them."""
    frames = samples.reshape(-1, FRAME_SAMPLES)
    encoder = encoder_for(codec)
    if encoder is None:
        return [row.tobytes() for row in encode(codec, frames)]
    return [encoder.encode(frame) for frame in frames]


@cache
def silent_frame(codec: Codec) -> bytes:
    """A frame in which nobody speaks."""
    return encode_frames(codec, np.zeros(_SETTLED * FRAME_SAMPLES, np.int16))[-1]
