"""``schedule:`` open or closed, by the clock on the wall: of the zone it names, or of the server's.

Hours are wall-clock times, as on a shop's door. So daylight saving needs no rule of its own: on the
night in which clocks go back, ``01:00-02:00`` is open for two hours; on the one in which they go
forward, ``02:00-03:00`` for none.

A range whose end is not after its start runs into the next day and belongs to the day on which it
began. A holiday is closed from midnight to midnight, and so is what began on it.
"""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field

from pbx.config.fields import Zone
from pbx.flows.control import CallControl
from pbx.flows.hours import DAYS, Hours, parse_days, parse_hours
from pbx.flows.step import Doubt, Exit, Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

_DAY = timedelta(days=1)
_DAY_MINUTES = 24 * 60
_WEEK_MINUTES = 7 * _DAY_MINUTES


def _meet(one: tuple[int, int, str], other: tuple[int, int, str]) -> bool:
    """Whether two ranges share a minute of the week; what ends beyond Sunday goes on on Monday."""
    return any(
        max(one[0], other[0] + shift) < min(one[1], other[1] + shift)
        for shift in (-_WEEK_MINUTES, 0, _WEEK_MINUTES)
    )


def _joined(hours: str | list[str]) -> str:
    return hours if isinstance(hours, str) else ", ".join(hours)


def _readable_days(days: str) -> str:
    parse_days(days)
    return days


def _readable_hours(hours: str | list[str]) -> str | list[str]:
    parse_hours(_joined(hours))
    return hours


# Checked one by one, so that each mistake is told at its own place.
WrittenDays = Annotated[str, AfterValidator(_readable_days)]
WrittenHours = Annotated[str | list[str], AfterValidator(_readable_hours)]


class Schedule(Step):
    """Open while one of the ranges runs; closed otherwise, and on holidays."""

    kind: ClassVar[str] = "schedule"
    gives: ClassVar[tuple[str, ...]] = ("",)
    example: ClassVar[str] = """
hours:
  schedule:
    mon-fri: ["08:00-12:00", "13:00-18:00"]
    sat,sun: "22:00-02:00"
  holidays: [2026-12-25, 2027-01-01]
  open: menu
  closed: message
west_coast:
  schedule: {mon-fri: "08:00-17:00"}
  timezone: America/Los_Angeles
  open: reception
  closed: message
"""

    schedule: dict[WrittenDays, WrittenHours] = Field(
        min_length=1, description='Days to hours: mon-fri: "08:00-18:00"; several ranges as a list.'
    )
    holidays: list[date] = Field(default_factory=list, description="Days that are closed, as dates.")
    timezone: Zone | None = Field(
        None, description="The IANA zone of the hours and holidays; the server's if not given."
    )
    open: str | None = Field(None, description="Where to go when open; `next` if not given.")
    closed: str | None = Field(None, description="Where to go when closed; `next` if not given.")

    @cached_property
    def week(self) -> tuple[tuple[Hours, ...], ...]:
        """The ranges of each weekday, Monday first."""
        week: list[list[Hours]] = [[] for _ in DAYS]
        for days, hours in self.schedule.items():
            for weekday in parse_days(days):
                week[weekday] += parse_hours(_joined(hours))
        return tuple(map(tuple, week))

    @property
    def detail(self) -> str:
        return "; ".join(f"{days} {_joined(hours)}" for days, hours in self.schedule.items())

    def exits(self) -> list[Exit]:
        return [
            Exit("open", self.open or self.next, ("open" if self.open or not self.next else "next",)),
            Exit(
                "closed",
                self.closed or self.next,
                ("closed" if self.closed or not self.next else "next",),
                closed=True,
            ),
        ]

    def doubts(self, today: date) -> list[Doubt]:
        found = [*self._overlaps()]
        past = [index for index, day in enumerate(self.holidays) if day < today]
        if past:
            count = f"{len(past)} of {len(self.holidays)}"
            found.append(Doubt("past", ("holidays", past[0]), f"holidays in the past: {count}"))
        if self.closed is not None and not self.holidays and self._is_never_closed:
            found.append(
                Doubt("never", ("closed",), "the hours fill the whole week, so no call is ever 'closed'")
            )
        return found

    def _overlaps(self) -> Iterator[Doubt]:
        """Each entry of which a range meets an earlier one, once."""
        seen: list[tuple[int, int, str]] = []  # begin and end in minutes of the week, and how it is written
        for days, written in self.schedule.items():
            ranges = [
                (
                    day * _DAY_MINUTES + hours.start,
                    day * _DAY_MINUTES + hours.end,
                    f"{DAYS[day]} {hours.text}",
                )
                for day in parse_days(days)
                for hours in parse_hours(_joined(written))
            ]
            met = None
            for one in ranges:
                met = met or next(((one, other) for other in seen if _meet(one, other)), None)
                seen.append(one)
            if met is not None:
                message = f"{met[0][2]} overlaps {met[1][2]}; write one range"
                yield Doubt("overlap", ("schedule", days), message)

    @property
    def _is_never_closed(self) -> bool:
        week: set[int] = set()
        for day, ranges in enumerate(self.week):
            for hours in ranges:
                minutes = range(day * _DAY_MINUTES + hours.start, day * _DAY_MINUTES + hours.end)
                week.update(minute % _WEEK_MINUTES for minute in minutes)
        return len(week) == _WEEK_MINUTES

    def verdict(self, local: datetime) -> tuple[bool, str]:
        """Open or not at a local time, and why."""
        # strftime's %a would speak the language of the process's locale.
        now = f"{DAYS[local.weekday()].capitalize()} {local:%H:%M}"
        if local.date() in self.holidays:
            return False, f"{local:%Y-%m-%d} is a holiday"
        for day, hours in self._may_run_on(local.date()):
            minutes = (local.replace(tzinfo=None) - datetime.combine(day, time())) / timedelta(minutes=1)
            if hours.start <= minutes < hours.end:
                return True, f"{now} is within {DAYS[day.weekday()]} {hours.text}"
        today = ", ".join(hours.text for hours in self.week[local.weekday()])
        return False, f"{now} is outside {today}" if today else f"{now}: closed all day"

    def _may_run_on(self, today: date) -> Iterator[tuple[date, Hours]]:
        """The ranges that began today or yesterday, with that day."""
        for day in (today, today - _DAY):
            if day not in self.holidays:
                for hours in self.week[day.weekday()]:
                    yield day, hours

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        local = call.local_time()
        is_open, why = self.verdict(local.astimezone(ZoneInfo(self.timezone)) if self.timezone else local)
        if is_open:
            return Turn(self.open or self.next, f"open: {why}", value="open", way="open")
        return Turn(self.closed or self.next, f"closed: {why}", value="closed", way="closed")
