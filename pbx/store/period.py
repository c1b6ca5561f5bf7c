"""How people write a moment: ``7d`` ago, a date, or a time with or without its zone."""

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pbx.clock import midnight
from pbx.config.models import parse_duration

_EARLIEST, _LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
"""There is a midnight before and after these in any zone."""
_SPACED_OFFSET = re.compile(r"( )(\d\d:?\d\d)$")  # a "+" that a URL's decoding has made a space


def parse_moment(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """``7d`` (so long before ``now``), ``2026-11-24`` (its midnight), ``2026-11-24T09:30[Z or ±hh:mm]``.

    What names no zone is read in ``zone``. Raises ValueError that says how a moment is written.
    """
    text = text.strip()
    if text[-1:].isalpha() and text[-1:] != "Z" and "T" not in text:
        try:
            return now - parse_duration(text)
        except (ValueError, OverflowError):
            raise _unreadable(text) from None
    try:
        moment = datetime.fromisoformat(_SPACED_OFFSET.sub(r"+\2", text) if "T" in text else text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _unreadable(text) from None
    return min(max(moment, _EARLIEST), _LATEST)


PREVIOUS = "previous"


def other_period(
    text: str, since: datetime | None, until: datetime | None, now: datetime, zone: ZoneInfo
) -> tuple[datetime, datetime]:
    """What a time is compared with: ``previous``, or ``FROM..TO`` of moments.

    Previous is as long and ends where this one begins. Whole days on the clocks of ``zone`` are counted in
    days, so that a change of the clocks moves no midnight. Raises ValueError that says what is wrong.
    """
    if text == PREVIOUS:
        if since is None:
            raise ValueError("what is previous to all calls? say since when this time is")
        end = until or now
        days = _whole_days(since, end, zone)
        return (_days_before(since, days, zone) if days else since - (end - since)), since
    first, dots, last = text.partition("..")
    if not dots:
        raise ValueError(
            f"{text!r} is no other time; write previous, or FROM..TO such as 2026-10-01..2026-11-01"
        )
    begin, end = (parse_moment(each, now, zone) for each in (first, last))
    if end <= begin:
        raise ValueError(f"{text!r} ends before it begins; write the earlier moment first")
    return begin, end


def _whole_days(since: datetime, until: datetime, zone: ZoneInfo) -> int:
    """How many days there are from midnight to midnight; 0 if these are no midnights."""
    begin, end = since.astimezone(zone), until.astimezone(zone)
    if begin.time() != time() or end.time() != time():
        return 0
    return (end.date() - begin.date()).days


def _days_before(moment: datetime, days: int, zone: ZoneInfo) -> datetime:
    return midnight(moment.astimezone(zone).date() - timedelta(days=days), zone)


def yesterday(now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """From midnight to midnight, on the clocks of ``zone``."""
    today = now.astimezone(zone).date()
    return midnight(today - timedelta(days=1), zone), midnight(today, zone)


def _unreadable(text: str) -> ValueError:
    return ValueError(
        f"{text!r} is no moment; write 2026-11-24, 2026-11-24T09:30 (with Z or an offset for another zone),"
        " or 7d for seven days ago"
    )
