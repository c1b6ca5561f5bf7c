"""pbx token, user, report, purge: beside the server or without it."""

import asyncio
import csv
import io
import json
import os
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from pbx.cli import application
from pbx.cli.report import By
from pbx.clock import SystemClock
from pbx.store.calls import Calls, Transcript
from pbx.store.people import People, Principal, Role
from pbx.store.reports import NAMES
from pbx.store.writer import CallWriter
from tests.support.made_calls import tracked

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


def test_a_broken_config_is_named(config):
    config.write_text("server: {nmae: x}\n")
    assert "config.yaml:1" in pbx(config, "token", "list", exit_code=1).stderr
