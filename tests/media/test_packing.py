import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.coding import encode_frames
from media.engine import Codec
from media.opus import OpusDecoder
from media.packing import joined, packing_for
from media.rtp import FRAME_SAMPLES


@given(st.sampled_from([10, 20, 30, 40, 60]), st.integers(1, 40))
def test_octets_leave_in_packets_of_the_wanted_length_and_none_is_lost(ptime_ms: int, frames: int) -> None:
    sound = bytes(index % 251 for index in range(frames * FRAME_SAMPLES))
    packing = packing_for(Codec.PCMU, ptime_ms)
    sent = b""
    for start in range(0, len(sound), FRAME_SAMPLES):
        frame = sound[start : start + FRAME_SAMPLES]
        for payload, position in packing.add(frame, start) if packing else [(frame, start)]:
            assert len(payload) == ptime_ms * 8
            assert position == len(sent)
            sent += payload
    assert sound.startswith(sent)
    assert len(sound) - len(sent) < ptime_ms * 8


def test_what_waits_is_dropped_where_time_jumps() -> None:
    packing = packing_for(Codec.PCMA, 30)
    assert packing is not None
    assert packing.add(b"a" * 160, 0) == []
    assert packing.add(b"b" * 160, 1600) == []
    assert packing.add(b"c" * 160, 1760) == [(b"b" * 160 + b"c" * 80, 1600)]


@pytest.mark.parametrize(("asked", "given_"), [(5, 10), (15, 10), (20, 20), (25, 20), (50, 40), (200, 60)])
def test_a_wish_that_is_none_of_ours_gets_the_next_shorter(asked: int, given_: int) -> None:
    packing = packing_for(Codec.PCMU, asked)
    sizes = [len(payload) for payload, _ in packing.add(bytes(160), 0)] if packing else [160]
    for tick in range(1, 3):
        sizes += [len(payload) for payload, _ in packing.add(bytes(160), tick * 160)] if packing else [160]
    assert set(sizes) == {given_ * 8}


@pytest.mark.parametrize("frames", [2, 3])
def test_opus_frames_that_leave_together_say_what_they_say_alone(frames: int) -> None:
    sound = (8000 * np.sin(np.arange(30 * FRAME_SAMPLES) * 0.15)).astype(np.int16)
    packets = encode_frames(Codec.OPUS, sound)[12 : 12 + frames]
    assert len({packet[0] for packet in packets}) == 1
    alone = OpusDecoder()
    apart = np.concatenate([alone.decode(packet) for packet in packets])
    np.testing.assert_array_equal(OpusDecoder().decode(joined(packets)), apart)


def test_long_opus_frames_can_be_joined() -> None:
    packet = b"\x78" + bytes(range(256)) + b"x" * 100
    both = joined([packet, packet])
    assert both[:2] == b"\x7b\x82"
    assert both[2] + 4 * both[3] == 356
