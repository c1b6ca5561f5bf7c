import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.outbound import Outbound
from media.reports import Reports
from media.rtcp import (
    Report,
    ReportBlock,
    RtcpError,
    SenderInfo,
    build,
    middle,
    ntp_time,
    parse,
    round_trip_s,
)
from media.rtp import Reception

u32 = st.integers(0, 0xFFFFFFFF)
blocks = st.builds(
    ReportBlock, u32, st.integers(0, 255), st.integers(-(1 << 23), (1 << 23) - 1), u32, u32, u32, u32
)
senders = st.none() | st.builds(SenderInfo, st.integers(0, (1 << 64) - 1), u32, u32, u32)


@given(u32, senders, st.lists(blocks, max_size=3), st.text(max_size=40), st.booleans())
def test_what_is_built_is_parsed(ssrc, sender, some, cname, goodbye) -> None:
    report = Report(ssrc, sender, tuple(some), goodbye)
    packet = build(report, cname)
    assert len(packet) % 4 == 0
    expected = [Report(ssrc, sender, tuple(some))] + [Report(ssrc, goodbye=True)] * goodbye
    assert parse(packet) == expected


@given(st.binary(max_size=200))
def test_noise_is_refused_or_empty(data: bytes) -> None:
    with contextlib.suppress(RtcpError):
        parse(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80", "1 octets at 0 < header 4"),
        (b"\x40\xc8\x00\x00", "version 1"),
        (b"\x80\xc8\x00\x09" + bytes(4), "ends at 40, beyond 8"),
        (b"\x81\xc9\x00\x01" + bytes(4), "1 blocks in 4 octets"),
        (b"\x82\xcb\x00\x01" + bytes(4), "BYE of 2 sources in 4 octets"),
    ],
)
def test_what_is_no_rtcp(data: bytes, message: str) -> None:
    with pytest.raises(RtcpError, match=message):
        parse(data)


def test_round_trip_of_the_rfcs_figure_2() -> None:
    block = ReportBlock(1, 0, 0, 0, 0, last_sr=0xB7052000, delay_since_last_sr=0x00054000)
    assert round_trip_s(block, 0xB7108000 << 16) == 6.125


def test_no_round_trip_without_a_sender_report_or_from_nonsense() -> None:
    assert round_trip_s(ReportBlock(1, 0, 0, 0, 0, 0, 0), ntp_time(0.0)) is None
    assert round_trip_s(ReportBlock(1, 0, 0, 0, 0, 5, 0), 0) is None


def test_two_sides_report_on_each_other() -> None:
    ours, theirs = Outbound(), Outbound()
    ours.send = lambda packet: None
    ours.frame(bytes(160), 0)
    heard = Reception()
    for sequence in (1, 2, 4):
        heard.update(sequence, sequence * 160, sequence * 0.02)
    us, them = Reports("us@here"), Reports("them@there")

    sent = us.build(ours, heard, theirs.ssrc, position=160, unix_s=1000.0)
    assert parse(sent)[0].sender == SenderInfo(ntp_time(1000.0), ours.timestamp_at(160), 1, 160)
    assert not them.take(sent, theirs.ssrc, 1000.1)
    assert them.remote_lost == 1

    back = them.build(theirs, Reception(), ours.ssrc, position=0, unix_s=1003.1)
    (report,) = parse(back)
    assert report.sender is None
    assert report.blocks[0].last_sr == middle(ntp_time(1000.0))
    us.take(back, ours.ssrc, 1003.2)
    assert us.round_trip_ms == pytest.approx(200, abs=1)


def test_goodbye() -> None:
    packet = Reports("x").build(Outbound(), Reception(), None, position=0, unix_s=0.0, goodbye=True)
    assert Reports("y").take(packet, 0, 0.0)


@given(
    st.lists(st.tuples(u32, senders, st.lists(blocks, max_size=2), st.booleans()), min_size=1, max_size=3),
    st.data(),
)
def test_a_compound_packet_cut_anywhere_says_less_and_nothing_else(parts, data) -> None:
    packets = [build(Report(ssrc, sender, tuple(some), bye), "us") for ssrc, sender, some, bye in parts]
    whole = parse(b"".join(packets))
    assert whole == [report for packet in packets for report in parse(packet)]
    cut = data.draw(st.integers(0, sum(map(len, packets))))
    with contextlib.suppress(RtcpError):
        said = parse(b"".join(packets)[:cut])
        assert said == whole[: len(said)]
