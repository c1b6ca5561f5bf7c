"""The writer: rows as things happen, and nothing lost when the database is away."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import wave
from datetime import timedelta

import pytest

from pbx import events
from pbx.clock import SystemClock
from pbx.flows.control import CallerHistory
from pbx.store.calls import Calls, Filter
from pbx.store.database import open_engine
from pbx.store.entries import Entry
from pbx.store.link import connect
from pbx.store.migrations import migrate
from pbx.store.writer import CallWriter
from tests.support.made_calls import NOON, ended, started, talk, tracked


@contextlib.asynccontextmanager
async def writing(url, tmp_path):
    writer = CallWriter(url, tmp_path, SystemClock())
    await writer.start()
    try:
        yield writer
    finally:
        await writer.close()


async def until(condition, limit_s=10):
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.01)


def history(url, call_id):
    engine = open_engine(url)
    try:
        return Calls(engine).history(call_id)
    finally:
        engine.dispose()


def write_all(writer, made):
    for event in made:
        writer.write(event)


def test_a_call_becomes_a_row_with_legs_and_events(url, tmp_path):
    async def scenario():
        async with writing(url, tmp_path) as writer:
            write_all(writer, tracked("c1"))
            assert await writer.opened("c1")
            return history(url, "c1")

    found = asyncio.run(scenario())
    row = found.call.row
    assert (row.status, row.agent, row.talk_ms, row.path) == ("answered", "alice", 30_000, "welcome\nsales")
    assert (row.recording, row.recording_ms, row.transcript_state) == ("recordings/c1.wav", 30_000, "pending")
    assert row.connected_ms - row.started_ms == 3000
    (leg,) = found.legs
    assert (leg.agent, leg.talk_ms, leg.cause) == ("alice", 30_000, "answered")
    assert [event.kind for event in found.events] == [event.kind for event in tracked("c1")]


def test_opened_means_another_process_can_see_the_row(url, tmp_path):
    async def scenario():
        async with writing(url, tmp_path) as writer:
            writer.write(started("c1"))
            assert await writer.opened("c1")
            with contextlib.closing(sqlite3.connect(tmp_path / "pbx.db")) as other:
                assert other.execute("SELECT status FROM calls").fetchall() == [("ringing",)]

    asyncio.run(scenario())


def test_a_locked_database_delays_nobody_and_loses_nothing(url, tmp_path):
    async def scenario():
        async with writing(url, tmp_path) as writer:
            writer.write(started("c0"))
            await writer.opened("c0")
            with contextlib.closing(sqlite3.connect(tmp_path / "pbx.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                for number in range(1, 6):
                    write_all(writer, tracked(f"c{number}"))
                    before = time.monotonic()
                    assert await writer.opened(f"c{number}"), "safe in the spool"
                    assert time.monotonic() - before < 0.25
                assert "locked" in writer.problem
                assert writer.spooled > 0
                assert list((tmp_path / "spool").glob("*.jsonl"))
                other.execute("ROLLBACK")
            await until(lambda: not writer.problem)
            write_all(writer, tracked("c6"))
            await writer.opened("c6")
            assert writer.spooled == 0
            assert not list((tmp_path / "spool").glob("*.jsonl"))

    asyncio.run(scenario())
    for number in range(1, 7):
        found = history(url, f"c{number}")
        assert found.call.row.status == "answered"
        assert found.call.row.talk_ms == 30_000, "applied once"
        assert len(found.events) == len(tracked("c"))


def test_what_a_killed_server_spooled_is_replayed_first(url, tmp_path):
    """A process is killed while its database is locked; the next one has every event, in order."""
    child = f"""
import asyncio, sqlite3, sys
from pathlib import Path
from pbx.clock import SystemClock
from pbx.store.writer import CallWriter
from tests.support.made_calls import tracked, started
async def main():
    writer = CallWriter({url!r}, Path({str(tmp_path)!r}), SystemClock())
    await writer.start()
    other = sqlite3.connect({str(tmp_path / "pbx.db")!r}, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    for event in tracked("c1"): writer.write(event)
    writer.write(started("c2"))
    await writer.opened("c2")
    print("spooled", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    process = subprocess.Popen([sys.executable, "-c", child], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "spooled\n"
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()

    async def scenario():
        async with writing(url, tmp_path) as writer:
            assert writer.problem == ""

    asyncio.run(scenario())
    assert history(url, "c1").call.row.status == "answered"
    assert history(url, "c2").call.row.status == "interrupted"


def test_a_file_replayed_twice_is_applied_once(url, tmp_path):
    async def scenario():
        async with writing(url, tmp_path) as writer:
            writer.write(started("c0"))
            await writer.opened("c0")
            with contextlib.closing(sqlite3.connect(tmp_path / "pbx.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                write_all(writer, tracked("c1"))
                await writer.opened("c1")
                (file,) = (tmp_path / "spool").glob("*.jsonl")
                kept = file.read_bytes()
        file.write_bytes(kept + b'[17,"cut o')  # as if killed between the commit and the removal
        async with writing(url, tmp_path):
            pass

    asyncio.run(scenario())
    found = history(url, "c1")
    assert found.call.row.talk_ms == 30_000
    assert found.call.row.path == "welcome\nsales"
    assert len(found.events) == len(tracked("c1"))


def test_calls_cut_off_are_interrupted_and_keep_their_audio(url, tmp_path):
    async def scenario():
        async with writing(url, tmp_path) as writer:
            write_all(writer, tracked("c1")[:-2])
            write_all(writer, tracked("done"))
        path = tmp_path / "recordings" / "c1.wav"
        path.parent.mkdir()
        with wave.open(str(path), "wb") as wav:
            wav.setnchannels(2)
            wav.setsampwidth(2)
            wav.setframerate(8000)
            wav.writeframes(bytes(4 * 8000 * 2))
        os.utime(path, (NOON.timestamp() + 40, NOON.timestamp() + 40))
        async with writing(url, tmp_path) as writer:
            write_all(writer, [started("c2")])
            await writer.opened("c2")
            return history(url, "c2").call.row.status

    assert asyncio.run(scenario()) == "ringing", "a call of the new run is left alone"
    found = history(url, "c1")
    row = found.call.row
    assert (row.status, row.cause, row.recording_ms) == ("interrupted", "interrupted", 2000)
    assert row.ended_ms - row.started_ms == 40_000
    assert [event.kind for event in found.events[-2:]] == ["recording.ended", "call.ended"]
    assert history(url, "done").call.row.status == "answered"
    engine = open_engine(url)
    waiting = Calls(engine).awaiting_transcript()
    engine.dispose()
    assert {each.call_id for each in waiting} == {"c1", "done"}


def test_who_talked_when_the_server_died_talked_until_then(url, tmp_path):
    so_far = tracked("c1")
    connected = next(n for n, event in enumerate(so_far) if isinstance(event, events.AgentConnected))
    ten_later = events.StepEntered(
        call_id="c1", at=so_far[connected].at + timedelta(seconds=10), step="later", step_kind="say"
    )

    async def scenario():
        async with writing(url, tmp_path) as writer:
            write_all(writer, [*so_far[: connected + 1], ten_later])
        async with writing(url, tmp_path):
            pass

    asyncio.run(scenario())
    found = history(url, "c1")
    (leg,) = (each for each in found.legs if each.role == "agent")
    assert (leg.cause, leg.talk_ms, found.call.row.talk_ms) == ("interrupted", 10_000, 10_000)
    assert leg.ended_ms == found.call.row.ended_ms


def test_a_server_starts_without_its_database(tmp_path, caplog):
    """A folder stands where the file should be: calls are spooled, and written once it is gone."""
    (tmp_path / "pbx.db").mkdir()
    url = f"sqlite:///{tmp_path}/pbx.db"

    async def scenario():
        async with writing(url, tmp_path) as writer:
            write_all(writer, tracked("c1"))
            assert await writer.opened("c1")
            assert "away" in writer.problem
            (tmp_path / "pbx.db").rmdir()
            await until(lambda: not writer.problem)

    asyncio.run(scenario())
    assert history(url, "c1").call.row.status == "answered"
    assert [record.levelname for record in caplog.records if "spooled" in record.message] == ["ERROR"]


def test_without_disk_events_wait_in_memory(url, tmp_path, caplog):
    """Both the database and the spool folder refuse: said once, and written when the disk is back."""
    (tmp_path / "pbx.db").mkdir()
    (tmp_path / "spool").write_text("in the way")

    async def scenario():
        async with writing(url, tmp_path) as writer:
            for number in range(20):
                write_all(writer, tracked(f"c{number}"))
                assert await writer.opened(f"c{number}")
            assert writer.spooled == 20 * len(tracked("c"))
            (tmp_path / "spool").unlink()
            (tmp_path / "pbx.db").rmdir()
            await until(lambda: not writer.problem)

    asyncio.run(scenario())
    assert history(url, "c19").call.row.talk_ms == 30_000
    assert len([record for record in caplog.records if "kept in memory" in record.message]) == 1


def test_an_event_that_cannot_be_recorded_harms_no_other(url, tmp_path):
    async def scenario():
        async with writing(url, tmp_path) as writer:
            write_all(writer, [started("c1"), started("c1"), *tracked("c2")])
            await writer.opened("c2")
            assert writer.problem == ""
            assert writer.figures()["store_refused_events_total"] == 1

    asyncio.run(scenario())
    assert len(history(url, "c1").events) == 1
    assert history(url, "c2").call.row.status == "answered"
    assert (tmp_path / "spool" / "refused.jsonl.kept").read_text().count("\n") == 1


def test_a_batch_comes_to_the_same_as_its_events_one_by_one(url, tmp_path):
    """Within a transaction statements run kind by kind; nobody can tell."""
    later = NOON + timedelta(minutes=1)
    made = [
        *tracked("c1")[:-1],
        *talk("c1", "c1-b", "bob", later, 7),
        events.QueueJoined(call_id="c1", at=later, queue="sales", position=1),
        events.Tagged(call_id="c1", at=later, tag="vip", because="a keyword"),
        events.RecordingStarted(call_id="c1", at=later, path="recordings/second.wav"),
        events.RecordingEnded(call_id="c1", at=later, path="recordings/second.wav", duration_s=7),
        events.TranscriptChanged(call_id="c1", at=later, state="done"),
        ended("c1", later),
    ]

    def stored(folder, entries_in_each):
        folder.mkdir()
        database = f"sqlite:///{folder}/pbx.db"
        engine = open_engine(database)
        migrate(engine)
        link = connect(database)
        entries = [Entry.of(number, event) for number, event in enumerate(made, 1)]
        for first in range(0, len(entries), entries_in_each):
            link.apply(entries[first : first + entries_in_each])
        tables = ("calls", "legs", "tags", "events")
        rows = [link.query(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]
        link.close()
        engine.dispose()
        return rows

    assert stored(tmp_path / "singly", 1) == stored(tmp_path / "at-once", 100)


def test_order_holds_through_an_outage(url, tmp_path):
    """Steps walked before, during and after a lock make one path, in order."""

    def step(number):
        return events.StepEntered(call_id="c1", at=NOON, step=f"s{number}", step_kind="say")

    async def scenario():
        async with writing(url, tmp_path) as writer:
            writer.write(started("c1"))
            for number in range(30):
                writer.write(step(number))
            await writer.opened("c1")
            with contextlib.closing(sqlite3.connect(tmp_path / "pbx.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                for number in range(30, 60):
                    writer.write(step(number))
                    await writer.opened("c1")
            for number in range(60, 700):
                writer.write(step(number))
            writer.write(ended("c1", NOON + timedelta(seconds=9)))
            await until(lambda: not writer.problem)

    asyncio.run(scenario())
    row = history(url, "c1").call.row
    assert row.path.split("\n") == [f"s{number}" for number in range(700)]
    assert row.status == "answered"


def test_nothing_is_left_running(url, tmp_path):
    async def scenario():
        async with writing(url, tmp_path):
            pass

    before = threading.active_count()
    asyncio.run(scenario())
    assert threading.active_count() <= before


@pytest.mark.parametrize("filter", [Filter(), Filter(status=("answered",))])
def test_pages_follow_each_other_without_gap_or_repeat(url, tmp_path, engine, filter):
    async def scenario():
        async with writing(url, tmp_path) as writer:
            for number in range(25):
                write_all(writer, tracked(f"c{number:02d}", NOON + timedelta(seconds=number // 5)))

    asyncio.run(scenario())
    calls, cursor, seen = Calls(engine), None, []
    while True:
        page = calls.page(filter, limit=7, cursor=cursor)
        seen += [call.row.id for call in page.calls]
        cursor = page.next
        if cursor is None:
            break
    assert seen == [f"c{number:02d}" for number in reversed(range(25))]


def test_earlier_calls_of_a_caller_are_counted_and_the_last_one_told(url, tmp_path):
    regular = {"from_": "+12125550999"}

    async def scenario():
        async with writing(url, tmp_path) as writer:
            write_all(writer, tracked("c1", NOON, agent="bob", **regular))
            write_all(writer, [started("c2", NOON + timedelta(hours=1), source="radio", **regular)])
            write_all(writer, tracked("c3", NOON + timedelta(hours=2), from_="+13105550100"))
            write_all(writer, [started("c4", NOON + timedelta(hours=3), **regular)])
            await writer.opened("c4")

    asyncio.run(scenario())
    engine = open_engine(url)
    known = Calls(engine).of_caller("+12125550999", but="c4")
    stranger = Calls(engine).of_caller("+13125550000", but="c4")
    engine.dispose()
    assert known == CallerHistory(2, NOON + timedelta(hours=1), "radio", "bob")
    assert stranger == CallerHistory()
