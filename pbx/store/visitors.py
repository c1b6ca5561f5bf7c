"""Reading the website's visitors: for the server's start, for a call's story, for a visitor's timeline."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine, delete
from sqlmodel import Session, col, func, select

from pbx.attribution.leases import REMEMBERED_MS, Lease
from pbx.attribution.likelihood import STEPS, Learned, Tie
from pbx.attribution.sources import Arrival
from pbx.attribution.visitors import LIKELY, MOST_PHONES
from pbx.store.encoding import to_ms
from pbx.store.visitor_tables import ContactRow, HabitRow, LeaseRow, TouchRow, VisitorIdRow, VisitorRow

MOST_LEASES = 200_000
LONGEST_TIMELINE = 1000


@dataclass(frozen=True, slots=True)
class Timeline:
    """A visitor's touches and contacts, each oldest first."""

    visitor: VisitorRow
    touches: tuple[TouchRow, ...]
    contacts: tuple[ContactRow, ...]


class VisitorStore:
    """Methods block: call them from a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def leases(self, now: datetime) -> list[Lease]:
        """Those that may matter to a call still, oldest first."""
        query = (
            select(LeaseRow)
            .where(col(LeaseRow.seen_ms) >= to_ms(now) - REMEMBERED_MS)
            .order_by(col(LeaseRow.seen_ms).desc())
            .limit(MOST_LEASES)
        )
        with Session(self._engine) as session:
            rows = sorted(session.exec(query), key=lambda row: row.started_ms)
        return [
            Lease(
                number=row.number,
                pool=row.pool,
                visitor=row.visitor_id,
                started_ms=row.started_ms,
                seen_ms=row.seen_ms,
                until_ms=row.until_ms,
                arrival=Arrival(**json.loads(row.arrival)),
                stored_ms=row.seen_ms,
            )
            for row in rows
        ]

    def phones(self) -> list[tuple[str, Tie]]:
        """Callers' numbers that are tied to a visitor, oldest first."""
        query = (
            select(ContactRow)
            .where(col(ContactRow.phone) != "", col(ContactRow.probability) >= LIKELY)
            .order_by(col(ContactRow.at_ms).desc())
            .limit(MOST_PHONES)
        )
        with Session(self._engine) as session:
            rows = list(session.exec(query))
        return [(row.phone, Tie(row.visitor_id, row.probability)) for row in reversed(rows)]

    def learned(self) -> Learned | None:
        """How long after a visit people call; None before anything was learned."""
        with Session(self._engine) as session:
            row = session.get(HabitRow, 1)
        if row is None:
            return None
        data = json.loads(row.data)
        if len(data["calls"]) != len(STEPS) - 1:
            return None  # counted in other steps, by another version
        return Learned(tuple(data["calls"]), tuple(data["spent_s"]), data["stray_calls"], data["stray_s"])

    def timeline(self, visitor: str, until: datetime | None = None) -> Timeline | None:
        """The last ``LONGEST_TIMELINE`` of each, up to a moment; None for a visitor that is not known."""
        with Session(self._engine) as session:
            row = session.get(VisitorRow, visitor)
            if row is None:
                return None
            touches = select(TouchRow).where(col(TouchRow.visitor_id) == visitor)
            contacts = select(ContactRow).where(col(ContactRow.visitor_id) == visitor)
            if until is not None:
                touches = touches.where(col(TouchRow.at_ms) <= to_ms(until))
                contacts = contacts.where(col(ContactRow.at_ms) <= to_ms(until))
            touched = session.exec(
                touches.order_by(col(TouchRow.at_ms).desc(), col(TouchRow.id).desc()).limit(LONGEST_TIMELINE)
            ).all()
            made = session.exec(contacts.order_by(col(ContactRow.at_ms).desc()).limit(LONGEST_TIMELINE)).all()
        return Timeline(row, tuple(reversed(touched)), tuple(reversed(made)))

    # Retention

    def old(self, before: datetime) -> int:
        """How many visitors were last seen before then."""
        with Session(self._engine) as session:
            query = (
                select(func.count()).select_from(VisitorRow).where(col(VisitorRow.last_ms) < to_ms(before))
            )
            return int(session.exec(query).one())

    def forget(self, before: datetime) -> None:
        """Visitors last seen before then, with all that is kept of them, and others' touches from before."""
        limit = to_ms(before)
        gone = select(VisitorRow.id).where(col(VisitorRow.last_ms) < limit)
        with Session(self._engine) as session:
            for table in (TouchRow, LeaseRow, ContactRow, VisitorIdRow):
                session.execute(delete(table).where(col(table.visitor_id).in_(gone)))
            session.execute(delete(TouchRow).where(col(TouchRow.at_ms) < limit))
            session.execute(delete(LeaseRow).where(col(LeaseRow.seen_ms) < limit))
            session.execute(delete(ContactRow).where(col(ContactRow.at_ms) < limit))
            session.execute(delete(VisitorRow).where(col(VisitorRow.last_ms) < limit))
            session.commit()


def arrivals(touches: Sequence[TouchRow]) -> list[TouchRow]:
    """The touches by which the visitor came."""
    return [touch for touch in touches if touch.arrival]
