"""/api/reports: the same figures as JSON and CSV."""

import csv
import io

import pytest

from pbx.store.reports import NAMES
from pbx.web import report_shapes
from pbx.web.reports import prefers_csv


@pytest.mark.parametrize("name", NAMES)
def test_every_report_keeps_its_shape(shared, name):
    report = report_shapes.Report.model_validate(shared.get(f"/api/reports/{name}").json())
    assert report.timezone == "America/New_York"
    assert sum(row.calls for row in report.rows) == report.total.calls == 8


def test_by_source(shared):
    rows = shared.get("/api/reports/source?since=2026-11-24T11:00Z").json()["rows"]
    assert [(row["key"], row["name"], row["calls"], row["answered"]) for row in rows] == [
        ("yellow-pages", "Yellow Pages ad", 4, 3),
        ("google-ads", "Google Ads", 3, 3),
    ]


def test_csv_and_json_agree(shared):
    answer = shared.get("/api/reports/agent", headers={"accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    lines = list(csv.DictReader(io.StringIO(answer.text)))
    rows = shared.get("/api/reports/agent").json()["rows"]
    assert [(line["name"], line["talk_time"]) for line in lines] == [
        (row["name"], str(row["talk_time"])) for row in rows
    ]
    assert ("Bob Okafor", "13.0") in [(line["name"], line["talk_time"]) for line in lines]


@pytest.mark.parametrize(
    ("accept", "csv_wanted"),
    [
        ("text/csv", True),
        ("application/json, text/csv;q=0.5", False),
        ("text/csv;q=0.9, application/json;q=0.1", True),
        ("*/*", False),
        ("", False),
        ("text/csv;q=0", False),
        ("text/csv;q=x", False),
    ],
)
def test_what_the_client_would_rather_have(accept, csv_wanted):
    assert prefers_csv(accept) is csv_wanted


def test_a_report_that_does_not_exist(shared):
    answer = shared.get("/api/reports/weather")
    assert answer.status_code == 404
    assert "source, medium, campaign" in answer.json()["detail"]
