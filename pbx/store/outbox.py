"""The outbox as rows: what waits, what is due, what was given up and may be sent again."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine, delete, func, or_, update
from sqlmodel import Session, col, select

from pbx.store.encoding import from_ms, to_ms
from pbx.store.tables import OutboxRow

WAITING, DONE, DEAD, RECALLED = "waiting", "done", "dead", "recalled"
PATIENCE = timedelta(hours=24)
REMEMBERED = timedelta(days=370)


@dataclass(frozen=True, slots=True)
class Parcel:
    """Something to carry. Of one ``dedupe``, only the first is taken."""

    lane: str
    kind: str
    target: str
    body: Any
    dedupe: str | None = None
    patience: timedelta = PATIENCE


@dataclass(frozen=True, slots=True)
class Waiting:
    """A parcel that is in the outbox."""

    id: int
    lane: str
    kind: str
    target: str
    body: Any
    attempts: int
    created: datetime
    expires: datetime
    problem: str = ""
    state: str = WAITING
    due: datetime | None = None


class OutboxRows:
    """Methods block: call them from a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, parcels: Iterable[Parcel], now: datetime) -> int:
        """How many were new."""
        with Session(self._engine) as session:
            added = put(session, parcels, now)
            session.commit()
        return added

    def due(
        self,
        now: datetime,
        busy: Collection[str],
        kinds: Collection[str],
        full: Collection[str],
        limit: int,
    ) -> list[Waiting]:
        """The first of each lane that is due, not busy and of no full target; the longest due first."""
        heads = (
            select(func.min(OutboxRow.id))
            .where(col(OutboxRow.state) == WAITING, col(OutboxRow.kind).in_(kinds))
            .group_by(col(OutboxRow.lane))
        )
        query = (
            select(OutboxRow)
            .where(
                col(OutboxRow.id).in_(heads),
                col(OutboxRow.due_ms) <= to_ms(now),
                col(OutboxRow.lane).not_in(busy),
                col(OutboxRow.target).not_in(full),
            )
            .order_by(col(OutboxRow.due_ms), col(OutboxRow.id))
            .limit(limit)
        )
        with Session(self._engine) as session:
            return [_waiting(row) for row in session.exec(query)]

    def behind(self, head: Waiting, now: datetime, limit: int) -> list[Waiting]:
        """``head`` and what is due behind it in its lane, for a carrier that takes several at once."""
        query = (
            select(OutboxRow)
            .where(
                col(OutboxRow.state) == WAITING,
                col(OutboxRow.lane) == head.lane,
                col(OutboxRow.due_ms) <= to_ms(now),
            )
            .order_by(col(OutboxRow.id))
            .limit(limit)
        )
        with Session(self._engine) as session:
            return [_waiting(row) for row in session.exec(query)]

    def next_due(self, busy: Collection[str], full: Collection[str]) -> datetime | None:
        """When there is something to do again."""
        query = select(func.min(OutboxRow.due_ms)).where(
            col(OutboxRow.state) == WAITING,
            col(OutboxRow.lane).not_in(busy),
            col(OutboxRow.target).not_in(full),
        )
        with Session(self._engine) as session:
            due = session.exec(query).one()
        return from_ms(due) if due is not None else None

    def ended(self, id: int, state: str, problem: str, now: datetime) -> None:
        self._change(id, state=state, problem=problem, ended_ms=to_ms(now), more=1)

    def recalled(self, id: int, problem: str, now: datetime) -> None:
        """It is not sent; that it must not be taken again is remembered, but not what it said."""
        self._change(id, state=RECALLED, problem=problem, ended_ms=to_ms(now), body="{}", more=0)

    def again(self, id: int, due: datetime, problem: str, lane: str) -> None:
        self._change(id, due_ms=to_ms(due), problem=problem, lane=lane, more=1)

    def _change(self, id: int, *, more: int, **values: Any) -> None:
        values["attempts"] = OutboxRow.attempts + more
        with Session(self._engine) as session:
            session.exec(update(OutboxRow).where(col(OutboxRow.id) == id).values(**values))
            session.commit()

    def dead(self, *, target: str | None = None, limit: int = 100) -> list[Waiting]:
        """What was given up, the newest first."""
        query = select(OutboxRow).where(col(OutboxRow.state) == DEAD)
        if target is not None:
            query = query.where(col(OutboxRow.target) == target)
        with Session(self._engine) as session:
            return [
                _waiting(row) for row in session.exec(query.order_by(col(OutboxRow.id).desc()).limit(limit))
            ]

    def by_dedupe(self, dedupe: str) -> Waiting | None:
        """What was taken under this key."""
        with Session(self._engine) as session:
            row = session.exec(select(OutboxRow).where(OutboxRow.dedupe == dedupe)).first()
            return _waiting(row) if row is not None else None

    def waiting(self, limit: int = 20) -> list[Waiting]:
        """What waits, the next due first."""
        query = select(OutboxRow).where(col(OutboxRow.state) == WAITING)
        query = query.order_by(col(OutboxRow.due_ms), col(OutboxRow.id)).limit(limit)
        with Session(self._engine) as session:
            return [_waiting(row) for row in session.exec(query)]

    def replay(self, now: datetime, *, ids: Sequence[int] = (), target: str | None = None) -> int:
        """Try again what was given up: these, or all of a target's. How many."""
        query = update(OutboxRow).where(col(OutboxRow.state) == DEAD)
        if ids:
            query = query.where(col(OutboxRow.id).in_(ids))
        if target is not None:
            query = query.where(col(OutboxRow.target) == target)
        values = {
            "state": WAITING,
            "attempts": 0,
            "due_ms": to_ms(now),
            "expires_ms": to_ms(now + PATIENCE),
            "ended_ms": None,
        }
        with Session(self._engine) as session:
            changed = session.exec(query.values(**values)).rowcount
            session.commit()
        return int(changed)

    def counts(self) -> dict[str, int]:
        """How many are in each state."""
        query = select(OutboxRow.state, func.count()).group_by(col(OutboxRow.state))
        with Session(self._engine) as session:
            return dict(session.exec(query).all())

    def counts_by_target(self) -> dict[tuple[str, str], dict[str, int]]:
        """By kind and target, how many are in each state."""
        row = OutboxRow
        query = select(row.kind, row.target, row.state, func.count()).group_by(
            col(row.kind), col(row.target), col(row.state)
        )
        found: dict[tuple[str, str], dict[str, int]] = {}
        with Session(self._engine) as session:
            for kind, target, state, count in session.exec(query.order_by(col(row.kind), col(row.target))):
                found.setdefault((kind, target), {})[state] = count
        return found

    def forget(self, before: datetime) -> int:
        """Remove what was done or given up before; how many. That something must not be taken twice
        (``dedupe``) is remembered for ``REMEMBERED`` more, but not what it said."""
        once = col(OutboxRow.dedupe).is_not(None)
        query = delete(OutboxRow).where(
            col(OutboxRow.ended_ms) < to_ms(before),
            or_(~once, col(OutboxRow.ended_ms) < to_ms(before - REMEMBERED)),
        )
        said = update(OutboxRow).where(
            once, col(OutboxRow.ended_ms) < to_ms(before), col(OutboxRow.state) == DONE
        )
        with Session(self._engine) as session:
            removed = session.exec(query).rowcount
            session.exec(said.values(body="{}"))
            session.commit()
        return int(removed)


def put(session: Session, parcels: Iterable[Parcel], now: datetime) -> int:
    """Into the outbox, with whatever else the session writes; how many were new."""
    added = 0
    for parcel in parcels:
        if parcel.dedupe is not None:
            known = session.exec(select(OutboxRow.id).where(col(OutboxRow.dedupe) == parcel.dedupe)).first()
            if known is not None:
                continue
        session.add(
            OutboxRow(
                lane=parcel.lane,
                kind=parcel.kind,
                target=parcel.target,
                body=json.dumps(parcel.body, ensure_ascii=False, default=str),
                dedupe=parcel.dedupe,
                state=WAITING,
                created_ms=to_ms(now),
                due_ms=to_ms(now),
                expires_ms=to_ms(now + parcel.patience),
            )
        )
        session.flush()
        added += 1
    return added


def _waiting(row: OutboxRow) -> Waiting:
    assert row.id is not None
    return Waiting(
        row.id,
        row.lane,
        row.kind,
        row.target,
        json.loads(row.body),
        row.attempts,
        from_ms(row.created_ms),
        from_ms(row.expires_ms),
        row.problem,
        row.state,
        from_ms(row.due_ms),
    )
