"""How people write a moment: ``7d`` ago, a date, or a time with or without its zone."""

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from pbx.config.models import parse_duration

_EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
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
    return max(moment, _EARLIEST)


def yesterday(now: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """From midnight to midnight, on the clocks of ``zone``."""
    today = now.astimezone(zone).date()
    first = datetime.combine(today - timedelta(days=1), time(), zone)
    return first.astimezone(UTC), datetime.combine(today, time(), zone).astimezone(UTC)


def _unreadable(text: str) -> ValueError:
    return ValueError(
        f"{text!r} is no moment; write 2026-11-24, 2026-11-24T09:30 (with Z or an offset for another zone),"
        " or 7d for seven days ago"
    )
