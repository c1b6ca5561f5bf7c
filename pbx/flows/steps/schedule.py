"""``schedule``: open or closed."""

import re
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, field_validator

from pbx.flows.control import CallControl
from pbx.flows.step import Exit, Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)\s*-\s*([01]?\d|2[0-4]):([0-5]\d)")


def parse_days(text: str) -> list[int]:
    """``mon-fri``, ``sat``, ``mon,wed-thu``, ``sat-mon`` → weekday numbers, Monday 0."""
    found: list[int] = []
    for part in text.lower().replace(" ", "").split(","):
        first, dash, last = part.partition("-")
        ends = [first, last] if dash else [first, first]
        for name in ends:
            if name not in DAYS:
                raise ValueError(
                    f"{name!r} is no day; the days are {', '.join(DAYS)}, and ranges such as mon-fri"
                )
        start, stop = (DAYS.index(name) for name in ends)
        found += [(start + offset) % 7 for offset in range((stop - start) % 7 + 1)]
    return found


def parse_hours(text: str) -> list[tuple[int, int]]:
    """``08:00-12:00, 13:00-18:00`` → minutes from midnight; an end before its start is the next day's."""
    spans = []
    for part in text.split(","):
        match = _HOURS.fullmatch(part.strip())
        if not match:
            raise ValueError(f'{part.strip()!r} is no time range; write it like "08:00-18:00"')
        hour, minute, end_hour, end_minute = (int(group) for group in match.groups())
        start, end = hour * 60 + minute, end_hour * 60 + end_minute
        if start > 24 * 60 or end > 24 * 60 or start == end:
            raise ValueError(f"{part.strip()!r} is no time range; the day ends at 24:00")
        spans.append((start, end if end > start else end + 24 * 60))
    return spans


class Schedule(Step):
    """Whether the business is open now, in the server's zone."""

    kind: ClassVar[str] = "schedule"

    schedule: dict[str, str | list[str]] = Field(
        min_length=1, description='Days to hours: mon-fri: "08:00-18:00"; several ranges as a list.'
    )
    holidays: list[date] = Field(default_factory=list, description="Days that are closed, as dates.")
    open: str | None = Field(None, description="Where to go when open; else `next`.")
    closed: str | None = Field(None, description="Where to go when closed; else the call ends.")

    @field_validator("schedule")
    @classmethod
    def _readable(cls, value: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
        for days, hours in value.items():
            parse_days(days)
            parse_hours(_joined(hours))
        return value

    def exits(self) -> list[Exit]:
        way_in = ("open",) if self.open is not None or self.next is None else ("next",)
        return [
            Exit("open", self.open or self.next, way_in),
            Exit("closed", self.closed, ("closed",)),
        ]

    def spans(self, day: date) -> list[tuple[datetime, datetime]]:
        """The opening times that begin on ``day``, as wall-clock times without a zone."""
        if day in self.holidays:
            return []
        midnight = datetime.combine(day, time())
        return [
            (midnight + timedelta(minutes=start), midnight + timedelta(minutes=end))
            for days, hours in self.schedule.items()
            if day.weekday() in parse_days(days)
            for start, end in parse_hours(_joined(hours))
        ]

    def verdict(self, local: datetime) -> tuple[bool, str]:
        """Open or not at a local time, and why."""
        # Opening hours are what the clock on the wall says, so daylight saving needs no care here.
        wall = local.replace(tzinfo=None)
        today = wall.date()
        for day in (today, today - timedelta(days=1)):
            for start, end in self.spans(day):
                if start <= wall < end:
                    return True, f"open: {wall:%a %H:%M} is within {start:%H:%M}-{end:%H:%M}"
        if today in self.holidays:
            return False, f"closed: {today} is a holiday"
        return False, f"closed: {wall:%a %H:%M} is outside the opening hours"

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        is_open, why = self.verdict(call.local_time())
        return Turn((self.open or self.next) if is_open else self.closed, why)


def _joined(hours: Any) -> str:
    return hours if isinstance(hours, str) else ", ".join(hours)
