"""A database of an earlier version is brought to what this version would have written itself."""

import asyncio
from datetime import timedelta

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import inspect, text

from pbx import events
from pbx.clock import SystemClock
from pbx.events import CallStatus
from pbx.store import migrations
from pbx.store.database import open_engine
from pbx.store.migrations import migrate
from pbx.store.reports import Reports
from pbx.store.writer import CallWriter
from tests.pbx.store.test_rollups import BASIS, same
from tests.support.made_calls import NOON, ended, started, talk, tracked

BEFORE = "0010"
TABLES = ("calls", "legs", "queue_visits")


def queued(call_id, at, *stays):
    """A call that stood in these queues; the last may still go on."""
    yield started(call_id, at, from_=f"+1212555{call_id[-4:]}")
    yield events.StepEntered(call_id=call_id, at=at, step="wait", step_kind="queue")
    for visit, (queue, seconds, end) in enumerate(stays):
        yield events.QueueJoined(call_id=call_id, at=at, queue=queue, position=1, visit=visit)
        at += timedelta(seconds=seconds)
        if end:
            yield events.QueueLeft(
                call_id=call_id, at=at, queue=queue, waited_s=seconds, because="x", visit=visit, end=end
            )


def colleagues(call_id, at):
    """Alice calls Bob: one talk, billed to Bob."""
    yield started(call_id, at, direction=events.Direction.INTERNAL, from_="alice", to="bob", flow="")
    yield events.LegStarted(
        call_id=call_id, leg_id="own", at=at, role="caller", target="alice", agent=None, sip_call_id="x"
    )
    yield from talk(call_id, "l1", "bob", at, 40)
    up, about = at + timedelta(seconds=2), {"call_id": call_id, "leg_id": "own", "agent": "alice"}
    yield events.AgentConnected(**about, at=up, beside=True)
    yield events.AgentDisconnected(**about, at=up + timedelta(seconds=40), talk_s=40, beside=True)
    yield ended(call_id, up + timedelta(seconds=40))


def calls():
    yield from tracked("again", NOON, from_="+12015550100")
    yield from tracked("before", NOON - timedelta(days=40), from_="+12015550100")
    yield from tracked("withheld", NOON, from_="")
    yield from tracked(
        "ours", NOON - timedelta(days=50), from_="+12015550100", direction=events.Direction.OUTBOUND
    )
    yield from queued("q0001", NOON, ("sales", 12, "timeout"), ("support", 3, "answered"))
    yield from queued("q0002", NOON, ("sales", 30, "abandoned"))
    yield ended("q0002", NOON + timedelta(seconds=30), CallStatus.ABANDONED)
    yield from queued("q0003", NOON, ("sales", 30, "timeout"), ("support", 0, ""))
    yield from colleagues("desks", NOON)
    yield started("moved", NOON)
    for step in ("welcome", "night/mail"):
        yield events.StepEntered(call_id="moved", at=NOON, step=step, step_kind="say")


@pytest.fixture
def written(url, tmp_path):
    """What this version writes of those calls."""

    async def write():
        writer = CallWriter(url, tmp_path, SystemClock())
        await writer.start()
        for event in calls():
            writer.write(event)
        await writer.close()

    asyncio.run(write())
    engine = open_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def earlier(tmp_path):
    """A database as the version before reports had it, empty."""
    engine = open_engine(f"sqlite:///{tmp_path}/earlier.db")
    config = Config()
    config.set_main_option("script_location", migrations.__path__[0])
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, BEFORE)
    yield engine
    engine.dispose()


def rows(engine, table):
    with engine.connect() as connection:
        found = connection.execute(text(f"SELECT * FROM {table} ORDER BY 1, 2")).mappings()
        return [{name: value for name, value in row.items() if name != "area"} for row in found]


def test_what_is_known_of_earlier_calls_is_filled_in(written, earlier):
    for table in TABLES:
        had = [column["name"] for column in inspect(earlier).get_columns(table)]
        names, marks = ", ".join(had), ", ".join(f":{name}" for name in had)
        with earlier.begin() as connection:
            for row in rows(written, table):
                connection.execute(text(f"INSERT INTO {table} ({names}) VALUES ({marks})"), row)
    migrate(earlier)
    for table in TABLES:
        assert rows(earlier, table) == rows(written, table)
    found = {row["id"]: row for row in rows(earlier, "calls")}
    assert {
        call_id: row["caller"] for call_id, row in found.items() if row["from_number"] == "+12015550100"
    } == {
        "before": "first",
        "again": "repeat",
        "ours": "",
    }
    assert (found["q0001"]["queue_end"], found["q0001"]["queue_wait_ms"]) == ("answered", 3000)
    assert (found["q0003"]["queue_end"], found["q0003"]["queue_wait_ms"]) == ("", None)
    assert (found["again"]["left_at"], found["moved"]["left_at"]) == ("main/sales", "night/mail")


def test_reports_of_both_say_the_same(written, earlier):
    test_what_is_known_of_earlier_calls_is_filled_in(written, earlier)
    for engine in (written, earlier):
        reports = Reports(engine)
        assert reports.rollups.catch_up(BASIS, NOON + timedelta(days=10)) > 50
        same(reports, BASIS)
