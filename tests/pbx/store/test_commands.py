"""pbx token, user, report, purge: beside the server or without it."""

import asyncio
import csv
import io
import json
import os
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from pbx import events
from pbx.cli import application
from pbx.cli.report import By
from pbx.clock import SystemClock
from pbx.store.calls import Calls, Filter, Transcript
from pbx.store.dimensions import Basis
from pbx.store.people import People, Principal, Role
from pbx.store.reports import NAMES, Reports
from pbx.store.writer import CallWriter
from tests.support.made_calls import started, tracked

NOW = datetime.now(UTC)


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("server: {name: Acme}\nrecording: {keep: 30d}\nsources: {yellow-pages: {name: Yellow}}\n")
    return path


@pytest.fixture
def url(tmp_path):
    (tmp_path / "data").mkdir()
    return f"sqlite:///{tmp_path}/data/pbx.db"


def pbx(config, *arguments, exit_code=0):
    result = CliRunner().invoke(application((arguments[0],)), [*arguments, "--config", str(config)])
    assert result.exit_code == exit_code, result.output
    return result


def test_a_token_is_printed_alone_and_works(config, engine):
    secret = pbx(config, "token", "create", "--name", "crm", "--role", "manager").stdout
    assert secret.endswith("\n")
    assert People(engine).by_token(secret.strip()) == Principal("crm", Role.MANAGER)
    again = pbx(config, "token", "create", "--name", "crm", "--role", "admin", exit_code=1)
    assert again.stdout == ""
    assert "crm" in again.stderr
    assert pbx(config, "token", "list").stdout == "crm\tmanager\n"
    pbx(config, "token", "revoke", "crm")
    assert People(engine).by_token(secret.strip()) is None


def test_a_user_is_added_reset_and_removed(config, engine):
    people = People(engine)
    password = pbx(config, "user", "add", "mia", "--role", "admin").stdout.strip()
    assert people.check_password("mia", password) == Principal("mia", Role.ADMIN, by_session=True)
    cookie = people.open_session("mia", NOW)
    other = pbx(config, "user", "reset", "mia").stdout.strip()
    assert people.check_password("mia", password) is None
    assert people.check_password("mia", other) is not None
    assert people.by_session(cookie, NOW) is None
    pbx(config, "user", "remove", "mia")
    assert people.check_password("mia", other) is None
    pbx(config, "user", "remove", "mia", exit_code=1)


def test_no_secret_lies_in_the_database(config, tmp_path, engine):
    secret = pbx(config, "token", "create", "--name", "t", "--role", "admin").stdout.strip()
    password = pbx(config, "user", "add", "u", "--role", "admin").stdout.strip()
    cookie = People(engine).open_session("u", NOW)
    stored = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("pbx.db*"))
    for kept in (secret, password, cookie):
        assert kept.encode() not in stored


def write(url, folder, *calls):
    async def run():
        writer = CallWriter(url, folder, SystemClock())
        await writer.start()
        for call in calls:
            for event in call:
                writer.write(event)
        await writer.close()

    asyncio.run(run())


def test_an_export_to_a_file_and_to_the_terminal(config, url, engine, tmp_path):
    write(url, tmp_path / "data", tracked("a", NOW - timedelta(hours=1)), tracked("b", NOW))
    file = tmp_path / "calls.csv"
    pbx(config, "export", "calls", "--output", str(file), "--number", "(212) 555-0100")
    rows = csv.DictReader(io.StringIO(file.read_bytes().decode()))
    assert [row["id"] for row in rows] == ["b", "a"]
    lines = pbx(config, "export", "calls", "--format", "jsonl", "--since", "30m").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["b"]
    assert pbx(config, "export", "messages").stdout.startswith("id,channel,")
    assert pbx(config, "export", "calls", "--since", "soon", exit_code=2)


def test_the_report_in_three_formats(config, url, engine, tmp_path):
    write(
        url,
        tmp_path / "data",
        tracked("new", NOW - timedelta(hours=1)),
        tracked("old", NOW - timedelta(days=9)),
    )
    document = json.loads(pbx(config, "report", "--since", "7d", "--format", "json").stdout)
    assert [(row["name"], row["calls"]) for row in document["rows"]] == [("Yellow", 1)]
    (line,) = csv.DictReader(io.StringIO(pbx(config, "report", "--by", "agent", "--format", "csv").stdout))
    assert (line["key"], line["calls"], line["talk_time"]) == ("alice", "2", "60.0")
    table = pbx(config, "report").stdout
    assert "Yellow" in table
    assert "1:00" in table
    assert "last week" in pbx(config, "report", "--since", "last week", exit_code=2).output


def test_costs_and_two_times_at_the_terminal(config, url, engine, tmp_path):
    config.write_text(config.read_text() + "reports: {spend: spend.csv}\n")
    (tmp_path / "spend.csv").write_text("source,from,until,amount\nyellow-pages,2026-03-01,2026-03-10,100\n")
    made = datetime(2026, 3, 4, 12, tzinfo=UTC), datetime(2026, 3, 5, 12, tzinfo=UTC)
    write(url, tmp_path / "data", *(tracked(f"c{number}", at) for number, at in enumerate(made)))
    Calls(engine).edit("c0", {"outcome": "sale", "value": 250})
    period = ("report", "--since", "2026-03-04", "--until", "2026-03-06")
    document = json.loads(pbx(config, *period, "--compare", "previous", "--format", "json").stdout)
    assert document["compared"] == {"since": "2026-03-02T00:00:00.000Z", "until": "2026-03-04T00:00:00.000Z"}
    (row,) = document["rows"]
    assert [row[name] for name in ("cost", "cost_per_call", "cost_per_sale")] == [20, 10, 20]
    assert (row["before"]["cost"], row["before"]["cost_per_call"]) == (20, None)
    table = pbx(config, *period, "--compare", "2026-03-05..2026-03-06", "--show", "results").stdout
    assert "2 (+100 %)" in table
    assert "20.0 (+100 %)" in table
    assert "250.0 (was 0.0)" in table
    lines = pbx(config, *period, "--compare", "2026-03-05..2026-03-06", "--format", "csv").stdout
    (line,) = csv.DictReader(io.StringIO(lines))
    assert [line[f"calls{what}"] for what in ("", "_before", "_difference", "_percent")] == [
        "2",
        "1",
        "1",
        "100.0",
    ]
    for wrong in ("last", "2026-03-05..2026-03-04"):
        assert "--compare" in pbx(config, *period, "--compare", wrong, exit_code=2).output
    (tmp_path / "spend.csv").write_text("source,from,until,amount\nyellow,2026-03-01,2026-03-10,100\n")
    assert "spend.csv:2:1: there is no source 'yellow'" in pbx(config, *period, exit_code=1).stderr


def test_rollup_sums_up_what_is_over_once(config, url, engine, tmp_path):
    write(url, tmp_path / "data", tracked("old", NOW - timedelta(days=40)), tracked("new", NOW))
    before = json.loads(pbx(config, "report", "--format", "json").stdout)
    made = int(pbx(config, "rollup").stdout.split()[0])
    assert made >= 40
    assert pbx(config, "rollup").stdout == "0 days and months summed up\n"
    Calls(engine).edit("old", {"score": 3})
    assert pbx(config, "rollup").stdout.split()[0] in ("1", "2")
    Calls(engine).edit("old", {"score": None})
    assert int(pbx(config, "rollup", "--rebuild").stdout.split()[0]) == made
    assert json.loads(pbx(config, "report", "--format", "json").stdout) == before


def test_the_command_offers_every_report():
    assert [by.value for by in By] == list(NAMES)


def test_purge_removes_what_is_too_old(config, url, engine, tmp_path):
    data = tmp_path / "data"
    calls = Calls(engine)
    write(url, data, tracked("old", NOW - timedelta(days=31)), tracked("new", NOW - timedelta(days=29)))
    (data / "recordings").mkdir()
    for name in ("old", "new"):
        (data / "recordings" / f"{name}.wav").write_bytes(bytes(1000))
        calls.save_transcript(name, Transcript("done"), NOW)
    assert pbx(config, "purge", "--dry-run").stdout.startswith("1 recordings")
    assert calls.row("old").recording
    pbx(config, "purge")
    assert os.listdir(data / "recordings") == ["new.wav"]
    assert (calls.row("old").recording, calls.row("old").status) == (None, "answered")
    assert calls.transcript("old").words == ()
    assert calls.row("new").recording == "recordings/new.wav"
    assert pbx(config, "purge").stdout.startswith("0 recordings")


def test_purge_removes_availability_and_stays_in_queues(config, url, engine, tmp_path):
    def state(agent, days, reachable):
        at, about = (
            NOW - timedelta(days=days),
            {"paused": False, "reason": "", "logged_out": (), "by": "phone"},
        )
        return events.AgentPresenceChanged(call_id="", at=at, agent=agent, reachable=reachable, **about)

    def stay(call_id, days):
        at = NOW - timedelta(days=days)
        about = {"call_id": call_id, "queue": "sales"}
        yield started(call_id, at)
        yield events.QueueJoined(**about, at=at, position=1)
        yield events.QueueLeft(**about, at=at, waited_s=9, because="answered", end="answered")

    states = [state("alice", 50, False), state("alice", 40, True), state("bob", 45, True)]
    write(url, tmp_path / "data", [*states, state("bob", 2, False)], stay("old", 31), stay("new", 29))
    basis = Basis(ZoneInfo("UTC"), {"sales": 20_000})
    before = Reports(engine).run("queue", Filter(), basis)
    said = "2 changes of agents' availability and 1 stays in queues"
    assert said in pbx(config, "purge", "--dry-run").stdout
    assert said in pbx(config, "purge").stdout
    with engine.connect() as connection:
        left = connection.execute(text("SELECT agent, state FROM agent_states ORDER BY agent")).all()
        stays = connection.execute(text("SELECT call_id FROM queue_visits")).all()
    assert (left, stays) == ([("alice", "available"), ("bob", "offline")], [("new",)])
    assert Reports(engine).run("queue", Filter(), basis) == before
    assert before.total.in_time == 2
    assert "0 changes of agents' availability and 0 stays" in pbx(config, "purge").stdout


def test_a_broken_config_is_named(config):
    config.write_text("server: {nmae: x}\n")
    assert "config.yaml:1" in pbx(config, "token", "list", exit_code=1).stderr
