import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.rtp import Arrival, Reception, RtpError, payload_span


def packet(first: int, rest: bytes = b"") -> bytes:
    return struct.pack("!BBHII", first, 0, 1, 2, 3) + rest


@pytest.mark.parametrize(
    ("data", "span"),
    [
        (packet(0x80, b"abcd"), (12, 16)),
        (packet(0x82, bytes(8) + b"abcd"), (20, 24)),  # two contributing sources
        (packet(0x90, b"\xbe\xde\x00\x01" + bytes(4) + b"ab"), (20, 22)),  # an extension of one word
        (packet(0xA0, b"ab\x00\x00\x03"), (12, 14)),  # padding of three
        (packet(0x80), (12, 12)),
    ],
)
def test_where_the_payload_lies(data: bytes, span: tuple[int, int]) -> None:
    assert payload_span(data, len(data)) == span


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80\x00", "2 octets < header 12"),
        (packet(0x40), "version 1"),
        (packet(0x8F), "payload from 72 to 12"),
        (packet(0x90, b"\xbe"), "extension at 12"),
        (packet(0xA0, b"\x00"), "padding of 0"),
        (packet(0xA0, b"\xff"), "payload from 12 to -242"),
    ],
)
def test_what_is_no_rtp_packet(data: bytes, message: str) -> None:
    with pytest.raises(RtpError, match=message):
        payload_span(data, len(data))


@given(st.binary(max_size=100))
def test_no_packet_is_read_beyond_its_end(data: bytes) -> None:
    try:
        start, end = payload_span(data, len(data))
    except RtpError:
        return
    assert 12 <= start <= end <= len(data)


def feed(reception: Reception, *sequences: int) -> list[Arrival]:
    """20 ms apart, timestamps to match."""
    return [reception.update(n & 0xFFFF, n * 160 & 0xFFFFFFFF, n * 0.02) for n in sequences]


def test_loss_and_order() -> None:
    reception = Reception()
    arrivals = feed(reception, 10, 11, 13, 12, 13, 15)
    following = Arrival.NEXT
    assert arrivals == [Arrival.BREAK, following, following, Arrival.LATE, Arrival.DUPLICATE, following]
    assert (reception.received, reception.lost) == (5, 1)


def test_sequence_numbers_wrap() -> None:
    reception = Reception()
    assert feed(reception, *range(65530, 65546))[1:] == [Arrival.NEXT] * 15
    assert (reception.lost, reception.extended_highest) == (0, 65545)
    assert feed(reception, 65556) == [Arrival.NEXT]
    assert reception.lost == 10


def test_a_far_jump_must_be_confirmed_by_the_next_packet() -> None:
    reception = Reception()
    feed(reception, 1, 2)
    assert feed(reception, 30000, 3, 40000, 40001) == [
        Arrival.SUSPECT,
        Arrival.NEXT,
        Arrival.SUSPECT,
        Arrival.BREAK,
    ]
    assert reception.lost == 0
    assert feed(reception, 40002) == [Arrival.NEXT]


def test_loss_before_a_restart_is_kept() -> None:
    reception = Reception()
    feed(reception, 1, 4)
    reception.restart()
    feed(reception, 500, 502)
    assert (reception.received, reception.lost) == (4, 3)


def test_a_timestamp_that_jumps_is_a_break_but_silence_is_none() -> None:
    reception = Reception()
    feed(reception, 1, 2)
    assert reception.update(3, 3 * 160 + 80000, 0.06) is Arrival.BREAK
    assert reception.update(4, 4 * 160 + 80000, 0.08) is Arrival.NEXT
    # Nothing for ten seconds, as with silence suppression: clock and timestamp agree.
    assert reception.update(5, 4 * 160 + 160000, 10.08) is Arrival.NEXT
    assert reception.jitter_ms < 0.001


def test_jitter_follows_the_rfc() -> None:
    reception = Reception()
    feed(reception, 1, 2)
    reception.update(3, 3 * 160, 0.06 + 0.016)  # 16 ms late: 128 units
    assert reception.jitter_units == pytest.approx(8.0)
    reception.update(4, 4 * 160, 0.08 + 0.016)
    assert reception.jitter_units == pytest.approx(7.5)


def test_the_timestamps_wrap_is_no_break() -> None:
    reception = Reception()
    reception.update(1, 0xFFFFFFFF - 159, 1.0)
    assert reception.update(2, 0, 1.02) is Arrival.NEXT
    assert reception.jitter_ms < 0.01


def test_fraction_lost_is_since_the_last_report() -> None:
    reception = Reception()
    feed(reception, 1, 2, 5, 6)  # 2 of 6
    assert reception.fraction_lost() == 85
    feed(reception, 7, 8)
    assert reception.fraction_lost() == 0


@given(
    st.lists(st.integers(0, 2**32 - 1), max_size=15),
    st.none() | st.binary(max_size=40),
    st.binary(max_size=200),
    st.integers(0, 255),
    st.binary(max_size=20),
)
def test_the_payload_is_found_between_whatever_surrounds_it(
    sources, extension, payload, padding, after
) -> None:
    """Contributing sources, an extension and padding (RFC 3550 §5.1, §5.3.1), in a buffer that goes on."""
    first = 0x80 | len(sources) | 0x10 * (extension is not None) | 0x20 * (padding > 0)
    packet = struct.pack("!BBHII", first, 0, 1, 2, 3) + b"".join(each.to_bytes(4, "big") for each in sources)
    if extension is not None:
        extension += bytes(-len(extension) % 4)
        packet += struct.pack("!HH", 0xBEDE, len(extension) // 4) + extension
    start = len(packet)
    packet += payload + (bytes(padding - 1) + bytes([padding]) if padding else b"")
    assert payload_span(packet + after, len(packet)) == (start, start + len(payload))
