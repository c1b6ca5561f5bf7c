"""The E-model's figures, against what G.107 and G.113 give."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.quality import mos, quality


@pytest.mark.parametrize(
    ("loss", "delay_ms", "expected"),
    [
        (0, 0, 4.41),
        (0, 100, 4.36),
        (0, 300, 3.74),
        (1, 50, 4.31),
        (5, 50, 3.87),
        (20, 50, 2.57),
        (100, 50, 1.15),
    ],
)
def test_mos(loss, delay_ms, expected) -> None:
    assert mos(loss, delay_ms) == pytest.approx(expected, abs=0.05)


@given(st.floats(0, 100), st.floats(0, 2000))
def test_it_is_a_score_and_never_better_for_more_loss(loss, delay_ms) -> None:
    assert 1 <= mos(loss, delay_ms) <= 4.5
    assert mos(min(100, loss + 1), delay_ms) <= mos(loss, delay_ms) + 1e-9


def test_of_a_leg() -> None:
    assert quality({}) is None
    assert quality({"packets_sent": 9}) is None
    clean = quality({"packets_received": 500, "jitter_ms": 1.0})
    assert clean is not None
    assert (clean.loss, clean.jitter_ms) == (0, 1.0)
    assert clean.mos > 4.3
    bad = quality({"packets_received": 90, "packets_lost": 10})
    assert bad is not None
    assert bad.loss == 10
    assert bad.mos < 3.6
