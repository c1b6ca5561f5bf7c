"""``/api/export``: the same records over HTTP, for who may have them."""

import csv
import io
import json

from pbx.store.people import Role


def test_calls_as_csv_and_as_json_lines(shared) -> None:
    answer = shared.get("/api/export/calls?source=google-ads")
    assert answer.headers["content-type"].startswith("text/csv")
    assert 'filename="calls.csv"' in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert rows
    assert {row["source"] for row in rows} == {"google-ads"}
    lines = shared.get("/api/export/calls?source=google-ads&format=jsonl")
    assert lines.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line)["id"] for line in lines.text.splitlines()] == [row["id"] for row in rows]


def test_calls_are_exported_with_what_reports_group_them_by(site) -> None:
    site.ask("PATCH", "/api/calls/c0", json={"value": 12.5})
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(site.get("/api/export/calls").text))}
    names = ("value", "caller", "area", "exit")
    assert [rows["c0"][name] for name in names] == ["12.5", "repeat", "US-NY", "main/sales"]
    assert [rows["gone"][name] for name in names] == ["", "first", "US-NY", ""]


def test_what_is_wrong_is_named(shared) -> None:
    for path, field in (
        ("/api/export/calls?format=xls", "format"),
        ("/api/export/calls?status=lost", "status"),
        ("/api/export/messages?channel=fax", "channel"),
        ("/api/export/messages?agent=bob", "agent"),
    ):
        answer = shared.get(path)
        assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_agents_do_not_export(shared) -> None:
    assert shared.get("/api/export/calls", role=Role.AGENT).status_code == 403
    assert shared.get("/api/export/messages", role=Role.MANAGER).status_code == 200
