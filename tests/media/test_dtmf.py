"""Telephone-events: what RFC 4733 puts on the wire, and one press reported once whatever gets lost."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.dtmf import (
    KEYS,
    DtmfError,
    EventReceiver,
    EventSender,
    TelephoneEvent,
    build_event,
    parse_event,
)


def packet(key, *, duration, end=False):
    return build_event(TelephoneEvent(KEYS.index(key), end, 10, duration))


def press(key, timestamp, *, steps=5):
    """The packets of one press, as (timestamp, payload), the end three times."""
    middle = [packet(key, duration=160 * n) for n in range(1, steps)]
    return [(timestamp, payload) for payload in (*middle, *[packet(key, duration=160 * steps, end=True)] * 3)]


def receive(packets):
    receiver = EventReceiver()
    return "".join(receiver.feed(timestamp, payload) or "" for timestamp, payload in packets)


class TestPayload:
    def test_the_octets_of_section_2_3(self):
        assert build_event(TelephoneEvent(11, True, 10, 1280)).hex() == "0b8a0500"
        assert parse_event(bytes.fromhex("0b8a0500")) == TelephoneEvent(11, True, 10, 1280)

    @given(
        st.builds(
            TelephoneEvent, st.integers(0, 255), st.booleans(), st.integers(0, 63), st.integers(0, 65535)
        )
    )
    def test_parsing_undoes_building(self, event):
        assert parse_event(build_event(event)) == event

    def test_the_reserved_bit_and_what_follows_are_ignored(self):
        assert parse_event(bytes.fromhex("014a00a0ff")) == TelephoneEvent(1, False, 10, 160)

    def test_a_short_payload_is_told_both_lengths(self):
        with pytest.raises(DtmfError, match="3 octets, 4 needed"):
            parse_event(b"\x01\x0a\x00")

    def test_the_volume_has_six_bits(self):
        with pytest.raises(DtmfError, match="volume 64"):
            build_event(TelephoneEvent(1, False, 64, 0))

    def test_keys_are_the_first_sixteen_events(self):
        assert [TelephoneEvent(n, False, 0, 0).key for n in range(17)] == [*KEYS, None]


class TestReceiver:
    def test_a_press_is_one_key(self):
        assert receive(press("5", 1000)) == "5"

    def test_the_key_is_known_with_the_first_packet(self):
        assert EventReceiver().feed(1000, packet("5", duration=0)) == "5"

    @pytest.mark.parametrize(
        "kept", [slice(0, 1), slice(0, -3), slice(2, 4), slice(-1, None), slice(-3, None)]
    )
    def test_any_packet_of_it_is_enough(self, kept):
        assert receive(press("#", 1000)[kept]) == "#"

    def test_the_same_key_twice_is_two_presses(self):
        assert receive(press("1", 1000) + press("1", 3000)) == "11"

    def test_also_when_the_first_ones_end_was_lost(self):
        assert receive(press("1", 1000)[:-3] + press("1", 3000)) == "11"

    def test_an_end_repeated_after_the_next_press_began_is_old(self):
        first, second = press("1", 1000), press("2", 3000)
        assert receive(first[:-1] + second[:2] + first[-1:] + second[2:]) == "12"

    @given(st.data())
    def test_loss_and_disorder_never_repeat_a_key(self, data):
        keys = data.draw(st.text(KEYS, min_size=1, max_size=6))
        kept = []
        for place, key in enumerate(keys):
            packets = press(key, 2000 * place)
            which = data.draw(st.sets(st.integers(0, len(packets) - 1), min_size=1))
            kept += [packets[n] for n in sorted(which)]
        random.Random(data.draw(st.integers())).shuffle(kept)
        assert sorted(receive(kept)) == sorted(keys)

    def test_a_press_longer_than_sixteen_bits_is_one_press(self):
        start = (1 << 32) - 100
        first = [(start, packet("*", duration=d)) for d in (160, 65000, 65535)]
        assert receive(first + press("*", (start + 65535) % (1 << 32))) == "*"

    def test_a_hook_flash_is_no_key(self):
        assert EventReceiver().feed(1000, build_event(TelephoneEvent(16, False, 10, 160))) is None


class TestSender:
    def test_a_press_as_rfc_4733_has_it(self):
        sent = list(EventSender("7", timestamp=1000, duration_ms=60, gap_ms=100))
        assert [item and (item.timestamp, item.marker, parse_event(item.payload)) for item in sent] == [
            (1000, True, TelephoneEvent(7, False, 10, 160)),
            (1000, False, TelephoneEvent(7, False, 10, 320)),
            (1000, False, TelephoneEvent(7, True, 10, 480)),
            (1000, False, TelephoneEvent(7, True, 10, 480)),
            (1000, False, TelephoneEvent(7, True, 10, 480)),
            None,
            None,
            None,
        ]

    def test_presses_start_where_the_stream_has_got_to(self):
        sent = list(EventSender("12", timestamp=(1 << 32) - 160, duration_ms=40, gap_ms=60))
        starts = {item.timestamp: place for place, item in reversed(list(enumerate(sent))) if item}
        assert starts == {(1 << 32) - 160: 0, 640: 5}

    @given(st.text(KEYS + "abcd", max_size=8), st.integers(0, (1 << 32) - 1), st.integers(1, 500))
    def test_what_it_sends_is_received(self, keys, timestamp, duration_ms):
        sender = EventSender(keys, timestamp=timestamp, duration_ms=duration_ms)
        assert receive((item.timestamp, item.payload) for item in sender if item) == keys.upper()

    def test_what_is_no_key_is_named(self):
        with pytest.raises(DtmfError, match=r"no DTMF key: , X; keys are 0123456789\*#ABCD"):
            EventSender("1,xX", timestamp=0)
