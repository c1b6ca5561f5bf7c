import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.engine import Codec
from media.g711 import SILENCE
from media.playout import FIRST_DELAY, HISTORY, MAX_LEAD, SIZE, Rings, Timeline
from media.rtp import FRAME_SAMPLES

QUIET = bytes([SILENCE[Codec.PCMU]])
DELAY = FRAME_SAMPLES + FIRST_DELAY  # from the head at arrival to where the first packet lies


def put(timeline: Timeline, timestamp: int, payload: bytes) -> None:
    timeline.put(timestamp & 0xFFFFFFFF, memoryview(payload), 0, len(payload))


def advance(rings: Rings, frames: int) -> None:
    for _ in range(frames):
        rings.advance()


def frame(value: int) -> bytes:
    return bytes([value]) * FRAME_SAMPLES


@given(st.permutations(range(6)), st.integers(0, 250), st.integers(0, 0xFFFFFFFF))
def test_packets_lie_where_their_timestamps_say_in_whatever_order_they_come(order, age, first) -> None:
    rings = Rings()
    advance(rings, age)
    timeline = Timeline(rings, Codec.PCMU)
    start = rings.head + DELAY
    put(timeline, first, frame(99))
    for number in order:
        put(timeline, first + (1 + number) * FRAME_SAMPLES, frame(number))
    advance(rings, 12)
    expected = frame(99) + b"".join(map(frame, range(6))) + QUIET * FRAME_SAMPLES
    assert timeline.read(start, start + 8 * FRAME_SAMPLES) == expected


def test_what_never_came_is_silence() -> None:
    rings = Rings()
    timeline = Timeline(rings, Codec.PCMA)
    start = rings.head + DELAY
    put(timeline, 0, frame(1))
    put(timeline, 2 * FRAME_SAMPLES, frame(3))
    advance(rings, 6)
    gap = bytes([SILENCE[Codec.PCMA]]) * FRAME_SAMPLES
    assert timeline.read(start, start + 3 * FRAME_SAMPLES) == frame(1) + gap + frame(3)


def test_nothing_is_heard_twice_when_the_ring_comes_round() -> None:
    rings = Rings()
    timeline = Timeline(rings, Codec.PCMU)
    put(timeline, 0, frame(1))
    for _ in range(2 * SIZE // FRAME_SAMPLES):
        rings.advance()
        heard = timeline.read(rings.head - FRAME_SAMPLES, rings.head)
        if rings.head - FRAME_SAMPLES != DELAY:
            assert heard == QUIET * FRAME_SAMPLES


def test_history_reaches_back_as_promised() -> None:
    rings = Rings()
    timeline = Timeline(rings, Codec.PCMU)
    put(timeline, 0, frame(7))
    advance(rings, (DELAY + HISTORY) // FRAME_SAMPLES)
    assert timeline.read(rings.head - HISTORY, rings.head)[:FRAME_SAMPLES] == frame(7)


def test_a_late_packet_moves_those_that_follow() -> None:
    rings = Rings()
    timeline = Timeline(rings, Codec.PCMU)
    put(timeline, 0, frame(1))
    advance(rings, 10)
    put(timeline, FRAME_SAMPLES, frame(2))
    assert timeline.late == 1
    start = rings.head + DELAY + FRAME_SAMPLES  # a frame more than at first
    put(timeline, 2 * FRAME_SAMPLES, frame(3))
    advance(rings, 8)
    assert timeline.read(start, start + 2 * FRAME_SAMPLES) == frame(2) + frame(3)


def test_delay_that_nothing_needed_is_cut() -> None:
    rings = Rings()
    timeline = Timeline(rings, Codec.PCMU)
    put(timeline, 0, frame(1))
    late = 10 * FRAME_SAMPLES  # a burst: ten frames come with no time between
    put(timeline, late, frame(2))
    timeline.settle()
    put(timeline, late + FRAME_SAMPLES, frame(3))
    timeline.settle()
    start = rings.head + DELAY
    put(timeline, late + 2 * FRAME_SAMPLES, frame(4))
    advance(rings, 20)
    assert frame(4) in timeline.read(start, start + 3 * FRAME_SAMPLES)


@pytest.mark.parametrize("jump", [MAX_LEAD, 1 << 20, 1 << 31, -(1 << 20)])
def test_a_timestamp_far_off_is_placed_by_its_arrival(jump: int) -> None:
    rings = Rings()
    timeline = Timeline(rings, Codec.PCMU)
    put(timeline, 5000, frame(1))
    put(timeline, 5000 + jump, frame(2))
    advance(rings, 8)
    assert frame(2) in timeline.read(0, rings.head)


def test_rows_are_made_as_needed_and_used_again() -> None:
    rings = Rings()
    many = [Timeline(rings, Codec.PCMU) for _ in range(100)]
    assert len({timeline.row for timeline in many}) == 100
    put(many[99], 0, frame(1))
    many[99].close()
    again = Timeline(rings, Codec.PCMA)
    assert again.row == many[99].row
    advance(rings, 8)
    assert set(again.read(0, rings.head)) == {SILENCE[Codec.PCMA]}


def test_skipped_time_is_silence() -> None:
    rings = Rings()
    timeline = Timeline(rings, Codec.PCMU)
    put(timeline, 0, frame(1))
    rings.skip(1000)
    assert rings.head == 1000 * FRAME_SAMPLES
    assert set(timeline.read(rings.head - HISTORY, rings.head)) == set(QUIET)
