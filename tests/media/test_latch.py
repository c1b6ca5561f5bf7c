from media.latch import PROBATION, Latch

SDP = ("192.0.2.1", 4000)
NAT = ("198.51.100.7", 61000)


def test_the_address_in_the_sdp_settles_at_once() -> None:
    assert Latch(SDP).settles(SDP, 1, 100)


def test_another_address_settles_after_probation() -> None:
    latch = Latch(SDP)
    verdicts = [latch.settles(NAT, 1, (65535 + packet) & 0xFFFF) for packet in range(PROBATION)]
    assert verdicts == [False] * (PROBATION - 1) + [True]


def test_packets_out_of_order_or_of_another_ssrc_begin_probation_anew() -> None:
    latch = Latch(None)
    assert not any(
        latch.settles(NAT, ssrc, sequence) for ssrc, sequence in [(1, 5), (1, 6), (2, 7), (2, 9), (2, 10)]
    )
    assert latch.settles(NAT, 2, 11)


def test_two_strangers_in_turn_never_settle() -> None:
    latch = Latch(SDP)
    for sequence in range(50):
        assert not latch.settles(NAT, 1, sequence)
        assert not latch.settles(("203.0.113.9", 5), 1, sequence)
