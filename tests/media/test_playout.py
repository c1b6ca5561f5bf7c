from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.coding import encode_frames
from media.conceal import CELL, LIMIT
from media.engine import Codec
from media.g711 import SILENCE, encode
from media.jitter import FIRST_DELAY
from media.playout import HISTORY, MAX_LEAD, SIZE, Rings, Timeline, timeline_of
from media.rtp import FRAME_SAMPLES
from media.wav import read_wav

SPEECH = Path(__file__).parent.parent / "data/vosk/model-tiny-en/samples/sample1.wav"
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
    expected = frame(99) + b"".join(map(frame, range(6)))
    assert timeline.read(start, start + 7 * FRAME_SAMPLES) == expected


def test_what_never_came_is_guessed_then_silent() -> None:
    rings = Rings()
    timeline = Timeline(rings, Codec.PCMA)
    start = rings.head + DELAY
    tone = encode(Codec.PCMA, (8000 * np.sin(np.arange(8 * FRAME_SAMPLES) * 0.3)).astype(np.int16)).tobytes()
    for at in range(0, 3 * FRAME_SAMPLES, FRAME_SAMPLES):
        put(timeline, at, tone[at : at + FRAME_SAMPLES])
    advance(rings, 12)
    heard = timeline.samples(start, start + 9 * FRAME_SAMPLES).astype(float)
    levels = np.sqrt((heard.reshape(-1, 80) ** 2).mean(axis=1))
    assert levels[6] > 0.9 * levels[5]  # the first lost 10 ms
    assert list(levels[6:12]) == sorted(levels[6:12], reverse=True)
    assert levels[12:].max() < 10


@given(st.lists(st.sampled_from(["came", "lost", "noise"]), max_size=60), st.sampled_from(Codec))
def test_whatever_is_lost_the_same_is_read_however_it_is_asked_for(packets, codec) -> None:
    """The mixer reads a frame a tick, the recorder many at once; both make good the same."""
    rings = Rings()
    one, other = (timeline_of(rings, codec) for _ in range(2))
    sound = encode_frames(codec, (9000 * np.sin(np.arange(60 * FRAME_SAMPLES) * 0.2)).astype(np.int16))
    pieces = []
    start = rings.head
    for number, kind in enumerate(packets):
        for timeline in (one, other):
            if kind == "came":
                put(timeline, number * FRAME_SAMPLES * timeline.units, sound[number])
        rings.advance()
        pieces.append(one.read(rings.head - FRAME_SAMPLES, rings.head))
        if len(pieces) == 40:
            assert other.read(start, rings.head) == b"".join(pieces)
            pieces, start = [], rings.head
    if pieces:
        assert other.read(start, rings.head) == b"".join(pieces)


def test_where_the_sender_describes_its_silence_there_is_noise_of_that_level() -> None:
    rings = Rings()
    timeline = Timeline(rings, Codec.PCMU)
    put(timeline, 0, frame(1))
    advance(rings, 6)
    timeline.noise_level = 40
    advance(rings, 10)
    heard = timeline.samples(rings.head - 8 * FRAME_SAMPLES, rings.head).astype(float)
    assert 20 * np.log10(32768 / heard.std()) == pytest.approx(40, abs=1.5)


def test_opus_is_decoded_in_order_and_its_own_error_correction_used() -> None:
    rings = Rings()
    whole, lossy = (timeline_of(rings, Codec.OPUS) for _ in range(2))
    speech = read_wav(SPEECH)[: 100 * FRAME_SAMPLES]
    packets = encode_frames(Codec.OPUS, speech)
    heard: list[list[np.ndarray]] = [[], []]
    for number in range(0, 100, 2):  # every two are swapped on the way, and every tenth is lost
        for swapped in (number + 1, number):
            put(whole, swapped * 960, packets[swapped])
            if swapped % 10 != 5:
                put(lossy, swapped * 960, packets[swapped])
        for _ in range(2):
            rings.advance()
            for listener, timeline in enumerate((whole, lossy)):
                heard[listener].append(timeline.samples(rings.head - FRAME_SAMPLES, rings.head))
    right, made_good = (np.concatenate(pieces).astype(float) for pieces in heard)
    assert whole.late == lossy.late == 0
    assert 10 * np.log10((right**2).sum() / ((right - made_good) ** 2).sum()) > 10


def test_nothing_is_heard_twice_when_the_ring_comes_round() -> None:
    rings = Rings()
    timeline = Timeline(rings, Codec.PCMU)
    put(timeline, 0, frame(1))
    for _ in range(2 * SIZE // FRAME_SAMPLES):
        rings.advance()
        heard = timeline.read(rings.head - FRAME_SAMPLES, rings.head)
        if not DELAY <= rings.head - FRAME_SAMPLES <= DELAY + LIMIT * CELL:
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
    start = rings.head + DELAY + 6 * FRAME_SAMPLES  # as much more than at first as it was late
    put(timeline, 2 * FRAME_SAMPLES, frame(3))
    advance(rings, 14)
    assert timeline.read(start, start + 2 * FRAME_SAMPLES) == frame(2) + frame(3)


def test_delay_that_nothing_needed_is_cut() -> None:
    rings = Rings()
    timeline = Timeline(rings, Codec.PCMU)
    put(timeline, 0, frame(1))
    late = 10 * FRAME_SAMPLES  # a burst: ten frames come with no time between
    for number in range(3):  # of windows: what none of two needed
        put(timeline, late + number * FRAME_SAMPLES, frame(2 + number))
        timeline.settle()
    put(timeline, late + 3 * FRAME_SAMPLES, frame(9))
    start = rings.head + DELAY + 2 * FRAME_SAMPLES  # eleven frames nearer than its timestamp says
    advance(rings, 12)
    assert timeline.read(start + CELL, start + FRAME_SAMPLES) == frame(9)[CELL:]  # past the fade


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
