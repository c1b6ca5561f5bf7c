"""What was spent on each source, and how much of it falls in a time: prorated by day.

A :class:`Spent` is an amount over whole days, both inclusive, in the business's zone. Each of its days has
the same share, and a day that a time covers in part has that part: a day of 23 hours is as much as one of 24.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

from pbx.clock import midnight


@dataclass(frozen=True, slots=True)
class Spent:
    source: str
    campaign: str  # "": the source as a whole
    first: date
    last: date
    amount: Fraction

    def within(self, since: Fraction | None, until: Fraction | None) -> Fraction:
        """How much of it falls between two places in the calendar (see :func:`place`)."""
        begin, end = Fraction(self.first.toordinal()), Fraction(self.last.toordinal() + 1)
        covered = min(end, end if until is None else until) - max(begin, begin if since is None else since)
        return self.amount * max(covered, Fraction(0)) / (end - begin)


def place(moment: datetime, zone: ZoneInfo) -> Fraction:
    """The day's number, and how much of that day is over."""
    day = moment.astimezone(zone).date()
    begin, end = midnight(day, zone), midnight(day + timedelta(days=1), zone)
    over = (moment - begin) / timedelta(milliseconds=1)
    return day.toordinal() + Fraction(round(over), round((end - begin) / timedelta(milliseconds=1)))


def costs(
    spent: Iterable[Spent],
    since: datetime | None,
    until: datetime | None,
    zone: ZoneInfo,
    key: Callable[[Spent], str],
) -> dict[str, Fraction]:
    """What was spent between two moments, by ``key``; what has nothing in that time is left out."""
    begin = None if since is None else place(since, zone)
    end = None if until is None else place(until, zone)
    found: dict[str, Fraction] = {}
    for each in spent:
        if amount := each.within(begin, end):
            found[key(each)] = found.get(key(each), Fraction(0)) + amount
    return found
