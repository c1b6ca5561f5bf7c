"""A call's journey, read from the visitor's touches and contacts."""

import json
from collections.abc import Sequence

from sqlalchemy import Engine
from sqlmodel import Session, col, func, select

from pbx.attribution.journey import Journey, Milestone, Touch
from pbx.events import CallEdited
from pbx.store.tables import CallRow, EventRow
from pbx.store.visitor_tables import ContactRow, TouchRow

MOST_TOUCHES = 500


def journey_of(engine: Engine, call: CallRow) -> Journey | None:
    """None where no visitor is known, or retention has forgotten the touches."""
    if not call.visitor:
        return None
    until = call.started_ms
    mine = col(TouchRow.visitor_id) == call.visitor, col(TouchRow.at_ms) <= until
    touches = select(TouchRow).where(*mine, col(TouchRow.arrival) == 1).order_by(col(TouchRow.at_ms).desc())
    counts = select(func.count(), func.count(func.distinct(TouchRow.session_ms))).where(*mine)
    contacts = select(func.min(ContactRow.at_ms)).where(
        col(ContactRow.visitor_id) == call.visitor, col(ContactRow.at_ms) <= until
    )
    before = (
        select(func.count())
        .select_from(CallRow)
        .where(col(CallRow.visitor) == call.visitor, col(CallRow.started_ms) < until)
    )
    with Session(engine) as session:
        rows = session.exec(touches.limit(MOST_TOUCHES)).all()
        if not rows:
            return None
        pages, visits = session.exec(counts).one()
        first_contact = session.exec(contacts).one()
        calls_before = session.exec(before).one()
        milestones = milestones_of(session, call)
    return Journey(
        touches=tuple(touch_of(row) for row in reversed(rows)),
        call_ms=until,
        lead_ms=until if first_contact is None else first_contact,
        pages=pages,
        visits=visits,
        calls_before=calls_before,
        milestones=milestones,
    )


def milestones_of(session: Session, call: CallRow) -> tuple[Milestone, ...]:
    """What the visitor has reached up to now, in the order of time."""
    visitor = call.visitor
    first_touch = session.exec(
        select(TouchRow)
        .where(col(TouchRow.visitor_id) == visitor, col(TouchRow.arrival) == 1)
        .order_by(col(TouchRow.at_ms))
        .limit(1)
    ).first()
    contact = session.exec(
        select(ContactRow)
        .where(col(ContactRow.visitor_id) == visitor)
        .order_by(col(ContactRow.at_ms))
        .limit(1)
    ).first()
    lead = (contact.at_ms, contact.ref) if contact is not None else (call.started_ms, call.id)
    reached = [
        ("first_touch", first_touch.at_ms if first_touch is not None else None, ""),
        ("lead", *min(lead, (call.started_ms, call.id))),
        ("qualified", *_judged(session, visitor, ("lead", "sale"))),
        ("sale", *_judged(session, visitor, ("sale",))),
    ]
    return tuple(
        Milestone(name, at_ms, _last_touch(session, visitor, at_ms), ref)
        for name, at_ms, ref in sorted(
            ((name, at_ms, ref) for name, at_ms, ref in reached if at_ms is not None),
            key=lambda each: each[1],
        )
    )


def _judged(session: Session, visitor: str, outcomes: Sequence[str]) -> tuple[int | None, str]:
    """When a call of the visitor's was first said to have one of these outcomes, and which call it was."""
    calls = session.exec(
        select(CallRow.id, CallRow.started_ms)
        .where(col(CallRow.visitor) == visitor, col(CallRow.outcome).in_(outcomes))
        .order_by(col(CallRow.started_ms))
        .limit(MOST_TOUCHES)
    ).all()
    said: list[tuple[int, str]] = []
    for id, started_ms in calls:
        edits = session.exec(
            select(EventRow).where(col(EventRow.call_id) == id, col(EventRow.kind) == CallEdited.kind)
        )
        times = [edit.at_ms for edit in edits if json.loads(edit.data)["changes"].get("outcome") in outcomes]
        said.append((min(times, default=started_ms), id))
    return min(said, default=(None, ""))


def _last_touch(session: Session, visitor: str, at_ms: int) -> Touch | None:
    """The arrival that was the last one then."""
    query = select(TouchRow).where(
        col(TouchRow.visitor_id) == visitor, col(TouchRow.arrival) == 1, col(TouchRow.at_ms) <= at_ms
    )
    row = session.exec(query.order_by(col(TouchRow.at_ms).desc(), col(TouchRow.id).desc()).limit(1)).first()
    return touch_of(row) if row is not None else None


def touch_of(row: TouchRow) -> Touch:
    return Touch(
        at_ms=row.at_ms,
        source=row.source,
        medium=row.medium,
        campaign=row.campaign,
        keyword=row.keyword,
        content=row.content,
        click_id=row.click_id,
        landing_page=row.page,
        referrer=row.referrer,
    )
