"""A report as rows for people and machines: JSON, CSV, and the terminal's table."""

import csv
import io
from collections.abc import Iterable
from typing import Any

from pbx.config.models import Config
from pbx.numbering import display
from pbx.store.calls import Filter
from pbx.store.encoding import iso, to_ms
from pbx.store.reports import NOBODY, Figures, Report
from pbx.store.tabular import cell

COLUMNS = (
    "key",
    "name",
    "calls",
    "answered",
    "missed",
    "abandoned",
    "voicemail",
    "completed",
    "rejected",
    "failed",
    "interrupted",
    "live",
    "talk_time",
    "average_talk",
    "average_wait",
)
_COUNTS = COLUMNS[2:12]
_NONE = {
    "agent": "Nobody",
    "queue": "No queue",
    "number": "No number",
    "medium": "No medium",
    "campaign": "No campaign",
    "keyword": "No keyword",
    "landing_page": "No landing page",
    "pool": "No pool",
    "flow": "No flow",
}
"""What calls are called that have none."""


def document(report: Report, filter: Filter, config: Config) -> dict[str, Any]:
    """The whole report as the API's JSON."""
    return {
        "report": report.name,
        "since": iso(to_ms(filter.since)) if filter.since else None,
        "until": iso(to_ms(filter.until)) if filter.until else None,
        "timezone": config.server.timezone,
        "rows": rows(report, config),
        "total": row("total", "Total", report.total),
    }


def rows(report: Report, config: Config) -> list[dict[str, Any]]:
    return [row(key, label(report.name, key, config), figures) for key, figures in report.rows]


def row(key: str, name: str, figures: Figures) -> dict[str, Any]:
    counts = {column: getattr(figures, column) for column in _COUNTS}
    return {
        "key": key,
        "name": name,
        **counts,
        "talk_time": figures.talk_s,
        "average_talk": _rounded(figures.average_talk_s),
        "average_wait": _rounded(figures.average_wait_s),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)


def label(report: str, key: str, config: Config) -> str:
    """What the config calls this source, agent, number or hour."""
    if key == NOBODY:
        return _NONE.get(report, "Unknown")
    match report:
        case "source":
            source = config.sources.get(key)
            return source.name if source else ("Unknown" if key == "unknown" else key)
        case "agent":
            agent = config.agents.get(key)
            return agent.name if agent else display(key, config.server.country)
        case "number":
            return display(key, config.server.country)
        case "hour":
            return f"{key}:00"
        case "week":
            return f"{key.capitalize()}:00"
        case _:
            return key


def to_csv(table: Iterable[dict[str, Any]], columns: tuple[str, ...] = COLUMNS) -> str:
    """RFC 4180; no cell is a formula to a spreadsheet (an apostrophe makes it text)."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    writer.writerows([cell(line[column]) for column in columns] for line in table)
    return out.getvalue()
