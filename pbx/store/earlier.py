"""What the store knows of earlier calls with the same person: whom a call back is to be attributed to."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, col, select
from sqlmodel.sql.expression import SelectOfScalar

from pbx.events import Direction
from pbx.store.encoding import from_ms
from pbx.store.tables import CallRow, LegRow


@dataclass(frozen=True, slots=True)
class EarlierCall:
    """An inbound call: who called which of our numbers, and what that was attributed to."""

    call_id: str
    caller: str
    did: str
    source: str
    at: datetime


class EarlierCalls:
    """Methods block: call them from a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def from_number(self, number: str, *, first: bool) -> EarlierCall | None:
        """The first (or the last) call that came in from there."""
        when = col(CallRow.started_ms)
        query = (
            select(CallRow)
            .where(CallRow.from_number == number, CallRow.direction == Direction.INBOUND)
            .order_by(when if first else when.desc())
            .limit(1)
        )
        return self._one(query)

    def by_id(self, call_id: str) -> EarlierCall | None:
        return self._one(select(CallRow).where(CallRow.id == call_id))

    def talked_to(self, agent: str) -> EarlierCall | None:
        """The last call that came in from a number and that this agent took."""
        talks = select(LegRow.call_id).where(LegRow.agent == agent, col(LegRow.connected_ms).is_not(None))
        query = (
            select(CallRow)
            .where(
                CallRow.direction == Direction.INBOUND,
                CallRow.from_number != "",
                col(CallRow.id).in_(talks),
            )
            .order_by(col(CallRow.started_ms).desc())
            .limit(1)
        )
        return self._one(query)

    def _one(self, query: SelectOfScalar[CallRow]) -> EarlierCall | None:
        with Session(self._engine) as session:
            row = session.exec(query).first()
        if row is None:
            return None
        return EarlierCall(row.id, row.from_number, row.to_number, row.source, from_ms(row.started_ms))
