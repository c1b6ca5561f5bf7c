"""Sums made in advance say what the calls say, whatever happens to the calls; every figure leads to its calls."""

import random
import tempfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text
from sqlmodel import Session

from pbx.store import export
from pbx.store.calls import LONGEST_PAGE, Calls, Filter
from pbx.store.database import open_engine
from pbx.store.dimensions import Basis
from pbx.store.migrations import migrate
from pbx.store.reports import FIGURES, NAMES, Figures, Reports
from pbx.store.tables import CallRow, LegRow

BEGIN = datetime(2026, 2, 20, tzinfo=UTC)
NOW = datetime(2026, 4, 10, 9, 30, tzinfo=UTC)
ZONES = ["America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC"]
LIMITS = {"sales": 20_000, "support": 5_000}
STATUSES = ["answered", "missed", "abandoned", "voicemail", "completed", "rejected", "failed", "in_progress"]


def made(call_id, chance):
    """A call of any kind, and its legs."""
    at = BEGIN + timedelta(milliseconds=chance.randrange(round((NOW - BEGIN).total_seconds() * 1000)))
    ms = round(at.timestamp() * 1000)
    agents = [f"agent-{chance.randrange(3)}" for _ in range(chance.choice([0, 1, 1, 2]))]
    talks = [chance.randrange(90_000) for _ in agents]
    status = chance.choice(STATUSES)
    queue = chance.choice([None, "sales", "support", "gone"])
    row = CallRow(
        id=call_id,
        direction=chance.choice(["inbound", "inbound", "outbound", "internal"]),
        from_number=chance.choice(["", "+12015550100", "+442071838750", "+19025550100", "alice"]),
        to_number=f"+1212555010{chance.randrange(3)}",
        trunk="carrier",
        sip_call_id=call_id,
        flow=chance.choice(["main", "night"]),
        source=chance.choice(["google-ads", "yellow-pages", "a, b"]),
        status=status,
        started_ms=ms,
        connected_ms=ms + chance.randrange(30_000) if agents else None,
        ended_ms=None if status == "in_progress" else ms + 100_000,
        talk_ms=sum(talks),
        agent=agents[-1] if agents else None,
        queue=queue,
        queue_end=chance.choice(["answered", "abandoned", "timeout", ""]) if queue else "",
        queue_wait_ms=chance.choice([None, chance.randrange(40_000)]) if queue else None,
        left_at=chance.choice(["", "main/menu", "night/mail"]),
        score=chance.choice([None, 1, 5]),
        outcome=chance.choice([None, "lead", "sale", "no_sale", "spam"]),
        value_cents=chance.choice([None, 12_345]),
        medium=chance.choice(["", "cpc"]),
        campaign=chance.choice(["", "spring, or summer", "50 % & more"]),
        keyword=chance.choice(["", "plumber"]),
        landing_page=chance.choice(["", "https://acme.example/?a=1"]),
        pool=chance.choice(["", "website"]),
    )
    legs = [
        LegRow(
            call_id=call_id, id=f"l{n}", role="agent", target=who, agent=who, sip_call_id="x",
            started_ms=ms, connected_ms=row.connected_ms, talk_ms=talk,
        )
        for n, (who, talk) in enumerate(zip(agents, talks, strict=True))
    ]  # fmt: skip
    return [row, *legs]


def add(engine, seed, count):
    chance = random.Random(seed)
    with Session(engine) as session:
        for number in range(count):
            session.add_all(made(f"{seed}-{number}", chance))
        session.commit()


def changed(engine, seed):
    """Something that happens to calls afterwards."""
    chance = random.Random(seed)
    statement = chance.choice(
        [
            "UPDATE calls SET score = 3 WHERE id IN (SELECT id FROM calls ORDER BY id LIMIT 3)",
            "UPDATE calls SET value_cents = 100, outcome = 'sale' WHERE source = 'google-ads'",
            "UPDATE calls SET status = 'interrupted', ended_ms = started_ms WHERE status = 'in_progress'",
            "UPDATE calls SET started_ms = started_ms - 86400000 WHERE queue = 'sales'",
            "UPDATE calls SET queue_end = 'answered', queue_wait_ms = 1 WHERE queue = 'support'",
            "UPDATE legs SET talk_ms = talk_ms + 1000, agent = 'agent-0' WHERE id = 'l1'",
            "DELETE FROM legs WHERE id = 'l1'",
            "DELETE FROM calls WHERE campaign = ''",
        ]
    )
    with engine.begin() as connection:
        connection.execute(text(statement))
        if "legs" in statement:  # a call's talk is its legs'
            talk = "SELECT SUM(talk_ms) FROM legs WHERE call_id = calls.id"
            connection.execute(text(f"UPDATE calls SET talk_ms = COALESCE(({talk}), 0)"))


PERIODS = [
    Filter(),
    Filter(since=BEGIN + timedelta(days=3, hours=5)),
    Filter(since=BEGIN + timedelta(days=2), until=NOW - timedelta(days=1, minutes=7)),
    Filter(until=NOW - timedelta(days=20)),
]


def same(reports, basis):
    """Whether reports say the same with and without the sums; they are read back from both ways."""
    for filter in PERIODS:
        for name in NAMES:
            quick = reports.run(name, filter, basis)
            assert quick == plain(reports, name, filter, basis), (name, filter)
            added = sum((figures for _, figures in quick.rows), Figures())
            if name == "agent":
                added = replace(added, took_part=quick.total.took_part)
            assert added == quick.total, name


def plain(reports, name, filter, basis):
    """From the calls alone: every direction is a filter that lets all through."""
    everything = (("direction", ("inbound", "outbound", "internal")),)
    return reports.run(name, replace(filter, groups=everything), basis)


@settings(max_examples=5, deadline=None)
@given(
    st.sampled_from(ZONES),
    st.integers(1, 60),
    st.lists(st.tuples(st.sampled_from(["add", "change", "sum"]), st.integers(0, 1000)), max_size=5),
)
def test_sums_made_in_advance_say_what_the_calls_say(zone, count, happens):
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(f"sqlite:///{folder}/pbx.db")
        migrate(engine)
        reports, basis = Reports(engine), Basis(ZoneInfo(zone), LIMITS)
        add(engine, -1, count)
        reports.rollups.catch_up(basis, NOW)
        same(reports, basis)
        for number, (what, seed) in enumerate(happens):
            if what == "add":
                add(engine, number, seed % 7)
            elif what == "change":
                changed(engine, seed)
            else:
                reports.rollups.catch_up(basis, NOW)
        same(reports, basis)
        engine.dispose()


@pytest.fixture
def reports(engine):
    add(engine, 7, 150)
    return Reports(engine)


BASIS = Basis(ZoneInfo("America/New_York"), LIMITS)


def test_a_change_takes_its_day_and_month_out_of_the_sums(engine, reports):
    made = reports.rollups.catch_up(BASIS, NOW)
    assert reports.rollups.catch_up(BASIS, NOW) == 0
    with engine.begin() as connection:
        connection.execute(text("UPDATE calls SET score = 4 WHERE id = '7-0'"))
    assert 1 <= reports.rollups.catch_up(BASIS, NOW) <= 2 < made


def test_notes_and_paths_cost_no_sums(engine, reports):
    reports.rollups.catch_up(BASIS, NOW)
    with engine.begin() as connection:
        connection.execute(text("UPDATE calls SET note = 'x', path = 'a'"))
    assert reports.rollups.catch_up(BASIS, NOW) == 0


def test_another_zone_or_service_level_has_sums_of_its_own(reports):
    reports.rollups.catch_up(BASIS, NOW)
    for other in (Basis(ZoneInfo("Asia/Kathmandu"), LIMITS), replace(BASIS, thresholds={"sales": 1})):
        same(reports, other)
        assert reports.rollups.catch_up(other, NOW) > 0
        same(reports, other)


def test_a_change_while_a_day_is_summed_up_is_not_lost(engine, reports):
    changed_while_summed_up(engine, reports)


def changed_while_summed_up(engine, reports):
    """Somebody scores a call just when its day's figures have been read."""
    changed = []

    @event.listens_for(engine, "after_cursor_execute")
    def interfere(_connection, _cursor, statement, _parameters, _context, _many):
        if "FROM calls" in statement and "count" in statement.lower() and not changed:
            changed.append(True)
            beside = open_engine(str(engine.url))
            with beside.begin() as other:
                other.execute(text("UPDATE calls SET score = 2, outcome = 'sale'"))
            beside.dispose()

    reports.rollups.catch_up(BASIS, NOW)
    event.remove(engine, "after_cursor_execute", interfere)
    assert changed
    same(reports, BASIS)


def test_first_and_repeat_whatever_the_order_of_coming_in(engine):
    def row(call_id, minutes, number="+12015550100", direction="inbound"):
        at = round((BEGIN + timedelta(minutes=minutes)).timestamp() * 1000)
        return CallRow(
            id=call_id, direction=direction, from_number=number, to_number="", trunk="", sip_call_id="",
            flow="", source="", status="answered", started_ms=at,
        )  # fmt: skip

    with Session(engine) as session:
        for each in (
            row("later", 10),
            row("between", 5),
            row("first", 1),
            row("ours", 0, direction="outbound"),
            row("withheld", 2, number=""),
            row("other", 7, number="+12015550101"),
        ):
            session.add(each)
            session.commit()
    with engine.connect() as connection:
        found = dict(connection.execute(text("SELECT id, caller FROM calls")).all())
    assert found == {
        "later": "repeat",
        "between": "repeat",
        "first": "first",
        "ours": "",
        "withheld": "",
        "other": "first",
    }


def test_callers_of_an_import_are_placed(engine, reports):
    reports.rollups.catch_up(BASIS, NOW)
    with engine.connect() as connection:
        areas = dict(connection.execute(text("SELECT DISTINCT from_number, area FROM calls")).all())
    assert areas == {
        "": "",
        "alice": "",
        "+12015550100": "US-NJ",
        "+442071838750": "GB",
        "+19025550100": "CA-NS/PE",
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_leads_to_its_calls(engine, reports, name):
    """The list has as many calls as the figure counts; of a sum, its calls make it up."""
    reports.rollups.catch_up(BASIS, NOW)
    calls = Calls(engine)
    period = Filter(since=BEGIN + timedelta(days=9), until=NOW - timedelta(days=8, hours=3), basis=BASIS)
    report = reports.run(name, period, BASIS)
    for key, figures in (*[row for row in report.rows if row[1].calls][:2], (None, report.total)):
        for figure in FIGURES:
            groups = () if key is None else ((name, (key,)),)
            found = calls.page(replace(period, groups=groups, figure=figure), limit=LONGEST_PAGE).calls
            wanted = getattr(figures, figure)
            if figure == "score_sum":
                assert sum(call.row.score for call in found) == wanted
            elif figure == "value_cents":
                assert sum(call.row.value_cents for call in found) == wanted
            elif figure.endswith("_ms"):
                assert bool(found) or not wanted
            else:
                assert len(found) == wanted, (key, figure)


def test_every_column_names_a_figure_that_lists_can_be_asked_for():
    assert {column.calls for column in export.COLUMNS.values()} <= set(FIGURES)
