"""Callbacks that were promised and neither made nor given up."""

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from pbx.queues.callbacks import Promise
from pbx.store.encoding import from_ms
from pbx.store.tables import CallbackRow


def open_promises(engine: Engine) -> list[Promise]:
    """In the order in which they were made. Blocks: call it from a thread."""
    query = select(CallbackRow).where(CallbackRow.state == "waiting").order_by(col(CallbackRow.promised_ms))
    with Session(engine) as session:
        return [
            Promise(
                call_id=row.call_id,
                queue=row.queue,
                number=row.number,
                trunk=row.trunk,
                source=row.source,
                priority=row.priority,
                promised_at=from_ms(row.promised_ms),
                tries=row.tries,
            )
            for row in session.exec(query)
        ]
