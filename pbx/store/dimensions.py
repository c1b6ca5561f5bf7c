"""What calls are added up by. Every call is in exactly one group of each, so that the parts make the whole.

A :class:`Dimension` gives the key of a call's group in SQL, and the condition that picks one group's calls
out again. ``NOBODY`` is the key of the calls that have none: no agent talked, no campaign is known.

Hours are those of the business's clocks. An offset from UTC need not be whole hours (+05:45) and changes over
the year, so the local hour is worked out in SQL from a table of the zone's changes in the time in question.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, SQLColumnExpression, String, case, func, literal
from sqlmodel import col

from pbx.config.models import Config
from pbx.flows.hours import DAYS
from pbx.store.encoding import from_ms, to_ms
from pbx.store.figures import Thresholds
from pbx.store.tables import CallRow

NOBODY = ""
"""The key of calls that have no agent, joined no queue, or of which the campaign is not known."""

HOUR_MS = 3_600_000
HOURS = tuple(f"{hour:02d}" for hour in range(24))
WEEK = tuple(f"{day} {hour}" for day in DAYS for hour in HOURS)
_MONDAY = 72  # hours from a Monday's midnight to Thursday the 1st of January 1970's
EARLIEST_MS, LATEST_MS = 0, to_ms(datetime(2100, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Basis:
    """What of the config a report depends on."""

    zone: ZoneInfo
    thresholds: Thresholds

    @classmethod
    def of(cls, config: Config) -> "Basis":
        levels = {name: queue.service_level for name, queue in config.queues.items()}
        return cls(
            config.server.zone,
            {name: round(level.total_seconds() * 1000) for name, level in levels.items()},
        )

    def __str__(self) -> str:
        """Two that give the same figures are written alike."""
        limits = ",".join(f"{name}:{limit}" for name, limit in sorted(self.thresholds.items()))
        return f"{self.zone.key} {limits}".strip()


@dataclass(frozen=True, slots=True)
class Span:
    """From a moment up to another, in milliseconds since 1970."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Dimension:
    """``key`` is what the database groups by; ``names`` are the keys in order where they are known before."""

    key: Callable[[Basis, Span], SQLColumnExpression[Any]]
    names: tuple[str, ...] = ()

    def name(self, key: Any) -> str:
        """The database's key as the report has it."""
        return self.names[key] if self.names else str(key)

    def holds(self, key: str, basis: Basis, span: Span) -> ColumnElement[bool]:
        """The calls of one group."""
        if self.names and key not in self.names:
            return literal(False)
        return self.key(basis, span) == (self.names.index(key) if self.names else key)


def _column(column: SQLColumnExpression[Any], *, nullable: bool = False) -> Dimension:
    key = func.coalesce(column, NOBODY) if nullable else column
    return Dimension(lambda _basis, _span: key)


def _hour_of_week(basis: Basis, span: Span) -> ColumnElement[int]:
    local = col(CallRow.started_ms) + _offset(basis.zone, span)
    return (local // HOUR_MS + _MONDAY) % len(WEEK)


def _hour(basis: Basis, span: Span) -> ColumnElement[int]:
    return _hour_of_week(basis, span) % len(HOURS)


def _offset(zone: ZoneInfo, span: Span) -> ColumnElement[int]:
    """How far the zone's clocks are ahead of UTC at a call's start, if it is within ``span``."""
    begin, end = max(span.begin, EARLIEST_MS), min(span.end, LATEST_MS)
    offset = _offset_ms(zone, begin)
    changes = [change for change in _changes(zone, *_years(begin, end)) if begin < change < end]
    if not changes:
        return literal(offset)
    starts = [begin, *changes]
    pieces = [
        (col(CallRow.started_ms) < change, _offset_ms(zone, start))
        for start, change in zip(starts, changes, strict=False)
    ]
    return case(*pieces, else_=_offset_ms(zone, changes[-1]))


def _years(begin: int, end: int) -> tuple[int, int]:
    return from_ms(begin).year, from_ms(max(begin, end)).year + 1


def _offset_ms(zone: ZoneInfo, ms: int) -> int:
    offset = from_ms(ms).astimezone(zone).utcoffset()
    return round(offset.total_seconds() * 1000) if offset is not None else 0


@lru_cache(64)
def _changes(zone: ZoneInfo, first: int, last: int) -> tuple[int, ...]:
    """When the zone's clocks were or will be changed in those years, the last one not included."""
    moment, end = datetime(first, 1, 1, tzinfo=UTC), datetime(last, 1, 1, tzinfo=UTC)
    found = []
    while moment < end:
        following = moment + timedelta(days=1)
        low, high = to_ms(moment), to_ms(following)
        if _offset_ms(zone, low) != (after := _offset_ms(zone, high)):
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (low, middle) if _offset_ms(zone, middle) == after else (middle, high)
            found.append(high)
        moment = following
    return tuple(found)


TOTAL = "total"
"""All calls in one group."""

DIMENSIONS: Mapping[str, Dimension] = {
    "source": _column(col(CallRow.source)),
    "medium": _column(col(CallRow.medium)),
    "campaign": _column(col(CallRow.campaign)),
    "keyword": _column(col(CallRow.keyword)),
    "landing_page": _column(col(CallRow.landing_page)),
    "number": _column(col(CallRow.to_number)),
    "pool": _column(col(CallRow.pool)),
    "flow": _column(col(CallRow.flow)),
    "exit": _column(col(CallRow.left_at)),
    "agent": _column(col(CallRow.agent), nullable=True),
    "queue": _column(col(CallRow.queue), nullable=True),
    "area": _column(col(CallRow.area), nullable=True),
    "caller": _column(col(CallRow.caller)),
    "outcome": _column(col(CallRow.outcome), nullable=True),
    "direction": _column(col(CallRow.direction)),
    "hour": Dimension(_hour, HOURS),
    "week": Dimension(_hour_of_week, WEEK),
}
EVERYTHING = Dimension(lambda _basis, _span: literal("", String))
