"""``pbx import callrail``: a dry run, the import, a second one, and the parity report."""

import csv
import json
from datetime import UTC, datetime

import pytest
from sqlmodel import Session, select
from typer.testing import CliRunner

from pbx.cli import application
from pbx.store.calls import Calls, Filter
from pbx.store.database import open_engine
from pbx.store.encoding import to_ms
from pbx.store.migrations import migrate
from pbx.store.tables import CallRow, EventRow, LegRow
from tests.pbx.imports.test_callrail import API, EXPORT, TRACKERS

SITE = """\
server: {name: Acme, timezone: America/New_York}
sources: {google-ads: {name: Google Ads}}
"""


class Desk:
    def __init__(self, folder):
        self.folder = folder
        (folder / "data").mkdir()
        self.config = folder / "config.yaml"
        self.config.write_text(SITE)
        self.calls = folder / "calls.csv"
        self.calls.write_text(EXPORT)
        self.engine = open_engine(f"sqlite:///{folder}/data/pbx.db")
        migrate(self.engine)

    def run(self, *words, exit_code=0):
        result = CliRunner().invoke(
            application(("import",)),
            ["import", "callrail", *map(str, words), "--config", str(self.config)],
            env={"COLUMNS": "200"},
        )
        assert result.exit_code == exit_code, result.output
        return result.output

    def report(self, by):
        words = ["report", "--by", by, "--format", "json", "--config", str(self.config)]
        return json.loads(CliRunner().invoke(application(("report",)), words).stdout)["rows"]

    def rows(self):
        with Session(self.engine) as session:
            return list(session.exec(select(CallRow).order_by(CallRow.started_ms)))


@pytest.fixture
def desk(tmp_path):
    made = Desk(tmp_path)
    yield made
    made.engine.dispose()


def test_without_apply_nothing_is_written(desk) -> None:
    said = desk.run("--calls", desk.calls)
    assert "3 calls would be imported" in said
    assert "not imported: City" in said
    assert desk.rows() == []


def test_calls_come_in_once_and_count_in_reports_but_for_no_agent(desk) -> None:
    assert "3 calls imported" in desk.run("--calls", desk.calls, "--apply")
    again = desk.run("--calls", desk.calls, "--apply")
    assert "0 calls imported" in again
    assert "3 were imported before" in again
    ann, *_ = desk.rows()
    assert (ann.origin, ann.source, ann.status, ann.agent) == ("callrail", "google-ads", "answered", None)
    assert (ann.value_cents, ann.outcome, ann.caller) == (25_000, "lead", "first")
    assert (ann.started_ms, ann.ended_ms) == (
        to_ms(datetime(2026, 11, 3, 19, 5, 22, tzinfo=UTC)),
        to_ms(datetime(2026, 11, 3, 19, 7, 27, tzinfo=UTC)),
    )
    (shown,) = Calls(desk.engine).page(Filter(tag=("vip",)), limit=5).calls
    assert shown.tags == ("booked", "vip")
    counted = {row["key"]: (row["calls"], row["answered"]) for row in desk.report("source")}
    assert counted == {"google-ads": (1, 1), "radio": (2, 0)}
    assert all(row["talk_time"] == 0 for row in desk.report("agent"))
    with Session(desk.engine) as session:
        assert session.exec(select(LegRow)).all() == session.exec(select(EventRow)).all() == []


def test_of_two_rows_with_one_id_the_first_counts(desk) -> None:
    head, row, *_ = API.splitlines()
    desk.calls.write_text("\n".join([head, row, row.replace(",125,", ",7,")]) + "\n")
    assert "1 stand in the file twice" in desk.run("--calls", desk.calls, "--apply", "--parity")
    (call,) = desk.rows()
    assert call.ended_ms - call.started_ms == 125_000


def test_what_cannot_be_read_is_kept_and_can_be_imported_when_set_right(desk) -> None:
    desk.calls.write_text(EXPORT + "Answered Call,Radio,212-555-0100,Radio,2026-11-03 15:00:00,soon\n")
    said = desk.run("--calls", desk.calls, "--apply", exit_code=1)
    assert "calls.csv:6:6: Duration (seconds) 'soon' is no duration" in said
    assert "3 calls imported" in said
    rejected = desk.folder / "calls.rejected.csv"
    (row,) = csv.DictReader(rejected.read_text().splitlines())
    assert "is no duration" in row["What is wrong"]
    rejected.write_text(rejected.read_text().replace(",soon", ",7"))
    assert "1 calls imported" in desk.run("--calls", rejected, "--apply")
    assert len(desk.rows()) == 4


def test_parity_before_and_after(desk) -> None:
    said = desk.run("--calls", desk.calls, "--parity", exit_code=1)
    assert "line 4: " in said
    assert "is not here" in said
    said = desk.run("--calls", desk.calls, "--apply", "--parity")
    assert said.rstrip().endswith("alike")
    assert "2026-11" in said
    assert "Google Ads" in said


def own(desk, id, at, caller="+12125550999", tracking="+12125550110", seconds=125, **more):
    values = {
        "direction": "inbound",
        "trunk": "carrier",
        "sip_call_id": "x",
        "flow": "main",
        "source": "google-ads",
        "status": "answered",
    }
    with Session(desk.engine) as session:
        session.add(
            CallRow(
                id=id,
                from_number=caller,
                to_number=tracking,
                started_ms=to_ms(at),
                ended_ms=to_ms(at) + 1000 * seconds,
                **(values | more),
            )
        )
        session.commit()


def test_a_call_that_this_server_took_itself_is_not_imported_again(desk) -> None:
    at = datetime(2026, 11, 3, 19, 5, 40, tzinfo=UTC)  # 18 s by another clock
    own(desk, "ours", at)
    own(desk, "elsewhere", at, tracking="+12125550177")
    said = desk.run("--calls", desk.calls, "--apply")
    assert "2 calls imported" in said
    assert "1 were taken by this server itself" in said
    assert "alike" in desk.run("--calls", desk.calls, "--parity")


def test_differences_are_named(desk) -> None:
    own(
        desk,
        "short",
        datetime(2026, 11, 3, 19, 5, 20, tzinfo=UTC),
        seconds=60,
        status="missed",
        source="radio",
    )
    own(desk, "extra", datetime(2026, 11, 3, 19, 6, 30, tzinfo=UTC), caller="+12125550777")
    said = desk.run("--calls", desk.calls, "--parity", exit_code=1)
    assert "line 2: short answered there, not answered here" in said
    assert "line 2: short 125 s there, 60 s here" in said
    assert "line 2: short of google-ads there, of radio here" in said
    assert "extra only we have it" in said
    assert "differs" in said


def test_trackers_are_proposed_and_no_file_is_overwritten(desk) -> None:
    trackers, proposed = desk.folder / "trackers.csv", desk.folder / "proposed.yaml"
    trackers.write_text(TRACKERS)
    said = desk.run("--trackers", trackers, "--propose", proposed, exit_code=1)  # one row is bad
    assert "trackers are proposed" in said
    assert "google-ads" in proposed.read_text()
    assert desk.config.read_text() == SITE
    assert "is there already" in desk.run("--trackers", trackers, "--propose", proposed, exit_code=1)


def test_what_is_no_such_file_is_said(desk) -> None:
    desk.run(exit_code=2)
    assert "pbx import: " in desk.run("--calls", desk.folder / "none.csv", exit_code=1)
    assert "no column" in desk.run("--calls", desk.config, exit_code=1)
