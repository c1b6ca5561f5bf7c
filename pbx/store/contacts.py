"""Reading a contact and its visitor for conversions: see :mod:`pbx.conversions.facts`."""

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import Engine
from sqlmodel import Session, col, func, select

from pbx.channels.forms import contact as contact_of_form
from pbx.conversions.facts import Arrived, Contact, Known
from pbx.events import CallStatus
from pbx.numbering import normalise
from pbx.store.journeys import milestones_of
from pbx.store.tables import CallRow, MessageRow, TagRow
from pbx.store.visitor_tables import ContactRow, TouchRow, VisitorIdRow, VisitorRow

MOST_ARRIVALS = 200
OF = {"text": "texts", "form": "forms", "chat": "chats", "lead": "leads", "social": "social"}
"""What the config calls the contacts of a channel."""


class Contacts:
    """Methods block: call them from a thread. ``country``: whose numbers are written without +."""

    def __init__(self, engine: Engine, country: str) -> None:
        self._engine = engine
        self._country = country

    def call(self, id: str) -> Contact | None:
        with Session(self._engine) as session:
            row = session.get(CallRow, id)
            if row is None or row.origin:  # who imported it has told the platforms of it, if anybody has
                return None
            tags = frozenset(session.exec(select(TagRow.tag).where(TagRow.call_id == id)))
            reached = milestones_of(session, row) if row.visitor else ()
        return Contact(
            of="calls",
            id=row.id,
            at_ms=row.started_ms,
            visitor=row.visitor,
            probability=row.probability,
            source=row.source,
            medium=row.medium,
            campaign=row.campaign,
            keyword=row.keyword,
            landing_page=row.landing_page,
            status=row.status,
            over=CallStatus(row.status).is_final,
            incoming=row.direction == "inbound",
            outcome=row.outcome or "",
            score=row.score,
            tags=tags,
            talk_s=row.talk_ms / 1000,
            value=None if row.value_cents is None else row.value_cents / 100,
            milestones=frozenset(each.name for each in reached if each.ref == id),
            phone=normalise(row.from_number, self._country) or "",
        )

    def message(self, id: str) -> Contact | None:
        with Session(self._engine) as session:
            row = session.get(MessageRow, id)
            if row is None:
                return None
            visitor = row.visitor or ""
            arrival = _last_arrival(session, visitor, row.created_ms)
            first = _is_first(session, visitor, id, row.created_ms)
        fields: dict[str, Any] = json.loads(row.fields) if row.fields else {}
        said = contact_of_form({name: str(value) for name, value in fields.items()}, self._country)
        return Contact(
            of=OF[row.channel],
            id=row.id,
            at_ms=row.created_ms,
            visitor=visitor,
            source=row.source,
            medium=arrival.medium if arrival else "",
            campaign=arrival.campaign if arrival else "",
            keyword=arrival.keyword if arrival else "",
            landing_page=arrival.page if arrival else "",
            incoming=row.direction == "in",
            milestones=frozenset(("lead",)) if first else frozenset(),
            phone=said.phone or normalise(row.from_, self._country) or "",
            email=said.email,
        )

    def known(self, visitor: str, until_ms: int) -> Known | None:
        """None for a visitor that is not known, or forgotten."""
        with Session(self._engine) as session:
            row = session.get(VisitorRow, visitor)
            if row is None:
                return None
            touches = session.exec(
                select(TouchRow)
                .where(
                    col(TouchRow.visitor_id) == visitor,
                    col(TouchRow.at_ms) <= until_ms,
                    col(TouchRow.arrival) == 1,
                )
                .order_by(col(TouchRow.at_ms).desc(), col(TouchRow.id).desc())
                .limit(MOST_ARRIVALS)
            ).all()
            ids = session.exec(select(VisitorIdRow).where(VisitorIdRow.visitor_id == visitor)).all()
        return Known(
            id=visitor,
            first_ms=row.first_ms,
            arrivals=tuple(
                Arrived(touch.at_ms, touch.page, json.loads(touch.params or "{}")) for touch in touches
            ),
            ids={each.name: each.value for each in ids},
        )

    def willing(self, visitors: Collection[str]) -> frozenset[str]:
        """Those that are known and have not refused."""
        refused = select(VisitorIdRow.visitor_id).where(
            col(VisitorIdRow.name) == "consent", col(VisitorIdRow.value) == "refused"
        )
        query = select(VisitorRow.id).where(
            col(VisitorRow.id).in_(visitors), col(VisitorRow.id).not_in(refused)
        )
        with Session(self._engine) as session:
            return frozenset(session.exec(query))


def _is_first(session: Session, visitor: str, ref: str, at_ms: int) -> bool:
    """Whether the visitor never got in touch before."""
    if not visitor:
        return False
    before = select(func.count()).where(
        col(ContactRow.visitor_id) == visitor, col(ContactRow.at_ms) < at_ms, col(ContactRow.ref) != ref
    )
    return session.exec(before).one() == 0


def _last_arrival(session: Session, visitor: str, until_ms: int) -> TouchRow | None:
    if not visitor:
        return None
    return session.exec(
        select(TouchRow)
        .where(
            col(TouchRow.visitor_id) == visitor, col(TouchRow.at_ms) <= until_ms, col(TouchRow.arrival) == 1
        )
        .order_by(col(TouchRow.at_ms).desc(), col(TouchRow.id).desc())
        .limit(1)
    ).first()
