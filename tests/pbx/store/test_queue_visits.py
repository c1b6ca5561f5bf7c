"""Stays in queues as rows."""

from datetime import timedelta

from sqlmodel import Session, col, select

from pbx.events import QueueJoined, QueueLeft
from pbx.store.tables import QueueVisitRow
from tests.pbx.store.test_agent_states import record
from tests.support.made_calls import NOON, started


def test_a_call_that_overflows_has_two_stays(url, engine, tmp_path):
    def left(visit, queue, second, end, agent=""):
        at = NOON + timedelta(seconds=second)
        return QueueLeft(
            call_id="c", at=at, queue=queue, waited_s=second, because="", visit=visit, end=end, agent=agent
        )

    record(
        url,
        tmp_path,
        started("c"),
        QueueJoined(call_id="c", at=NOON, queue="sales", position=3, visit=7),
        left(7, "sales", 10, "overflow"),
        QueueJoined(call_id="c", at=NOON + timedelta(seconds=10), queue="support", position=1, visit=8),
        left(8, "support", 25, "answered", "bob"),
    )
    with Session(engine) as session:
        rows = session.exec(select(QueueVisitRow).order_by(col(QueueVisitRow.visit))).all()
    assert [(r.queue, r.position, r.waited_ms, r.ended_by, r.agent) for r in rows] == [
        ("sales", 3, 10_000, "overflow", ""),
        ("support", 1, 25_000, "answered", "bob"),
    ]
