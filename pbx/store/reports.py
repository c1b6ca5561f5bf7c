"""What the calls add up to: by source, campaign, number, agent, queue, area, hour and more.

Dashboard, API, CSV and ``pbx report`` ask the same queries. Every report has a total that is computed by
itself, not by adding its rows, at the same moment as the rows. A report that asks for nothing but a time is
put together from sums made in advance (:mod:`pbx.store.rollups`) and from the calls of whatever is not summed
up; one with other filters from the calls.

By agent, a call counts for who talked last, so that the calls add up, but *talk* is billed leg by leg: after
a transfer both agents have their own seconds. ``took_part`` counts the calls in which an agent talked, and so
a call with two agents twice; it is the one figure whose parts are more than the whole.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Engine, cast, func, select
from sqlmodel import col

from pbx.config.queues import Queue
from pbx.queues.figures import Figures as QueueFigures
from pbx.store import queue_visits
from pbx.store.calls import Filter
from pbx.store.database import one_moment
from pbx.store.dimensions import DIMENSIONS, EVERYTHING, NOBODY, TOTAL, Basis, Span
from pbx.store.encoding import from_ms
from pbx.store.figures import NAMES as FIGURES
from pbx.store.figures import Figures, columns, figures
from pbx.store.rollups import Rollups, Rows, cover, read
from pbx.store.tables import CallRow, LegRow

__all__ = ["FIGURES", "NAMES", "NOBODY", "Figures", "Report", "Reports"]

NAMES = tuple(DIMENSIONS)


@dataclass(frozen=True, slots=True)
class Report:
    """Rows with most calls first (hours and the hours of the week in their order), and the whole."""

    name: str
    rows: tuple[tuple[str, Figures], ...]
    total: Figures


class Reports:
    """The reports over the calls in the database. Methods block: call them from a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.rollups = Rollups(engine, (*NAMES, TOTAL), _sums_of_span)

    def run(self, name: str, filter: Filter, basis: Basis) -> Report:
        """The report of that name. Raises KeyError for one that does not exist."""
        dimension = DIMENSIONS[name]
        filter = replace(filter, basis=basis)
        with one_moment(self._engine) as connection:
            if filter.is_period:
                rows, total = _covered(connection, (name, TOTAL), filter, basis)
            else:
                rows, total = (_added(sums(connection, each, filter, basis)) for each in (name, TOTAL))
        if dimension.names:
            ordered = [(key, rows.get(key, Figures())) for key in dimension.names]
        else:
            ordered = sorted(rows.items(), key=lambda row: (-row[1].calls, row[0]))
        return Report(name, tuple(ordered), total.get(NOBODY, Figures()))

    def queues(
        self, queues: Mapping[str, Queue], since: datetime | None, until: datetime | None
    ) -> dict[str, QueueFigures]:
        """What the stays in each queue add up to, service levels included."""
        return queue_visits.of_period(self._engine, queues, since, until)


def _covered(
    connection: Connection, names: Sequence[str], filter: Filter, basis: Basis
) -> list[dict[str, Figures]]:
    """From the sums made in advance, and from the calls where there are none."""
    span = _with_calls(connection, filter)
    parts = cover(connection, basis, span)
    found = []
    for name in names:
        rows = read(connection, name, parts.spans)
        for gap in parts.gaps:
            rows += _sums_of_span(connection, name, gap, basis)
        found.append(_added(rows))
    return found


def _with_calls(connection: Connection, filter: Filter) -> Span:
    """The time asked for; where it has no end, that of the first or last call."""
    started = col(CallRow.started_ms)
    first, last = (
        connection.execute(select(end(started))).scalar() if given is None else None
        for end, given in ((func.min, filter.since), (func.max, filter.until))
    )
    whole = filter.span
    begin = whole.begin if filter.since else first or 0
    return Span(begin, whole.end if filter.until else max(begin, (last or 0) + 1))


def _added(rows: Rows) -> dict[str, Figures]:
    found: dict[str, Figures] = {}
    for key, sum in rows:
        found[key] = found[key] + sum if key in found else sum
    return found


def _sums_of_span(connection: Connection, name: str, span: Span, basis: Basis) -> Rows:
    return sums(connection, name, Filter(since=from_ms(span.begin), until=from_ms(span.end)), basis)


def sums(connection: Connection, name: str, filter: Filter, basis: Basis) -> Rows:
    """The figures of every group of a dimension, from the calls themselves."""
    dimension = DIMENSIONS.get(name, EVERYTHING)
    key: ColumnElement[Any] = dimension.key(basis, filter.span).label("key")
    query = select(key, *columns(basis.thresholds)).select_from(CallRow).where(*filter.conditions())
    if name != TOTAL:
        query = query.group_by(key)
    rows = [(dimension.name(row[0]), figures(row[1:])) for row in connection.execute(query)]
    return _billed(rows, _talk(connection, filter)) if name == "agent" else rows


def _talk(connection: Connection, filter: Filter) -> Mapping[str, tuple[int, int]]:
    """Each agent's calls and milliseconds of talk, from the legs."""
    talked = (col(LegRow.agent).is_not(None), col(LegRow.connected_ms).is_not(None))
    query = (
        select(
            col(LegRow.agent),
            func.count(col(LegRow.call_id).distinct()),
            cast(func.sum(col(LegRow.talk_ms)).filter(~col(LegRow.beside)), BigInteger),
        )
        .join(CallRow, col(CallRow.id) == col(LegRow.call_id))
        .where(*talked, *filter.conditions())
        .group_by(col(LegRow.agent))
    )
    return {str(agent): (calls, int(talk_ms or 0)) for agent, calls, talk_ms in connection.execute(query)}


def _billed(rows: Rows, talk: Mapping[str, tuple[int, int]]) -> Rows:
    """The agents' rows with each one's own talk."""
    found = dict(rows)
    agents: Iterable[str] = dict.fromkeys([*found, *talk])
    return [
        (agent, replace(found.get(agent, Figures()), took_part=calls, talk_ms=talk_ms))
        for agent in agents
        for calls, talk_ms in [talk.get(agent, (0, 0))]
    ]
