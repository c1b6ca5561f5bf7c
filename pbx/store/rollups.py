"""Sums made in advance: whole days and months, by every dimension, so that a million calls take no time.

A span that is listed in ``rolled_spans`` as made has its figures in ``rollups``; triggers strike it off the
list as soon as one of its calls changes, in the same transaction, whoever changes it. So a listed span is
right, and one that is not listed is asked of the calls themselves: a report never depends on how far this is.

A span is made without holding up the calls' writer: it is announced in a short transaction, summed up by
reading, and confirmed in another short one, if it has not been struck off meanwhile. On PostgreSQL the
announcement waits for transactions that have begun, since a change of theirs may be neither in the sums nor
have struck off what they could not see; SQLite has one writer at a time anyway.

Days are those of the business's zone. Who changes the zone, or a queue's service level, has another basis,
and everything is made anew. Months are added up from their days.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, and_, delete, func, insert, or_, select, text, update
from sqlmodel import col

from pbx.areas import area_of
from pbx.clock import midnight
from pbx.store.database import one_moment, writing
from pbx.store.dimensions import Basis, Span
from pbx.store.encoding import from_ms, to_ms
from pbx.store.figures import NAMES, Figures, figures
from pbx.store.rollup_tables import rolled_spans, rollups
from pbx.store.tables import CallRow

DAY, MONTH = "day", "month"
LONGEST_MS = {DAY: 26 * 3_600_000, MONTH: 32 * 86_400_000}
"""What the triggers find. A day of two (a zone that crosses the date line) is not summed up."""
SETTLED = timedelta(hours=1)
"""A day is over for so long when it is summed up: its last calls have ended."""
PLACED_AT_A_TIME = 500
LOCK_MS = 500
"""How long an announcement waits on PostgreSQL; meanwhile the calls' writer waits behind it, and spools."""

Rows = list[tuple[str, Figures]]
Query = Callable[[Connection, str, Span, Basis], Rows]
"""Sums up the calls of a span by a dimension."""


@dataclass(frozen=True, slots=True)
class Cover:
    """What a time is made of: spans summed up, by grain, and gaps that are not."""

    spans: dict[str, list[Span]]
    gaps: list[Span]


def cover(connection: Connection, basis: Basis, wanted: Span) -> Cover:
    """Months where there are, else days; neighbours are joined."""
    found: dict[str, list[Span]] = {MONTH: [], DAY: []}
    free = [wanted]
    for grain in (MONTH, DAY):
        left: list[Span] = []
        for gap in free:
            made = list(_made(connection, grain, basis, gap))
            found[grain] += _joined(made)
            left += _between(gap, made)
        free = left
    return Cover(found, free)


def _made(connection: Connection, grain: str, basis: Basis, within: Span) -> Iterator[Span]:
    listed = rolled_spans.c
    query = select(listed.begin_ms, listed.end_ms).where(
        listed.grain == grain,
        listed.begin_ms >= within.begin,
        listed.end_ms <= within.end,
        listed.basis == str(basis),
        listed.state == "made",
    )
    for begin, end in connection.execute(query.order_by(listed.begin_ms)):
        yield Span(begin, end)


def _joined(spans: Iterable[Span]) -> list[Span]:
    found: list[Span] = []
    for span in spans:
        if found and found[-1].end == span.begin:
            found[-1] = Span(found[-1].begin, span.end)
        else:
            found.append(span)
    return found


def _between(whole: Span, parts: Iterable[Span]) -> list[Span]:
    """What of the whole is in none of the parts, which are in order."""
    found, at = [], whole.begin
    for part in parts:
        if part.begin > at:
            found.append(Span(at, part.begin))
        at = part.end
    return [*found, Span(at, whole.end)] if at < whole.end else found


def read(connection: Connection, dimension: str, spans: dict[str, list[Span]]) -> Rows:
    """The sums of spans by that dimension."""
    within = [
        and_(rollups.c.grain == grain, rollups.c.begin_ms >= span.begin, rollups.c.begin_ms < span.end)
        for grain, several in spans.items()
        for span in several
    ]
    if not within:
        return []
    query = (
        select(rollups.c.key, *(func.sum(rollups.c[name]) for name in NAMES))
        .where(rollups.c.dimension == dimension, or_(*within))
        .group_by(rollups.c.key)
    )
    return [(row[0], figures(row[1:])) for row in connection.execute(query)]


class Rollups:
    """Makes the sums. Methods block: call them from a thread."""

    def __init__(self, engine: Engine, dimensions: Sequence[str], query: Query) -> None:
        self._engine = engine
        self._dimensions = dimensions
        self._query = query

    def catch_up(self, basis: Basis, now: datetime, stopped: Callable[[], bool] = lambda: False) -> int:
        """Sum up every day and month that is over and not summed up; returns how many were.

        The newest first, which are asked for most. Ends early when ``stopped``.
        """
        self._place(stopped)
        with writing(self._engine) as connection:
            stale = select(rolled_spans.c.begin_ms).where(rolled_spans.c.basis != str(basis)).limit(1)
            if connection.execute(stale).first():
                connection.execute(delete(rolled_spans))
                connection.execute(delete(rollups))
            oldest = connection.execute(select(func.min(col(CallRow.started_ms)))).scalar()
        if oldest is None:
            return 0
        made = 0
        for days in _months(from_ms(oldest).astimezone(basis.zone).date(), now - SETTLED, basis.zone):
            missing = self._missing(DAY, days, basis)
            for day in missing:
                if stopped():
                    return made
                made += self._make_day(day, basis)
            whole = Span(days[0].begin, days[-1].end)
            if _is_month(whole, basis.zone) and self._missing(MONTH, [whole], basis) and not stopped():
                made += self._make_month(whole, days, basis)
        return made

    def forget(self) -> None:
        """Have everything made anew."""
        with writing(self._engine) as connection:
            connection.execute(delete(rolled_spans))
            connection.execute(delete(rollups))

    def _place(self, stopped: Callable[[], bool]) -> None:
        """Look up the areas of callers that nobody has asked for: calls of an older version, or imported."""
        unplaced = col(CallRow.area).is_(None)
        numbers = select(col(CallRow.from_number)).where(unplaced).distinct().limit(PLACED_AT_A_TIME)
        while not stopped():
            with writing(self._engine) as connection:
                found = connection.execute(numbers).scalars().all()
                for number in found:
                    theirs = and_(unplaced, col(CallRow.from_number) == number)
                    connection.execute(update(CallRow).where(theirs).values(area=area_of(number)))
            if not found:
                return

    def _missing(self, grain: str, spans: list[Span], basis: Basis) -> list[Span]:
        with self._engine.connect() as connection:
            within = Span(spans[0].begin, spans[-1].end)
            made = set(_made(connection, grain, basis, within))
        return [span for span in reversed(spans) if span not in made]

    def _make_day(self, day: Span, basis: Basis) -> bool:
        if day.end - day.begin > LONGEST_MS[DAY]:
            return False
        mark = self._announce(DAY, day, basis)
        with one_moment(self._engine) as connection:
            within = (col(CallRow.started_ms) >= day.begin, col(CallRow.started_ms) < day.end)
            any_calls = connection.execute(select(col(CallRow.id)).where(*within).limit(1)).first()
            names = self._dimensions if any_calls else ()
            sums = {name: self._query(connection, name, day, basis) for name in names}
        return self._confirm(DAY, day, mark, sums)

    def _make_month(self, month: Span, days: list[Span], basis: Basis) -> bool:
        mark = self._announce(MONTH, month, basis)
        with one_moment(self._engine) as connection:
            found = list(_made(connection, DAY, basis, month))
            if found != days:  # one has changed again
                return False
            sums = {name: read(connection, name, {DAY: [month]}) for name in self._dimensions}
        return self._confirm(MONTH, month, mark, sums)

    def _announce(self, grain: str, span: Span, basis: Basis) -> str:
        """Returns a mark that is ours: another process may be at the same span."""
        mark = f"making {secrets.token_hex(8)}"
        with writing(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_MS}"))
                connection.execute(text("LOCK TABLE rolled_spans IN SHARE ROW EXCLUSIVE MODE"))
            connection.execute(delete(rolled_spans).where(*_is(grain, span)))
            values = {"begin_ms": span.begin, "end_ms": span.end, "basis": str(basis)}
            connection.execute(insert(rolled_spans).values(grain=grain, state=mark, **values))
        return mark

    def _confirm(self, grain: str, span: Span, mark: str, sums: dict[str, Rows]) -> bool:
        """False if a call of the span has changed meanwhile."""
        ours = (*_is(grain, span), rolled_spans.c.state == mark)
        with writing(self._engine) as connection:
            if not connection.execute(update(rolled_spans).where(*ours).values(state="made")).rowcount:
                return False
            about: dict[str, Any] = {"grain": grain, "begin_ms": span.begin}
            for name in self._dimensions:  # which the primary key begins with
                old = (rollups.c.dimension == name, rollups.c.grain == grain)
                connection.execute(delete(rollups).where(*old, rollups.c.begin_ms == span.begin))
            rows = [
                {**about, "dimension": name, "key": key, **{each: getattr(sum, each) for each in NAMES}}
                for name, groups in sums.items()
                for key, sum in groups
            ]
            if rows:
                connection.execute(insert(rollups), rows)
        return True


def _is(grain: str, span: Span) -> tuple[Any, ...]:
    return rolled_spans.c.grain == grain, rolled_spans.c.begin_ms == span.begin


def _months(first: date, until: datetime, zone: ZoneInfo) -> Iterator[list[Span]]:
    """The days from ``first`` to the last one that is over, month by month; the newest month first."""
    day = until.astimezone(zone).date() - timedelta(days=1)
    while day >= first:
        begin = max(first, day.replace(day=1))
        yield [_day(begin + timedelta(days=n), zone) for n in range((day - begin).days + 1)]
        day = begin - timedelta(days=1)


def _day(day: date, zone: ZoneInfo) -> Span:
    return Span(to_ms(midnight(day, zone)), to_ms(midnight(day + timedelta(days=1), zone)))


def _is_month(span: Span, zone: ZoneInfo) -> bool:
    begin, end = (from_ms(ms).astimezone(zone) for ms in (span.begin, span.end))
    return begin.day == 1 and end.day == 1
