"""Stays in queues as rows."""

from datetime import timedelta

import pytest
from sqlmodel import Session, col, select

from pbx.config.queues import Queue
from pbx.events import AgentConnected, AgentDisconnected, LegStarted, QueueJoined, QueueLeft
from pbx.queues.figures import Figures
from pbx.store.queue_visits import of_day, of_period
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


def stay(
    call: str, queue: str, wait: float, end: str, agent: str = "", *, at=NOON, talk: float = 0.0, visit=1
):
    """A stay in a queue, and the talk after it, as they happened."""
    left = at + timedelta(seconds=wait)
    happened = [
        QueueJoined(call_id=call, at=at, queue=queue, position=1, visit=visit),
        QueueLeft(
            call_id=call, at=left, queue=queue, waited_s=wait, because="", visit=visit, end=end, agent=agent
        ),
    ]
    if agent:
        leg = {"call_id": call, "leg_id": f"{call}-{visit}"}
        happened += [
            LegStarted(**leg, at=at, role="agent", target=agent, agent=agent, sip_call_id="x"),
            AgentConnected(**leg, at=left, agent=agent),
            AgentDisconnected(**leg, at=left + timedelta(seconds=talk), agent=agent, talk_s=talk),
        ]
    return happened


QUEUES = {
    "sales": Queue.model_validate({"members": ["alice", "bob"], "wrap_up": "10s", "service_level": "20s"}),
    "quiet": Queue.model_validate({"members": ["bob"]}),
}


@pytest.fixture
def a_day(url, engine, tmp_path):
    yesterday = NOON - timedelta(days=1)
    record(
        url,
        tmp_path,
        *(started(call) for call in "abcdefg"),
        *stay("a", "sales", 5, "answered", "alice", talk=60),
        *stay("b", "sales", 30, "answered", "alice", talk=100),
        *stay("c", "sales", 20, "answered", "bob", talk=7.5),
        *stay("d", "sales", 90, "abandoned"),
        *stay("e", "sales", 300, "timeout"),
        *stay("f", "sales", 4, "key"),
        *stay("f", "sales", 8, "answered", "bob", talk=30, visit=2, at=NOON + timedelta(minutes=1)),
        *stay("g", "sales", 2, "answered", "alice", talk=999, at=yesterday),
        QueueJoined(call_id="g", at=NOON, queue="sales", position=1, visit=9),  # the server died in it
    )
    return engine


def test_service_levels_by_both_formulas_of_any_period(a_day):
    sales = of_period(a_day, QUEUES, NOON, None)["sales"]
    assert (sales.offered, sales.answered, sales.in_time, sales.abandoned) == (8, 4, 3, 1)
    assert (sales.timed_out, sales.left_otherwise) == (1, 1)
    assert (sales.average_wait_s, sales.longest_wait_s) == (63 / 4, 300)
    assert (sales.level_of_answered, sales.level_of_offered) == (3 / 4, 3 / 5)
    before = of_period(a_day, QUEUES, None, NOON)["sales"]
    assert (before.offered, before.answered, before.level_of_offered) == (1, 1, 1.0)
    assert of_period(a_day, QUEUES, NOON, None)["quiet"] == Figures()


def test_a_server_that_starts_goes_on_with_the_day(a_day):
    """What fewest-calls and least-talk-time choose by, and what a wait is estimated by."""
    sales = of_day(a_day, QUEUES, NOON)["sales"]
    assert sales.day == NOON.date()
    assert dict(sales.calls) == {"alice": 2, "bob": 2}
    assert dict(sales.talk_s) == {"alice": 160, "bob": 37.5}
    assert list(sales.handling_s) == [70, 17.5, 110, 40]
    assert sales.offered == 8
