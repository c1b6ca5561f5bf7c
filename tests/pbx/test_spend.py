"""What was spent is shared out by day, and the shares make the whole."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbx.spend import Spent, costs

NEW_YORK = ZoneInfo("America/New_York")
NOVEMBER = Spent("google-ads", "spring", date(2026, 11, 1), date(2026, 11, 30), Fraction(3000))


def spent(since, until, *given, zone=NEW_YORK):
    moments = [
        None if text is None else datetime.fromisoformat(text).replace(tzinfo=zone) for text in (since, until)
    ]
    return costs(given or (NOVEMBER,), *moments, zone, lambda each: each.source).get("google-ads", 0)


@pytest.mark.parametrize(
    ("since", "until", "amount"),
    [
        (None, None, 3000),
        ("2026-11-01", "2026-12-01", 3000),
        ("2026-10-01", "2027-01-01", 3000),
        ("2026-11-01", "2026-11-02", 100),  # 25 hours long: the clocks go back
        ("2026-11-02", "2026-11-03", 100),
        ("2026-11-30", None, 100),
        (None, "2026-11-11", 1000),
        ("2026-11-10T12:00", "2026-11-11T06:00", 75),
        ("2026-11-01", "2026-11-01T12:00", 52),  # 13 of its 25 hours
        ("2026-10-01", "2026-11-01", 0),
        ("2026-12-01", None, 0),
        ("2026-11-05", "2026-11-05", 0),
    ],
)
def test_each_day_has_the_same_share(since, until, amount):
    assert spent(since, until) == amount


def test_a_day_that_counts_alone_has_it_all():
    one = Spent("google-ads", "", date(2026, 3, 8), date(2026, 3, 8), Fraction(23))
    assert spent("2026-03-08", "2026-03-09", one) == 23
    assert spent("2026-03-08", "2026-03-08T12:00", one) == 11  # of a day of 23 hours


def test_what_overlaps_is_added_up_by_its_key():
    source = Spent("google-ads", "", date(2026, 11, 1), date(2026, 11, 10), Fraction(50))
    other = Spent("yellow-pages", "", date(2026, 11, 1), date(2026, 11, 10), Fraction(7))
    lines = (NOVEMBER, source, other)
    assert costs(lines, None, None, NEW_YORK, lambda each: each.source) == {
        "google-ads": 3050,
        "yellow-pages": 7,
    }
    assert costs(lines, None, None, NEW_YORK, lambda each: each.campaign) == {"spring": 3000, "": 57}


@given(
    st.lists(st.integers(0, 60 * 24 * 60), max_size=6),
    st.sampled_from(["America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Havana"]),
)
def test_the_parts_of_a_time_add_up_to_the_whole(minutes, zone):
    zone = ZoneInfo(zone)
    begin = datetime(2026, 10, 15, tzinfo=UTC)
    cuts = [None, *(begin + timedelta(minutes=each) for each in sorted(minutes)), None]
    parts = [costs([NOVEMBER], *pair, zone, lambda _each: "") for pair in pairwise(cuts)]
    assert sum(part.get("", Fraction(0)) for part in parts) == 3000
