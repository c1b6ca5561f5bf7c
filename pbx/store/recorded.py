"""Reading whole calls of a period, for replays."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from itertools import groupby

from sqlalchemy import Engine, and_, or_
from sqlmodel import Session, col, select

from pbx.events import CallStatus, Direction
from pbx.flows.control import CallerHistory
from pbx.replay.recorded import Happened, RecordedCall, recorded
from pbx.replay.world import Occupied
from pbx.store.calls import Calls
from pbx.store.encoding import from_ms, to_ms
from pbx.store.tables import CallRow, EventRow, LegRow

BATCH = 500
NOT_REPLAYED = (
    CallStatus.RINGING,
    CallStatus.IN_PROGRESS,
    CallStatus.REJECTED,
    CallStatus.FAILED,
    CallStatus.INTERRUPTED,
)
"""Calls that say nothing of a flow."""


class RecordedCalls:
    """Methods block: call them from a thread."""

    def __init__(self, engine: Engine, since: datetime, until: datetime) -> None:
        self._engine = engine
        self._calls = Calls(engine)
        self._beyond: list[RecordedCall] = []
        self._within = (col(CallRow.started_ms) >= to_ms(since)) & (col(CallRow.started_ms) < to_ms(until))
        self._wanted = and_(
            self._within,
            col(CallRow.direction) == Direction.INBOUND.value,
            col(CallRow.status).not_in([status.value for status in NOT_REPLAYED]),
        )

    def calls(self) -> Iterator[RecordedCall]:
        """The calls that can be replayed, oldest first."""
        with Session(self._engine) as session:
            ids = list(session.exec(select(CallRow.id).where(self._wanted).order_by(col(CallRow.started_ms))))
            for begin in range(0, len(ids), BATCH):
                query = (
                    select(EventRow)
                    .where(col(EventRow.call_id).in_(ids[begin : begin + BATCH]))
                    .order_by(col(EventRow.call_id), col(EventRow.id))
                )
                for call_id, rows in groupby(session.exec(query), key=lambda row: row.call_id):
                    happened = (Happened(from_ms(r.at_ms), r.kind, json.loads(r.data)) for r in rows)
                    call = recorded(call_id, happened)
                    if call is not None and call.beyond:
                        self._beyond.append(call)
                    elif call is not None:
                        yield replace(call, history=self._history_of(call))

    def _history_of(self, call: RecordedCall) -> CallerHistory:
        """What the store knew of the caller when the call came."""
        if not call.caller:
            return CallerHistory()
        return self._calls.of_caller(call.caller, but=call.id, before=call.at)

    def left_out(self) -> dict[str, int]:
        """How many inbound calls of the period are not replayed, by status or reason; after :meth:`calls`."""
        query = select(CallRow.status).where(
            self._within,
            col(CallRow.direction) == Direction.INBOUND.value,
            col(CallRow.status).in_([status.value for status in NOT_REPLAYED]),
        )
        found: dict[str, int] = {}
        with Session(self._engine) as session:
            for status in session.exec(query):
                found[status] = found.get(status, 0) + 1
        for call in self._beyond:
            found[call.beyond] = found.get(call.beyond, 0) + 1
        return found

    def occupied(self) -> list[Occupied]:
        """When agents talked in calls that are not replayed; after :meth:`calls`."""
        query = (
            select(LegRow)
            .join(CallRow, col(CallRow.id) == col(LegRow.call_id))
            .where(
                self._within,
                or_(
                    col(CallRow.direction) != Direction.INBOUND.value,
                    col(CallRow.status).in_([status.value for status in NOT_REPLAYED]),
                ),
                col(LegRow.agent).is_not(None),
                col(LegRow.connected_ms).is_not(None),
                col(LegRow.ended_ms).is_not(None),
            )
        )
        talked = [Occupied(talk.who, talk.since, talk.until) for call in self._beyond for talk in call.talks]
        with Session(self._engine) as session:
            return talked + [
                Occupied(row.agent or "", from_ms(row.connected_ms or 0), from_ms(row.ended_ms or 0))
                for row in session.exec(query)
            ]
