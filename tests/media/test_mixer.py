import numpy as np

from media.engine import Codec
from media.g711 import decode, encode
from media.mixer import Part, mix
from media.playout import Rings, Timeline
from media.rtp import FRAME_SAMPLES


def speaking(rings: Rings, codec: Codec, level: int) -> Timeline:
    """Somebody whose voice is a constant, heard in the present frame."""
    timeline = Timeline(rings, codec)
    octets = encode(codec, np.full(FRAME_SAMPLES, level, np.int16))
    timeline.put(0, memoryview(octets.tobytes()), 0, FRAME_SAMPLES)
    return timeline


def heard(codec: Codec, frame: bytes) -> int:
    samples = decode(codec, frame)
    assert len(samples) == FRAME_SAMPLES
    assert len(set(samples.tolist())) == 1
    return int(samples[0])


def test_three_in_a_conference_hear_the_two_others() -> None:
    rings = Rings()
    a = speaking(rings, Codec.PCMU, 1000)
    b = speaking(rings, Codec.PCMA, 2000)
    c = speaking(rings, Codec.PCMU, 4000)
    for _ in range(3):
        rings.advance()
    parts = [
        Part(Codec.PCMU, [(b, 1.0), (c, 1.0)], None),
        Part(Codec.PCMA, [(a, 1.0), (c, 0.5)], None),
        Part(Codec.PCMU, [(a, 1.0), (b, 0.0)], np.full(FRAME_SAMPLES, 500, np.int16)),
    ]
    frames = mix(rings, parts)
    levels = [heard(part.codec, frame) for part, frame in zip(parts, frames, strict=True)]
    # G.711 keeps about 38 dB: within 4 %.
    np.testing.assert_allclose(levels, [6000, 3000, 1500], rtol=0.04)


def test_a_sum_beyond_the_range_is_clipped_not_wrapped() -> None:
    rings = Rings()
    loud = [speaking(rings, Codec.PCMU, 30000) for _ in range(4)]
    for _ in range(3):
        rings.advance()
    (frame,) = mix(rings, [Part(Codec.PCMU, [(one, 1.0) for one in loud], None)])
    assert heard(Codec.PCMU, frame) > 31000
