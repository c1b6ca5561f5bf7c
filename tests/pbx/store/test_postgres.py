"""The same store on PostgreSQL, where its programs are installed."""

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from pbx.attribution.events import ContactMade, HabitsLearned, LeaseSeen, PageViewed
from pbx.attribution.likelihood import Habits, Tie
from pbx.attribution.sources import Arrival
from pbx.clock import SystemClock
from pbx.events import CallEdited, CallStarted
from pbx.store.calls import Calls, Filter, Transcript, Word
from pbx.store.database import open_engine
from pbx.store.dimensions import Basis
from pbx.store.encoding import to_ms
from pbx.store.messages import Channel, Message, Messages, State
from pbx.store.migrations import migrate
from pbx.store.people import People, Principal, Role
from pbx.store.reports import NAMES, Reports
from pbx.store.timeline import contacts_of
from pbx.store.visitors import VisitorStore
from pbx.store.writer import CallWriter
from tests.pbx.store.test_rollups import BASIS, NOW, add, changed_while_summed_up, same
from tests.support.made_calls import NOON, started, tracked


def program(name):
    """Debian keeps a server's programs out of the path."""
    found = shutil.which(name)
    if found:
        return found
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(installed[-1]) if installed else None


pytestmark = pytest.mark.skipif(not program("initdb"), reason="PostgreSQL's initdb is not installed")
NOBODY = 65534


class Postgres:
    """A server of our own, in a folder of its own, that can be stopped and started."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"postgresql+psycopg://pbx@127.0.0.1:{self.port}/postgres"

    def run(self, name, *arguments):
        # The server refuses to run as root.
        user = {"user": NOBODY} if os.geteuid() == 0 else {}
        subprocess.run(
            [program(name), "-D", f"{self.folder}/db", *arguments],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=self.folder, **user,
        )  # fmt: skip

    def start(self):
        options = f"-p {self.port} -k {self.folder} -h 127.0.0.1 -F"
        self.run("pg_ctl", "-w", "-l", f"{self.folder}/log", "-o", options, "start")

    def stop(self):
        self.run("pg_ctl", "-w", "-m", "immediate", "stop")


@pytest.fixture(scope="module")
def postgres():
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, -1)
        server = Postgres(folder)
        server.run("initdb", "-A", "trust", "-U", "pbx", "--no-sync")
        server.start()
        try:
            yield server
        finally:
            server.stop()


def test_calls_survive_an_outage_and_read_alike(postgres, tmp_path):
    async def write():
        writer = CallWriter(postgres.url, tmp_path, SystemClock())
        await writer.start()
        for number in range(10):
            for event in tracked(f"c{number}", NOON + timedelta(minutes=number)):
                writer.write(event)
        await writer.opened("c9")
        assert writer.problem == ""
        await asyncio.to_thread(postgres.stop)
        for event in [
            *tracked("outage", NOON + timedelta(hours=1)),
            started("live", NOON + timedelta(hours=2)),
        ]:
            writer.write(event)
        assert await writer.opened("outage")
        assert writer.spooled
        await asyncio.to_thread(postgres.start)
        async with asyncio.timeout(20):
            while writer.problem:
                await asyncio.sleep(0.05)
        await writer.close()
        again = CallWriter(postgres.url, tmp_path, SystemClock())
        await again.start()
        await again.close()

    asyncio.run(write())
    engine = open_engine(postgres.url)
    try:
        calls = Calls(engine)
        page = calls.page(Filter(q="555", agent=("alice",)), limit=3)
        assert [call.row.id for call in page.calls] == ["outage", "c9", "c8"]
        following = calls.page(Filter(agent=("alice",)), limit=3, cursor=page.next)
        assert [call.row.id for call in following.calls] == ["c7", "c6", "c5"]
        assert calls.row("outage").talk_ms == 30_000
        assert calls.row("live").status == "interrupted"
        calls.edit("c0", {"tags": ["vip"], "score": 4})
        calls.save_transcript("c0", Transcript("done", (Word("burst", 0.0, 1.0, "caller", 0.5),)), NOON)
        found = calls.page(Filter(q="BURST", tag=("vip",)), limit=3).calls
        assert [call.row.score for call in found] == [4]
        for name in NAMES:
            report = Reports(engine).run(name, Filter(), Basis(ZoneInfo("America/New_York"), {"sales": 1}))
            assert sum(figures.calls for _, figures in report.rows) == report.total.calls == 12
        people = People(engine)
        secret = people.create_token("t", Role.ADMIN, NOON)
        assert people.by_token(secret) == Principal("t", Role.ADMIN)
    finally:
        engine.dispose()


VISITOR, PHONE = "a" * 32, "+19735550123"
ADS = Arrival("ads", "cpc", "Spring", "", "", "gclid=1", "https://acme.example/", "")


def of_a_visitor():
    """A page view, a lease that is renewed, a form that ties a number, and what was learned."""
    at, ms = NOON, to_ms(NOON)
    page = {"page": "https://acme.example/", "referrer": "", "params": {"gclid": "1"}, "pool": "web"}
    yield PageViewed(at=at, visitor=VISITOR, session_ms=ms, arrival=ADS, shown="+1", device="mobile", **page)
    for seen in (ms, ms + 60_000):
        lease = {"number": "+1", "pool": "web", "started_ms": ms, "seen_ms": seen, "until_ms": seen + 1}
        yield LeaseSeen(at=at, visitor=VISITOR, arrival=ADS, **lease)
    yield ContactMade(at=at, visitor=VISITOR, channel="form", ref="f1", phone=PHONE, probability=1.0)
    learned = Habits().learned(0)
    yield HabitsLearned(at=at, visitor="", **asdict(learned))


def test_visitors_and_messages_read_alike(postgres, tmp_path):
    async def write():
        writer = CallWriter(postgres.url, tmp_path, SystemClock())
        await writer.start()
        for event in [*of_a_visitor(), *of_a_visitor()]:  # as after a crash: the spool is replayed
            writer.write(event)
        for event in tracked("visitors", NOON + timedelta(days=1)):
            writer.write(replace(event, visitor=VISITOR) if isinstance(event, CallStarted) else event)
        writer.write(CallEdited(call_id="visitors", at=NOON, by="mia", changes={"outcome": "sale"}))
        assert await writer.safe()
        assert writer.problem == ""
        await writer.close()

    asyncio.run(write())
    engine = open_engine(postgres.url)
    try:
        store = VisitorStore(engine)
        (lease,) = store.leases(NOON)
        assert (lease.visitor, lease.arrival, lease.seen_ms) == (VISITOR, ADS, to_ms(NOON) + 60_000)
        assert store.phones()[-1] == (PHONE, Tie(VISITOR, 1.0))
        assert store.learned() == Habits().learned(0)
        Calls(engine).edit("visitors", {"outcome": "sale"})
        way = Calls(engine).history("visitors").journey
        assert {each.name for each in way.milestones} == {"first_touch", "lead", "qualified", "sale"}
        messages = Messages(engine)
        line = Message(Channel.CHAT, "chat/1", "chat", "", "/", "Hi", State.RECEIVED, NOON, visitor=VISITOR)
        answer = Message(
            Channel.CHAT, "chat/1", "chat", "mia", "", "Yes", State.SENT, NOON + timedelta(seconds=9)
        )
        assert messages.add(line)
        assert [each.id for each in messages.waiting_chats()] == [line.id]
        assert messages.miss_chat(line.id, "nobody").problem == "nobody"
        assert messages.add(answer)
        assert messages.handle("chat/1", "mia", NOON) == 1
        assert [thread.open for thread in messages.threads()] == [0]
        known = contacts_of(engine, VISITOR, lambda phone: [f"text/sms/{phone}"])
        assert [call.id for call in known.calls] == ["visitors"]
        assert [row.text for row in known.messages] == ["Hi", "Yes"]
        store.forget(NOON + timedelta(days=2))
        assert store.timeline(VISITOR) is None
    finally:
        engine.dispose()


def test_sums_made_in_advance(postgres):
    """The triggers strike out what changes, and what is summed up is what the calls say."""
    engine = open_engine(postgres.url)
    try:
        migrate(engine)
        add(engine, 7, 60)
        reports = Reports(engine)
        assert reports.rollups.catch_up(BASIS, NOW) > 40
        assert reports.rollups.catch_up(BASIS, NOW) == 0
        settled = (
            "SELECT MIN(legs.call_id) FROM legs JOIN calls ON calls.id = legs.call_id"
            f" WHERE calls.started_ms < {to_ms(NOW - timedelta(days=2))}"
        )
        changes = {
            "UPDATE calls SET note = 'x', path = 'a' WHERE id = '7-0'": 0,
            "UPDATE calls SET score = 4 WHERE id = '7-0'": 2,
            "UPDATE calls SET started_ms = started_ms - 86400000 WHERE id = '7-1'": 4,
            f"UPDATE legs SET talk_ms = talk_ms WHERE call_id = ({settled})": 2,
            "DELETE FROM calls WHERE id = '7-2'": 2,
        }
        for statement, most in changes.items():
            with engine.begin() as connection:
                connection.execute(text(statement))
            assert bool(most) <= reports.rollups.catch_up(BASIS, NOW) <= most, statement
        add(engine, 8, 3)
        same(reports, BASIS)
        changed_while_summed_up(engine, reports)
    finally:
        engine.dispose()
