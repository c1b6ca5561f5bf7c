"""What the calls add up to: by source, medium, campaign, number, agent, queue, hour and more.

Dashboard, API, CSV and ``pbx report`` ask the same queries. Every report has a total that is
computed by itself, not by adding its rows. Calls are counted by what became of them. Two figures need
saying: *talk* is billed to the agent who talked, leg by leg, so after a transfer both agents have
their own seconds and the call is counted for each (and once in the total); *wait* is the time from a
call's start until somebody talked.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Engine,
    SQLColumnExpression,
    String,
    case,
    cast,
    func,
    literal,
)
from sqlmodel import Session, col, select

from pbx.config.queues import Queue
from pbx.events import CallStatus
from pbx.flows.hours import DAYS
from pbx.queues.figures import Figures as QueueFigures
from pbx.store import queue_visits
from pbx.store.calls import Filter
from pbx.store.encoding import from_ms
from pbx.store.tables import CallRow, LegRow

NOBODY = ""
"""The key of calls that have no agent, joined no queue, or of which the campaign is not known."""

QUARTER_MS = 900_000
"""Every zone's offset is a whole number of quarter hours, so a quarter never spans two local hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Sums over some calls; times in milliseconds."""

    calls: int = 0
    answered: int = 0
    missed: int = 0
    abandoned: int = 0
    voicemail: int = 0
    completed: int = 0
    rejected: int = 0
    failed: int = 0
    interrupted: int = 0
    live: int = 0
    talked: int = 0  # calls in which somebody talked
    talk_ms: int = 0
    wait_ms: int = 0

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(**{name: getattr(self, name) + getattr(other, name) for name in _NAMES})

    @property
    def talk_s(self) -> float:
        return self.talk_ms / 1000

    @property
    def average_talk_s(self) -> float | None:
        return self.talk_ms / self.talked / 1000 if self.talked else None

    @property
    def average_wait_s(self) -> float | None:
        return self.wait_ms / self.talked / 1000 if self.talked else None


_NAMES = tuple(field.name for field in fields(Figures))
_COUNTED = tuple(status for status in CallStatus if status.is_final)


@dataclass(frozen=True, slots=True)
class Report:
    """Rows with most calls first (hours and the hours of the week in their order), and the whole."""

    name: str
    rows: tuple[tuple[str, Figures], ...]
    total: Figures


def _counts() -> list[ColumnElement[int]]:
    """The columns of Figures up to ``live``, in order."""

    def of(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    status = col(CallRow.status)
    live = status.in_([each.value for each in CallStatus if not each.is_final])
    by_status = {each.value: of(status == each.value) for each in _COUNTED}
    return [func.count(), *(by_status[name] for name in _NAMES[1:9]), of(live)]


def _sum(value: SQLColumnExpression[Any]) -> ColumnElement[int]:
    # PostgreSQL sums BIGINT to NUMERIC.
    return cast(func.coalesce(func.sum(value), 0), BigInteger)


def _talked(row: type[CallRow] | type[LegRow]) -> ColumnElement[int]:
    return case((col(row.connected_ms).is_not(None), 1), else_=0)


_WAIT = func.coalesce(col(CallRow.connected_ms) - col(CallRow.started_ms), 0)


class Reports:
    """The reports over the calls in the database. Methods block: call them from a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def run(self, name: str, filter: Filter, zone: ZoneInfo) -> Report:
        """The report of that name. Raises KeyError for one that does not exist."""
        rows = _REPORTS[name](self, filter, zone)
        return Report(name, tuple(rows), self.total(filter))

    def queues(
        self, queues: Mapping[str, Queue], since: datetime | None, until: datetime | None
    ) -> dict[str, QueueFigures]:
        """What the stays in each queue add up to, service levels included."""
        return queue_visits.of_period(self._engine, queues, since, until)

    def total(self, filter: Filter) -> Figures:
        for _, figures in self._by(literal("", String), filter, grouped=False):
            return figures
        return Figures()

    def _by(
        self, key: SQLColumnExpression[Any], filter: Filter, *, grouped: bool = True
    ) -> list[tuple[Any, Figures]]:
        query = select(  # type: ignore[call-overload]
            key,
            *_counts(),
            _sum(_talked(CallRow)),
            _sum(col(CallRow.talk_ms)),
            _sum(_WAIT),
        ).where(*filter.conditions())
        if grouped:
            query = query.group_by(key)
        with Session(self._engine) as session:
            return [(row[0], _figures(row[1:])) for row in session.exec(query)]

    def by_queue(self, filter: Filter, _zone: ZoneInfo) -> list[tuple[str, Figures]]:
        return _busiest_first(self._by(func.coalesce(col(CallRow.queue), NOBODY), filter))

    def by_hour(self, filter: Filter, zone: ZoneInfo) -> list[tuple[str, Figures]]:
        """By the hour of the day in which calls started, in the site's zone; all 24."""
        hours = {f"{hour:02d}": Figures() for hour in range(24)}
        quarter = col(CallRow.started_ms) - col(CallRow.started_ms) % QUARTER_MS
        for started_ms, figures in self._by(quarter, filter):
            hours[f"{from_ms(started_ms).astimezone(zone):%H}"] += figures
        return list(hours.items())

    def by_week(self, filter: Filter, zone: ZoneInfo) -> list[tuple[str, Figures]]:
        """By the hour of the week in which calls started, in the site's zone; all 168, from Monday."""
        hours = {f"{day} {hour:02d}": Figures() for day in DAYS for hour in range(24)}
        quarter = col(CallRow.started_ms) - col(CallRow.started_ms) % QUARTER_MS
        for started_ms, figures in self._by(quarter, filter):
            local = from_ms(started_ms).astimezone(zone)
            hours[f"{DAYS[local.weekday()]} {local:%H}"] += figures
        return list(hours.items())

    def by_agent(self, filter: Filter, _zone: ZoneInfo) -> list[tuple[str, Figures]]:
        """By who talked, and by nobody for calls in which no one did."""
        # One row for each call and agent, however many legs that agent had in it.
        legs = (
            select(
                col(LegRow.call_id),
                col(LegRow.agent),
                func.sum(col(LegRow.talk_ms)).label("talk_ms"),
            )
            .where(col(LegRow.agent).is_not(None), col(LegRow.connected_ms).is_not(None))
            .group_by(col(LegRow.call_id), col(LegRow.agent))
            .subquery()
        )
        key = func.coalesce(legs.c.agent, NOBODY)
        query = (
            select(  # type: ignore[call-overload]
                key, *_counts(), _sum(_talked(CallRow)), _sum(legs.c.talk_ms), _sum(_WAIT)
            )
            .select_from(CallRow)
            .outerjoin(legs, legs.c.call_id == col(CallRow.id))
            .where(*filter.conditions(), *_only(filter, legs.c.agent))
            .group_by(key)
        )
        with Session(self._engine) as session:
            return _busiest_first([(row[0], _figures(row[1:])) for row in session.exec(query)])


def _only(filter: Filter, agent: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    """Asked for some agents, their colleagues in the same calls get no rows."""
    return [agent.in_(filter.agent)] if filter.agent else []


def _figures(values: Iterable[Any]) -> Figures:
    return Figures(**dict(zip(_NAMES, map(int, values), strict=True)))


def _busiest_first(rows: list[tuple[str, Figures]]) -> list[tuple[str, Figures]]:
    return sorted(rows, key=lambda row: (-row[1].calls, row[0]))


Rows = list[tuple[str, Figures]]


def _by_column(column: SQLColumnExpression[Any]) -> Callable[[Reports, Filter, ZoneInfo], Rows]:
    """The report of a column of calls, which every call has."""
    return lambda reports, filter, _zone: _busiest_first(reports._by(column, filter))


_REPORTS: Mapping[str, Callable[[Reports, Filter, ZoneInfo], Rows]] = {
    "source": _by_column(col(CallRow.source)),
    "medium": _by_column(col(CallRow.medium)),
    "campaign": _by_column(col(CallRow.campaign)),
    "keyword": _by_column(col(CallRow.keyword)),
    "landing_page": _by_column(col(CallRow.landing_page)),
    "number": _by_column(col(CallRow.to_number)),
    "pool": _by_column(col(CallRow.pool)),
    "flow": _by_column(col(CallRow.flow)),
    "agent": Reports.by_agent,
    "queue": Reports.by_queue,
    "hour": Reports.by_hour,
    "week": Reports.by_week,
}
NAMES = tuple(_REPORTS)
