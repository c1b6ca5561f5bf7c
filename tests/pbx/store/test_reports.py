"""Reports: the parts add up to the whole, and talk time is billed to who talked."""

import asyncio
import csv
import io
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pbx import events
from pbx.cli.report import By
from pbx.clock import SystemClock
from pbx.config.models import Config, Source
from pbx.events import CallStatus
from pbx.store import export
from pbx.store.calls import Filter
from pbx.store.database import open_engine
from pbx.store.dimensions import Basis
from pbx.store.reports import NAMES, Figures, Reports
from pbx.store.writer import CallWriter
from tests.support.made_calls import NOON, ended, started, talk

NEW_YORK = Basis(ZoneInfo("America/New_York"), {"sales": 20_000, "support": 5_000})


def stored(made, run):
    """What ``run`` says of a database that holds these events."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/pbx.db"

        async def write():
            writer = CallWriter(url, Path(folder), SystemClock())
            await writer.start()
            for event in made:
                writer.write(event)
            await writer.close()

        asyncio.run(write())
        engine = open_engine(url)
        try:
            return run(Reports(engine))
        finally:
            engine.dispose()


calls = st.lists(
    st.fixed_dictionaries(
        {
            "source": st.sampled_from(["yellow-pages", "google-ads", "unknown"]),
            "to": st.sampled_from(["+12125550100", "+12125550101"]),
            "minutes": st.integers(0, 3 * 24 * 60),
            "status": st.sampled_from([None, *(status for status in CallStatus if status.is_final)]),
            "queue": st.sampled_from([None, "sales", "support"]),
            "talks": st.lists(
                st.tuples(st.sampled_from(["alice", "bob", "desk"]), st.integers(0, 500)), max_size=3
            ),
        }
    ),
    max_size=12,
)


def events_of(made):
    for number, call in enumerate(made):
        call_id = f"c{number}"
        at = NOON + timedelta(minutes=call["minutes"])
        yield started(call_id, at, source=call["source"], to=call["to"])
        if call["queue"]:
            yield events.QueueJoined(call_id=call_id, at=at, queue=call["queue"], position=1)
        for leg, (agent, tenths) in enumerate(call["talks"]):
            yield from talk(call_id, f"l{leg}", agent, at, tenths / 10)
        if call["status"]:
            yield ended(call_id, at + timedelta(minutes=2), call["status"])


@settings(max_examples=25, deadline=None)
@given(calls)
def test_the_parts_add_up_to_the_whole(made):
    reports = stored(
        events_of(made), lambda each: {name: each.run(name, Filter(), NEW_YORK) for name in NAMES}
    )
    talk_ms = sum(tenths * 100 for call in made for _, tenths in call["talks"])
    for name, report in reports.items():
        assert report.total.calls == len(made)
        assert report.total.talk_ms == talk_ms
        added = sum((figures for _, figures in report.rows), Figures())
        assert added.talk_ms == talk_ms, name
        if name == "agent":  # a call with two agents is one in which each took part
            added = replace(added, took_part=report.total.took_part)
        assert added == report.total, name
    total = reports["source"].total
    by_status = Counter(call["status"] or "live" for call in made)
    for status in (*(status.value for status in CallStatus if status.is_final), "live"):
        assert getattr(total, status) == by_status[status]
    for agent, figures in reports["agent"].rows:
        mine = [call for call in made if agent in {who for who, _ in call["talks"]}]
        if agent:
            assert figures.took_part == len(mine)
            assert figures.calls == sum(call["talks"][-1][0] == agent for call in mine)
            assert figures.talk_ms == sum(
                tenths * 100 for call in mine for who, tenths in call["talks"] if who == agent
            )
        else:
            assert figures.calls == sum(not call["talks"] for call in made)


def test_after_a_transfer_each_agent_has_their_own_seconds():
    made = [
        started("c1"),
        *talk("c1", "l1", "alice", NOON, 20),
        *talk("c1", "l2", "bob", NOON + timedelta(seconds=30), 70),
        ended("c1", NOON + timedelta(seconds=103)),
    ]
    report = stored(made, lambda each: each.run("agent", Filter(), NEW_YORK))
    assert {agent: figures.talk_s for agent, figures in report.rows} == {"alice": 20, "bob": 70}
    assert (report.total.calls, report.total.talk_s, report.total.average_wait_s) == (1, 90, 2)
    alone = stored(made, lambda each: each.run("agent", Filter(agent=("bob",)), NEW_YORK))
    assert [(agent, figures.calls) for agent, figures in alone.rows] == [("bob", 1), ("alice", 0)]


def test_an_agent_who_only_rang_talked_to_nobody():
    made = [started("c1"), talk("c1", "l1", "alice", NOON, 1)[0], ended("c1", NOON, CallStatus.MISSED)]
    report = stored(made, lambda each: each.run("agent", Filter(), NEW_YORK))
    assert [(agent, figures.missed) for agent, figures in report.rows] == [("", 1)]


@pytest.mark.parametrize(
    ("zone", "hour"),
    [("UTC", "12"), ("America/New_York", "07"), ("Asia/Kathmandu", "17"), ("Asia/Kolkata", "17")],
)
def test_hours_are_the_sites(zone, hour):
    report = stored([started("c1")], lambda each: each.run("hour", Filter(), Basis(ZoneInfo(zone), {})))
    assert len(report.rows) == 24
    assert [key for key, figures in report.rows if figures.calls] == [hour]


def table(report, config):
    return export.to_csv(export.rows(export.Told.of(report, Filter(), config, ()), config))


def test_csv_holds_no_formula():
    evil = '=HYPERLINK("http://evil")'
    made = [started("c1", source=evil), started("c2", source="@x"), started("c3", to="+12125550100")]
    report = stored(made, lambda each: each.run("source", Filter(), NEW_YORK))
    config = Config(sources={"yellow-pages": Source(name="-1+1")})
    lines = list(csv.DictReader(io.StringIO(table(report, config))))
    assert {line["key"] for line in lines} == {f"'{evil}", "'@x", "yellow-pages"}
    assert {line["name"] for line in lines} >= {"'-1+1"}
    numbers = stored(made, lambda each: each.run("number", Filter(), NEW_YORK))
    assert "\n+12125550100," in table(numbers, config).replace("\r", "")


def test_the_hours_of_the_week_are_the_sites():
    report = stored([started("c1")], lambda each: each.run("week", Filter(), NEW_YORK))
    assert len(report.rows) == 7 * 24
    assert report.rows[0][0] == "mon 00"
    assert [key for key, figures in report.rows if figures.calls] == ["tue 07"]


def test_the_command_knows_every_report():
    assert [each.value for each in By] == list(NAMES)
