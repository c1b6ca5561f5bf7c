"""A call's journey, read from the visitor's touches and contacts."""

from sqlalchemy import Engine
from sqlmodel import Session, col, func, select

from pbx.attribution.journey import Journey, Touch
from pbx.store.tables import CallRow
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
    return Journey(
        touches=tuple(touch_of(row) for row in reversed(rows)),
        call_ms=until,
        lead_ms=until if first_contact is None else first_contact,
        pages=pages,
        visits=visits,
        calls_before=calls_before,
    )


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
