"""What was spent, per call, per lead and per sale: in the API, in CSV and at the terminal."""

import csv
import io
from datetime import date
from fractions import Fraction

import pytest

from pbx.spend import Spent
from pbx.store.reports import NAMES
from tests.pbx.web.conftest import Site

NOVEMBER = date(2026, 11, 1), date(2026, 11, 30)
SPENT = (
    Spent("google-ads", "spring", *NOVEMBER, Fraction(600)),
    Spent("google-ads", "", *NOVEMBER, Fraction(300)),
    Spent("billboard", "", date(2026, 11, 24), date(2026, 11, 24), Fraction(50)),
)
DAY = "since=2026-11-24&until=2026-11-25"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Three calls by Google Ads that day: a sale, a lead, and one of which nothing is known."""
    made = Site(tmp_path_factory.mktemp("costs"))
    made.state.spend = SPENT
    for call, outcome in (("c1", "sale"), ("c3", "lead")):
        made.ask("PATCH", f"/api/calls/{call}", json={"outcome": outcome})
    yield made
    made.engine.dispose()


def costs(row):
    return tuple(row[name] for name in ("calls", "cost", "cost_per_call", "cost_per_lead", "cost_per_sale"))


def by_key(report):
    return {row["key"]: costs(row) for row in report["rows"]}


def test_by_source(site):
    report = site.get(f"/api/reports/source?{DAY}").json()
    assert by_key(report) == {
        "yellow-pages": (4, 0, 0, None, None),
        "google-ads": (3, 30, 10, 15, 30),
        "unknown": (1, 0, 0, None, None),
        "billboard": (0, 50, None, None, None),  # which nobody called by
    }
    assert costs(report["total"]) == (8, 80, 10, 40, 80)
    assert site.get(report["rows"][-1]["link"]).json()["calls"] == []


def test_by_campaign(site):
    report = site.get(f"/api/reports/campaign?{DAY}").json()
    assert by_key(report) == {"": (8, 60, 7.5, 30, 60), "spring": (0, 20, None, None, None)}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("source", "campaign")])
def test_other_reports_have_it_in_the_total(site, name):
    report = site.get(f"/api/reports/{name}?{DAY}").json()
    assert {row["cost"] for row in report["rows"]} <= {None}
    assert costs(report["total"]) == (8, 80, 10, 40, 80)


def test_of_one_source(site):
    report = site.get(f"/api/reports/source?{DAY}&source=google-ads").json()
    assert by_key(report) == {"google-ads": (3, 30, 10, 15, 30)}
    assert costs(report["total"]) == (3, 30, 10, 15, 30)


def test_with_other_filters_it_cannot_be_told(site):
    report = site.get(f"/api/reports/source?{DAY}&agent=alice").json()
    assert report["total"]["cost"] is None
    assert {row["cost_per_call"] for row in report["rows"]} == {None}


@pytest.mark.parametrize(
    "time", ["since=2030-01-01", "until=9999-12-31T12:00", "since=0001-01-01&until=2000-01-01"]
)
def test_a_time_without_calls_divides_by_nothing(site, time):
    report = site.get(f"/api/reports/source?{time}")
    assert report.status_code == 200
    assert costs(report.json()["total"])[1] in (0, 950)


def test_half_a_day_and_two_days_compared(site):
    report = site.get(
        "/api/reports/source?since=2026-11-24T00:00&until=2026-11-24T12:00&compare=2026-11-22..2026-11-24"
    ).json()
    row = next(row for row in report["rows"] if row["key"] == "google-ads")
    assert (row["cost"], row["before"]["cost"]) == (15, 60)
    assert row["change"]["cost"] == {"difference": -45, "percent": -75}
    assert row["change"]["cost_per_sale"] == {"difference": None, "percent": None}


def test_in_csv_what_cannot_be_told_is_empty(site):
    answer = site.get(f"/api/reports/source?{DAY}", headers={"accept": "text/csv"})
    lines = {line["key"]: line for line in csv.DictReader(io.StringIO(answer.text))}
    assert [lines["billboard"][name] for name in ("calls", "cost", "cost_per_call")] == ["0", "50.0", ""]
    assert [lines["google-ads"][name] for name in ("cost", "cost_per_sale")] == ["30.0", "30.0"]
