"""Two times compared, over the API and at the terminal, also where the clocks change between them."""

import csv
import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from pbx.store.period import other_period
from tests.pbx.store.test_rollups import add
from tests.pbx.web.conftest import Site

NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 11, 24, 13, tzinfo=UTC)


def local(text):
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).astimezone(UTC)


@pytest.mark.parametrize(
    ("since", "until", "begin"),
    [
        ("2026-11-01", "2026-11-02", "2026-10-31"),  # 25 hours, the clocks go back
        ("2026-11-02", "2026-11-03", "2026-11-01"),
        ("2026-03-08", "2026-03-09", "2026-03-07"),  # 23 hours
        ("2026-03-09", "2026-03-16", "2026-03-02"),
        ("2026-11-01", "2026-12-01", "2026-10-02"),
        ("2026-11-02T09:00", "2026-11-02T17:00", "2026-11-02T01:00"),
        ("2026-11-02", "2026-11-02T12:00", "2026-11-01T12:00"),
    ],
)
def test_previous_is_as_long_and_just_before(since, until, begin):
    assert other_period("previous", local(since), local(until), NOW, NEW_YORK) == (local(begin), local(since))


def test_until_now_where_no_end_is_given():
    since = NOW - timedelta(days=7)
    assert other_period("previous", since, None, NOW, NEW_YORK) == (since - timedelta(days=7), since)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    made = Site(tmp_path_factory.mktemp("compared"))
    add(made.engine, 3, 60)
    yield made
    made.engine.dispose()


@pytest.mark.parametrize("compare", ["previous", "2026-03-01..2026-03-08"])
def test_each_side_is_the_report_of_its_own_time(site, compare):
    """In the week from 8 March an hour is missing."""
    this = site.get("/api/reports/queue?since=2026-03-08&until=2026-03-15").json()
    other = site.get("/api/reports/queue?since=2026-03-01&until=2026-03-08").json()
    both = site.get(f"/api/reports/queue?since=2026-03-08&until=2026-03-15&compare={compare}").json()
    assert both["compared"] == {"since": other["since"], "until": other["until"]}
    assert both["compared"] == {"since": "2026-03-01T05:00:00.000Z", "until": "2026-03-08T05:00:00.000Z"}
    assert this["until"] == "2026-03-15T04:00:00.000Z"
    now = {row["key"]: row for row in (*this["rows"], this["total"])}
    before = {row["key"]: row for row in (*other["rows"], other["total"])}
    rows = [*both["rows"], both["total"]]
    assert {row["key"] for row in rows} == {*now, *before}
    for row in rows:
        for name in both["figures"]:
            was, is_ = (side.get(row["key"], {}).get(name, row[name] and 0) for side in (before, now))
            if row["key"] in now:
                assert row[name] == is_
            if row["key"] in before:
                assert row["before"][name] == was
            if row[name] is not None and row["before"][name] is not None:
                difference = row["change"][name]["difference"]
                assert difference == pytest.approx(row[name] - row["before"][name], abs=1e-4)
                percent = row["change"][name]["percent"]
                assert (percent is None) == (not row["before"][name])


def test_csv_has_every_figure_four_times(site):
    path = "/api/reports/source?since=2026-03-08&until=2026-03-15&compare=previous"
    lines = list(csv.DictReader(io.StringIO(site.get(path, headers={"accept": "text/csv"}).text)))
    rows = site.get(path).json()["rows"]
    assert [line["key"] for line in lines] == [row["key"] for row in rows]
    for line, row in zip(lines, rows, strict=True):
        assert line["calls"] == str(row["calls"])
        assert line["calls_before"] == str(row["before"]["calls"])
        assert line["calls_difference"] == str(row["change"]["calls"]["difference"])
        assert line["calls_percent"] == str(row["change"]["calls"]["percent"] or "")


@pytest.mark.parametrize(
    "compare", ["last", "2026-03-08..2026-03-01", "2026-03-01..", "..", "2026-03-01..2026-03-01"]
)
def test_what_is_no_other_time_is_told(site, compare):
    answer = site.get(f"/api/reports/source?since=2026-03-08&compare={compare}")
    assert (answer.status_code, answer.json()["field"]) == (400, "compare")


def test_nothing_is_previous_to_everything(site):
    answer = site.get("/api/reports/source?compare=previous")
    assert answer.status_code == 400
    assert "say since when" in answer.json()["detail"]
