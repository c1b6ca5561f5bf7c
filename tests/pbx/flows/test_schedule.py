"""Opening hours: days, ranges over midnight, holidays, and the nights on which clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pbx.flows.hours import DAYS, parse_days, parse_hours
from pbx.flows.steps.schedule import Schedule

NEW_YORK = ZoneInfo("America/New_York")


def schedule(hours: dict[str, object], **values: object) -> Schedule:
    return Schedule.model_validate({"schedule": hours, **values})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("mon-fri", [0, 1, 2, 3, 4]),
        ("sat", [5]),
        ("mon,wed-thu", [0, 2, 3]),
        ("Sat - Mon", [5, 6, 0]),
        ("mon-sun", [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_days(text: str, days: list[int]):
    assert parse_days(text) == days


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("08:00-18:00", [(480, 1080)]),
        ("8:00 - 12:30, 13:00-24:00", [(480, 750), (780, 1440)]),
        ("22:00-06:00", [(1320, 1800)]),
        ("00:00-24:00", [(0, 1440)]),
    ],
)
def test_hours(text: str, spans: list[tuple[int, int]]):
    assert [(hours.start, hours.end) for hours in parse_hours(text)] == spans


@pytest.mark.parametrize(
    ("hours", "message"),
    [
        ({"funday": "08:00-18:00"}, "'funday' is no day; the days are mon, tue"),
        ({"mon": "8-18"}, 'write it like "08:00-18:00"'),
        ({"mon": "08:00-25:00"}, "is no time range"),
        ({"mon": "24:00-06:00"}, "a day is 00:00-24:00"),
        ({"mon": "08:00-24:30"}, "a day is 00:00-24:00"),
        ({"mon": "08:00-08:00"}, 'a whole day is "00:00-24:00"'),
        ({}, "at least 1"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_would_be_right(hours: dict[str, object], message: str):
    with pytest.raises(ValidationError, match=message):
        schedule(hours)


MAIN = {"mon-fri": "08:00-18:00", "sat": "09:00-13:00"}


@pytest.mark.parametrize(
    ("moment", "is_open", "why"),
    [
        ("2026-12-04 08:00", True, "Fri 08:00 is within fri 08:00-18:00"),
        ("2026-12-04 07:59", False, "Fri 07:59 is outside 08:00-18:00"),
        ("2026-12-04 18:00", False, "Fri 18:00 is outside 08:00-18:00"),
        ("2026-12-05 10:00", True, "Sat 10:00 is within sat 09:00-13:00"),
        ("2026-12-06 10:00", False, "Sun 10:00: closed all day"),
        ("2026-12-25 10:00", False, "2026-12-25 is a holiday"),
    ],
)
def test_open_or_closed_and_why(moment: str, is_open: bool, why: str):
    assert schedule(MAIN, holidays=[date(2026, 12, 25)]).verdict(at(moment)) == (is_open, why)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-12-04 21:59", False),
        ("2026-12-04 22:00", True),  # Friday night
        ("2026-12-05 05:59", True),  # still Friday's
        ("2026-12-05 06:00", False),
        ("2026-12-05 23:00", False),
    ],
)
def test_a_range_over_midnight_belongs_to_the_day_on_which_it_began(moment: str, is_open: bool):
    assert schedule({"fri": "22:00-06:00"}).verdict(at(moment))[0] is is_open


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-12-24 23:00", True),
        ("2026-12-25 01:00", False),  # the holiday has begun
        ("2026-12-25 23:00", False),
        ("2026-12-26 01:00", False),  # what would have begun on the holiday
        ("2026-12-26 23:00", True),
    ],
)
def test_a_holiday_is_closed_and_so_is_what_began_on_it(moment: str, is_open: bool):
    nights = schedule({"mon-sun": "22:00-06:00"}, holidays=[date(2026, 12, 25)])
    assert nights.verdict(at(moment))[0] is is_open


def test_a_zone_that_there_is_not_is_refused_with_the_one_that_was_meant():
    with pytest.raises(ValidationError, match=r"no IANA time zone; did you mean America/New_York\?"):
        schedule({"mon": "08:00-18:00"}, timezone="america/newyork")


def test_several_ranges_as_text_or_list_are_the_same():
    for hours in ("08:00-12:00, 13:00-18:00", ["08:00-12:00", "13:00-18:00"]):
        lunch = schedule({"mon": hours})
        assert [lunch.verdict(at(f"2026-12-07 {time}"))[0] for time in ("11:59", "12:30", "13:00")] == [
            True,
            False,
            True,
        ]


def test_when_clocks_go_back_the_hour_that_comes_twice_is_open_twice():
    step = schedule({"sun": "01:00-02:00"})
    midnight = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)  # 00:00 EDT
    open_minutes = sum(
        step.verdict((midnight + timedelta(minutes=m)).astimezone(NEW_YORK))[0] for m in range(6 * 60)
    )
    assert open_minutes == 120


def test_when_clocks_go_forward_the_hour_that_does_not_come_is_not_open():
    step = schedule({"sun": "02:00-03:00"})
    midnight = datetime(2026, 3, 8, 5, 0, tzinfo=UTC)  # 00:00 EST
    assert not any(
        step.verdict((midnight + timedelta(minutes=m)).astimezone(NEW_YORK))[0] for m in range(6 * 60)
    )


@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01"])
def test_opening_time_is_the_walls_on_the_days_when_clocks_change(day: str):
    step = schedule({"sun": "09:00-17:00"})
    assert [step.verdict(at(f"{day} {time}"))[0] for time in ("08:59", "09:00", "16:59", "17:00")] == [
        False,
        True,
        True,
        False,
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from(DAYS), st.integers(0, 1439), st.integers(1, 1440)), min_size=1, max_size=5
    ),
    st.integers(0, 7 * 1440 - 1),
)
def test_a_minute_is_open_if_some_range_covers_it(ranges: list[tuple[str, int, int]], minute: int):
    """Against the plainest reading: minutes of a week, marked one by one."""
    hours: dict[str, list[str]] = {}
    marked: set[int] = set()
    for day, start, end in ranges:
        if start == end:
            continue
        hours.setdefault(day, []).append(f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}")
        first = DAYS.index(day) * 1440 + start
        length = end - start if end > start else end - start + 1440
        marked |= {(first + offset) % (7 * 1440) for offset in range(length)}
    if hours:
        moment = datetime(2026, 11, 30, tzinfo=UTC) + timedelta(minutes=minute)  # a Monday
        assert schedule(dict(hours)).verdict(moment)[0] is (minute in marked)
