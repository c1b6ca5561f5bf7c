"""Messages cut from a stream, however it arrives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.transport.stream import MAX_HEAD_BYTES, PING, Framer, StreamError

ONE = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 0\r\n\r\n"
TWO = b"MESSAGE sip:a SIP/2.0\r\nl : 9\r\nX: y\r\n\r\nbody\r\n\r\n!"


def test_messages_and_pings() -> None:
    framer = Framer()
    assert framer.feed(ONE + TWO + PING + ONE) == [ONE, TWO, PING, ONE]
    assert framer.feed(b"\r\n" + ONE) == [ONE]
    assert framer.feed(PING + PING) == [PING, PING]


@given(st.lists(st.sampled_from([ONE, TWO, PING]), max_size=8), st.lists(st.integers(1, 40), min_size=1))
def test_it_makes_no_difference_where_the_stream_is_cut(messages, cuts) -> None:
    stream, framer, got, at = b"".join(messages), Framer(), [], 0
    for number in range(len(stream)):
        step = cuts[number % len(cuts)]
        got += framer.feed(stream[at : at + step])
        at += step
    assert got == messages


@pytest.mark.parametrize(
    ("stream", "problem"),
    [
        (b"OPTIONS sip:a SIP/2.0\r\nX: y\r\n\r\n", "without Content-Length"),
        (b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 9999999\r\n\r\n", "Content-Length 9999999"),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "without Content-Length"),
        (b"x" * (MAX_HEAD_BYTES + 1), "without an end of headers"),
    ],
)
def test_a_stream_that_cannot_be_understood(stream, problem) -> None:
    with pytest.raises(StreamError, match=problem):
        Framer().feed(stream)
