"""The stored events as a log that readers follow, each from where it stopped."""

import json
import logging
from collections.abc import Callable, Collection, Iterable
from datetime import datetime

from sqlalchemy import Engine, delete, func
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select

from pbx.store.encoding import Record, iso
from pbx.store.outbox import Parcel, put
from pbx.store.tables import CursorRow, EventRow

log = logging.getLogger(__name__)

MOST_AT_ONCE = 500


class EventLog:
    """Methods block: call them from a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def keep_only(self, readers: Collection[str]) -> None:
        """Forget the places of all others."""
        with Session(self._engine) as session:
            session.execute(delete(CursorRow).where(col(CursorRow.name).not_in(readers)))
            session.commit()

    def feed(self, reader: str, parcels: Callable[[Record], Iterable[Parcel]], now: datetime) -> int:
        """Put what ``parcels`` makes of the next events into the outbox; how many events were read.

        The events that are read and the parcels share a transaction: each event is taken once, whatever
        happens. A reader that is new begins with what happens from now on.
        """
        with Session(self._engine) as session:
            cursor = session.get(CursorRow, reader)
            if cursor is None:
                newest = session.exec(select(func.max(EventRow.id))).one()
                session.add(CursorRow(name=reader, event_id=newest or 0))
                session.commit()
                return 0
            query = (
                select(EventRow)
                .where(col(EventRow.id) > cursor.event_id)
                .order_by(col(EventRow.id))
                .limit(MOST_AT_ONCE)
            )
            rows = list(session.exec(query))
            for row in rows:
                put(session, _made(reader, parcels, row), now)
            if rows:
                cursor.event_id = rows[-1].id
                session.add(cursor)
            session.commit()
        return len(rows)


def _made(reader: str, parcels: Callable[[Record], Iterable[Parcel]], row: EventRow) -> list[Parcel]:
    """What the reader makes of an event. One that it fails on must not keep it from the next."""
    try:
        return list(parcels(_record(row)))
    except DBAPIError:
        raise
    except Exception:
        log.exception("%s can make nothing of event %d (%s)", reader, row.id, row.kind)
        return []


def _record(row: EventRow) -> Record:
    """As the live stream has it, with the event's number."""
    head = {"id": row.id, "kind": row.kind, "call_id": row.call_id, "at": iso(row.at_ms)}
    return {**json.loads(row.data or "{}"), **head}
