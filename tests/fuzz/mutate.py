"""Inputs without end from a few samples: cut, doubled, overwritten, crossed, with words that parsers fear."""

from collections.abc import Iterator, Sequence
from random import Random

WORDS = (
    b"\r\n", b"\r\n\r\n", b"\0", b"\xff", b"\xc3\x28", b";", b",", b"<", b">", b'"', b"\\", b"@", b"%00", b"%", b"=",
    b":", b"[", b"]", b"[::1]", b"-1", b"0", b"4294967296", b"9" * 40, b"SIP/2.0", b"Content-Length: 9999999999",
    b"m=audio 0 RTP/AVP", b"a=rtpmap:", b"c=IN IP6 ::", b";;;;", b"\xf0\x9f\x98\x80", b" " * 60,
)  # fmt: skip
LONGEST = 8192


def inputs(seeds: Sequence[bytes], random: Random) -> Iterator[bytes]:
    while True:
        data = bytearray(random.choice(seeds))
        for _ in range(1 + random.randrange(6)):
            _change(data, seeds, random)
        yield bytes(data[:LONGEST])


def _change(data: bytearray, seeds: Sequence[bytes], random: Random) -> None:
    at = random.randrange(len(data) + 1)
    length = 1 + int(random.expovariate(0.1))
    match random.randrange(7):
        case 0:
            del data[at : at + length]
        case 1:
            data[at:at] = random.choice(WORDS)
        case 2:
            data[at : at + length] = random.choice(WORDS)
        case 3:
            data[at:at] = data[at : at + length] * (1 + random.randrange(8))
        case 4:
            other = random.choice(seeds)
            data[at:] = other[random.randrange(len(other) + 1) :]
        case 5 if at < len(data):
            data[at] ^= 1 << random.randrange(8)
        case _:
            data[at : at + 2] = random.randbytes(2)
