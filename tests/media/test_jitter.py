"""The delay follows the network: traces of arrivals on a virtual clock, through a timeline."""

import random
from collections.abc import Callable

import pytest

from media.engine import Codec
from media.g711 import SILENCE
from media.jitter import FIRST_DELAY, LONGEST_DELAY, Jitter
from media.playout import Rings, Timeline
from media.rtp import FRAME_SAMPLES

FRAME_MS = 20


def heard(
    delay_ms: Callable[[int, random.Random], float | None], packets: int = 1500
) -> tuple[Timeline, list[int]]:
    """The numbers of the packets that the mixer read in time, of a stream delayed (None: lost) so."""
    chance = random.Random(20)
    delays = [delay_ms(number, chance) for number in range(packets)]
    arrivals = sorted(
        ((number * FRAME_MS + delay, number) for number, delay in enumerate(delays) if delay is not None),
        reverse=True,
    )
    rings = Rings()
    timeline = Timeline(rings, Codec.PCMU)
    read = []
    quiet = bytes([SILENCE[Codec.PCMU]])
    for tick in range(packets + 20):
        while arrivals and arrivals[-1][0] < tick * FRAME_MS + 7:
            _, number = arrivals.pop()
            payload = bytes([number % 100]) * FRAME_SAMPLES
            timeline.put(number * FRAME_SAMPLES, memoryview(payload), 0, FRAME_SAMPLES)
        rings.advance()
        if tick % 250 == 249:
            timeline.settle()
        octet = timeline.read(rings.head, rings.head + FRAME_SAMPLES)[FRAME_SAMPLES // 2 :][:1]
        if octet != quiet:
            read.append(octet[0])
    return timeline, read


def test_on_a_quiet_network_every_packet_is_read_after_the_first_delay() -> None:
    timeline, read = heard(lambda number, chance: 3.0)
    assert timeline.late == 0
    assert read[:1500] == [number % 100 for number in range(1500)]


@pytest.mark.parametrize("spread_ms", [10, 40, 80])
def test_jitter_costs_a_few_packets_until_the_delay_has_grown_to_it(spread_ms: int) -> None:
    timeline, _ = heard(lambda number, chance: chance.uniform(0, spread_ms))
    assert timeline.late <= spread_ms / 20


def test_every_fifth_lost_and_the_rest_out_of_order_makes_nothing_late() -> None:
    def delay(number: int, chance: random.Random) -> float | None:
        return None if chance.random() < 0.2 else chance.choice((0.0, 30.0))

    timeline, _ = heard(delay)
    assert timeline.late <= 1


def test_a_stall_of_the_network_is_waited_for_once_and_forgotten_later() -> None:
    def delay(number: int, chance: random.Random) -> float | None:
        return 130.0 - (number - 200) * FRAME_MS if 200 <= number < 206 else 0.0

    rings_lead, _ = heard(delay)
    assert rings_lead.late == 1


def test_the_delay_grows_by_what_was_missing_and_no_further_than_its_limit() -> None:
    jitter = Jitter()
    jitter.was_late(1)
    assert jitter.delay == FIRST_DELAY + FRAME_SAMPLES
    jitter.was_late(2 * FRAME_SAMPLES + 1)
    assert jitter.delay == FIRST_DELAY + 4 * FRAME_SAMPLES
    jitter.was_late(100 * FRAME_SAMPLES)
    assert jitter.delay == LONGEST_DELAY


def test_only_what_two_windows_did_not_need_is_cut() -> None:
    jitter = Jitter()
    jitter.was_late(4 * FRAME_SAMPLES)
    jitter.spared(5 * FRAME_SAMPLES)
    assert jitter.window_ended() == 0
    jitter.spared(4 * FRAME_SAMPLES + 10)
    assert jitter.window_ended() == FRAME_SAMPLES
    assert jitter.delay == FIRST_DELAY + 3 * FRAME_SAMPLES
    jitter.spared(3 * FRAME_SAMPLES)
    assert jitter.window_ended() == 0  # what was before the cut says nothing
    assert jitter.window_ended() == 0  # nor does a window without a packet
