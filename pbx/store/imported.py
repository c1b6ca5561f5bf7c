"""Calls of another system in our tables: written once, and read back to be compared.

They are rows of ``calls`` like any other, so every report counts them; ``origin`` says where they are
from. They have no legs and no agent, so nobody's talk time grows by them, and no events, so that neither
webhooks nor conversions hear of them.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from sqlalchemy import Engine, insert
from sqlmodel import Session, col, select

from pbx.store.tables import CallRow, TagRow

CHUNK = 500
SAME_CALL_MS = 120_000
"""How far apart two systems' clocks may see one call begin."""


@dataclass(frozen=True, slots=True)
class OurCall:
    """What parity is about."""

    id: str
    origin: str
    caller: str
    tracking: str
    started_ms: int
    duration_s: float
    answered: bool
    source: str


@dataclass(frozen=True, slots=True)
class NewCall:
    """A row of ``calls`` as values by column, and its tags."""

    row: Mapping[str, Any]
    tags: Sequence[str] = ()


class ImportedCalls:
    """Methods block: call them from a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def known(self, ids: Sequence[str]) -> set[str]:
        """Those of the ids that are there."""
        with Session(self._engine) as session:
            return set(session.exec(select(CallRow.id).where(col(CallRow.id).in_(ids))))

    def add(self, calls: Iterable[NewCall]) -> int:
        """In short transactions, so that a running server is not kept waiting. How many were new."""
        added, rest = 0, iter(calls)
        while chunk := list(islice(rest, CHUNK)):
            added += self._add({str(call.row["id"]): call for call in chunk})
        return added

    def _add(self, calls: Mapping[str, NewCall]) -> int:
        with Session(self._engine) as session:
            there = set(session.exec(select(CallRow.id).where(col(CallRow.id).in_(calls))))
            fresh = [call for id, call in calls.items() if id not in there]
            if fresh:
                session.execute(insert(CallRow), [dict(call.row) for call in fresh])
            tags = [
                {"call_id": call.row["id"], "tag": tag, "because": f"imported from {call.row['origin']}"}
                for call in fresh
                for tag in dict.fromkeys(call.tags)
            ]
            if tags:
                session.execute(insert(TagRow), tags)
            session.commit()
        return len(fresh)

    def between(self, first_ms: int, last_ms: int, numbers: Iterable[str]) -> list[OurCall]:
        """Inbound and outbound calls of these tracking numbers that are over, oldest first."""
        wanted = frozenset(numbers)
        query = (
            select(CallRow)
            .where(
                col(CallRow.started_ms) >= first_ms - SAME_CALL_MS,
                col(CallRow.started_ms) <= last_ms + SAME_CALL_MS,
                col(CallRow.ended_ms).is_not(None),
            )
            .order_by(col(CallRow.started_ms), col(CallRow.id))
            .execution_options(yield_per=1000)
        )
        found: list[OurCall] = []
        with Session(self._engine) as session:
            for row in session.exec(query):
                tracking = row.to_number if row.direction == "inbound" else row.from_number
                if tracking in wanted:
                    caller = row.from_number if row.direction == "inbound" else row.to_number
                    found.append(
                        OurCall(
                            row.id,
                            row.origin,
                            caller,
                            tracking,
                            row.started_ms,
                            ((row.ended_ms or row.started_ms) - row.started_ms) / 1000,
                            row.status == "answered",
                            row.source,
                        )
                    )
        return found


def reasons(remarks: Sequence[str]) -> str:
    return json.dumps(list(remarks), ensure_ascii=False)
