"""The tables against an independent statement of G.711: the bit arithmetic of ITU-T G.191's software."""

import numpy as np
import pytest

from media.engine import Codec
from media.g711 import DECODE, ENCODE, LAWS, SILENCE, decode, encode

EVERY_SAMPLE = np.arange(-32768, 32768, dtype=np.int32).astype(np.int16)
EVERY_OCTET = np.arange(256, dtype=np.uint8)


def mu_law_expand(octet: int) -> int:
    code = ~octet & 0xFF
    magnitude = ((((code & 0x0F) << 1) + 33) << ((code >> 4) & 7)) - 33
    return (-magnitude if code & 0x80 else magnitude) << 2


def a_law_expand(octet: int) -> int:
    code = octet ^ 0x55
    segment, step = (code >> 4) & 7, code & 0x0F
    magnitude = (step << 4) + 8
    if segment:
        magnitude = (magnitude + 0x100) << (segment - 1)
    return magnitude if code & 0x80 else -magnitude


def mu_law_compress(sample: int) -> int:
    magnitude = min(((~sample if sample < 0 else sample) >> 2) + 33, 0x1FFF)
    segment = magnitude.bit_length() - 6
    code = segment << 4 | (magnitude >> (segment + 1) & 0x0F)
    return ~(code | (0x80 if sample < 0 else 0)) & 0xFF


def a_law_compress(sample: int) -> int:
    magnitude = (~sample if sample < 0 else sample) >> 4
    segment = max(0, magnitude.bit_length() - 4)
    step = magnitude >> max(0, segment - 1) & 0x0F
    return (segment << 4 | step | (0 if sample < 0 else 0x80)) ^ 0x55


EXPAND = {Codec.PCMU: mu_law_expand, Codec.PCMA: a_law_expand}
COMPRESS = {Codec.PCMU: mu_law_compress, Codec.PCMA: a_law_compress}


@pytest.mark.parametrize("codec", LAWS)
def test_every_octet_decodes_as_the_reference_does(codec):
    assert decode(codec, bytes(range(256))).tolist() == [EXPAND[codec](octet) for octet in range(256)]


@pytest.mark.parametrize("codec", LAWS)
def test_every_sample_encodes_as_the_reference_does(codec):
    assert encode(codec, EVERY_SAMPLE).tolist() == [COMPRESS[codec](int(s)) for s in EVERY_SAMPLE]


# G.711's digital milliwatt (tables 5 and 6): a 1 kHz sine of 0 dBm0 as eight octets; a sine that just
# reaches the law's overload point measures 3.17 dBm0 in µ-law, 3.14 in A-law.
@pytest.mark.parametrize(
    ("codec", "octets", "overload", "overload_dbm0"),
    [
        (Codec.PCMU, "1e0b0b1e9e8b8b9e", 8159 << 2, 3.17),
        (Codec.PCMA, "34212134b4a1a1b4", 4096 << 3, 3.14),
    ],
)
def test_the_digital_milliwatt_is_at_0_dbm0(codec, octets, overload, overload_dbm0):
    samples = decode(codec, bytes.fromhex(octets))
    power_dbm0 = 10 * np.log10(np.mean(samples.astype(float) ** 2) / (overload**2 / 2)) + overload_dbm0
    assert power_dbm0 == pytest.approx(0, abs=0.01)
    assert encode(codec, samples).tobytes().hex() == octets


@pytest.mark.parametrize("codec", LAWS)
def test_coding_again_changes_nothing(codec):
    once = DECODE[codec][EVERY_OCTET]
    assert (DECODE[codec][encode(codec, once)] == once).all()


@pytest.mark.parametrize("codec", LAWS)
def test_the_error_is_a_thirty_second_of_the_sample_at_most(codec):
    below_overload = EVERY_SAMPLE[np.abs(EVERY_SAMPLE.astype(int)) < 8159 << 2]
    wrong = np.abs(decode(codec, encode(codec, below_overload)).astype(int) - below_overload)
    assert (wrong <= 8 + np.abs(below_overload.astype(int)) / 32).all()


@pytest.mark.parametrize("codec", LAWS)
def test_coding_keeps_an_arrays_shape(codec):
    columns = EVERY_SAMPLE.reshape(256, 256)
    assert encode(codec, columns).shape == columns.shape
    assert (encode(codec, columns.T) == encode(codec, columns).T).all()
    assert decode(codec, encode(codec, columns)).shape == columns.shape


def test_silence_is_the_code_of_zero():
    assert SILENCE == {Codec.PCMU: 0xFF, Codec.PCMA: 0xD5}


@pytest.mark.parametrize("codec", LAWS)
def test_the_tables_cannot_be_changed(codec):
    with pytest.raises(ValueError, match="read-only"):
        DECODE[codec][0] = 1
    with pytest.raises(ValueError, match="read-only"):
        ENCODE[codec][0] = 1
