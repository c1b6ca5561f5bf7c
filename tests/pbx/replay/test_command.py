"""`pbx replay` on a store that the writer filled."""

import asyncio
import json
from pathlib import Path
from random import Random

import pytest
from typer.testing import CliRunner, Result

from pbx.cli import application
from pbx.clock import SystemClock
from pbx.config.load import Site, load
from pbx.store.database import open_engine
from pbx.store.migrations import migrate
from pbx.store.recorded import RecordedCalls
from pbx.store.writer import CallWriter
from tests.pbx.replay.past import MONDAY, Past, random_people, seconds_after
from tests.pbx.replay.test_replay import CONFIG, MAIN

DAY = ("--since", "2026-12-07", "--until", "2026-12-08")


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Past]:
    """A site whose database holds forty calls of one Monday."""
    folder: Path = tmp_path_factory.mktemp("site")
    (folder / "ivr_flows").mkdir()
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "ivr_flows" / "main.yaml").write_text(MAIN)
    site = load(folder / "config.yaml", {})
    lived = Past(site, random_people(Random(3), 40), {"alice": 4.0, "bob": 9.0})

    async def write() -> None:
        writer = CallWriter(site.database_url, site.data_dir, SystemClock())
        await writer.start()
        for event in lived.happened:
            writer.write(event)
        await writer.close()

    site.data_dir.mkdir()
    engine = open_engine(site.database_url)
    migrate(engine)
    engine.dispose()
    asyncio.run(write())
    return site, lived


def pbx(site: Site, *arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200", "NO_COLOR": "1"}).invoke(
        application(("replay",)), ["replay", *DAY, *arguments, "--config", str(site.path)]
    )


def test_the_store_gives_back_the_calls_as_they_were(past: tuple[Site, Past]):
    site, lived = past
    engine = open_engine(site.database_url)
    stored = list(RecordedCalls(engine, MONDAY, seconds_after(7200)).calls())
    engine.dispose()
    assert {(c.id, c.status, c.agent, c.path) for c in stored} == {
        (c.id, c.status, c.agent, c.path) for c in lived.calls()
    }


def test_unchanged_flows_change_nothing(past: tuple[Site, Past]):
    site, _ = past
    result = pbx(site, "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["replayed"], said["changed"], said["left_out"]) == (40, [], {})
    assert said["before"] == said["after"]
    assert "0 of them change" in pbx(site).stdout


def test_changed_flows_are_told_call_by_call(past: tuple[Site, Past], tmp_path: Path):
    site, _ = past
    (tmp_path / "main.yaml").write_text(MAIN.replace('"08:00-18:00"', '"12:00-18:00"'))
    result = pbx(site, "--flows", str(tmp_path))
    assert result.exit_code == 0, result.output
    lines = [" ".join(line.split()) for line in result.stdout.splitlines()]
    assert any(line.startswith("40 calls, ") for line in lines)
    assert any("answered → voicemail hours: closed: Mon 10:" in line for line in lines)
    said = json.loads(pbx(site, "--flows", str(tmp_path), "--json").stdout)
    assert said["after"]["answered"] == 0
    assert said["changed"][0]["because"].startswith("hours: closed")


def test_flows_with_a_fault_are_told_with_their_place(past: tuple[Site, Past], tmp_path: Path):
    site, _ = past
    (tmp_path / "main.yaml").write_text(MAIN.replace("next: hours", "next: hour"))
    result = pbx(site, "--flows", str(tmp_path))
    assert result.exit_code == 1
    assert f"{tmp_path}/main.yaml:4:" in result.stderr
    assert "did you mean 'hours'?" in result.stderr
