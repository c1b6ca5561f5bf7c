"""Days and hours as flows write them: ``mon-fri``, ``08:00-12:00, 13:00-18:00``.

A range whose end is not after its start runs into the next day and belongs to the day on which it
began.
"""

import re
from dataclasses import dataclass

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)\s*[-–]\s*([01]?\d|2[0-4]):([0-5]\d)")
_DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class Hours:
    """One range, in minutes from the midnight with which its day began; the end may lie beyond the next."""

    start: int
    end: int
    text: str


def parse_days(text: str) -> list[int]:
    """``mon-fri``, ``sat``, ``mon,wed-thu``, ``sat-mon`` → weekdays, Monday is 0."""
    found: list[int] = []
    for part in text.lower().replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        start, stop = _weekday(first), _weekday(last if dash else first)
        found += [(start + offset) % 7 for offset in range((stop - start) % 7 + 1)]
    return found


def _weekday(name: str) -> int:
    if name not in DAYS:
        raise ValueError(f"{name!r} is no day; the days are {', '.join(DAYS)}, and ranges such as mon-fri")
    return DAYS.index(name)


def parse_hours(text: str) -> list[Hours]:
    """``08:00-12:00, 13:00-18:00`` → ranges; ``22:00-06:00`` ends on the next day."""
    return [_range(part.strip()) for part in text.split(",")]


def _range(text: str) -> Hours:
    match = _HOURS.fullmatch(text)
    if not match:
        raise ValueError(f'{text!r} is no time range; write it like "08:00-18:00"')
    hour, minute, end_hour, end_minute = map(int, match.groups())
    start, end = hour * 60 + minute, end_hour * 60 + end_minute
    if start >= _DAY_MINUTES or end > _DAY_MINUTES:
        raise ValueError(f"{text!r} is no time range; a day is 00:00-24:00")
    if start == end:
        raise ValueError(f'{text!r} is empty; a whole day is "00:00-24:00"')
    return Hours(start, end if end > start else end + _DAY_MINUTES, text)
