"""``pbx report``: the dashboard's tables in the terminal."""

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from pbx.cli.database import USUAL_CONFIG, ConfigOption, opened
from pbx.clock import SystemClock
from pbx.store import export
from pbx.store.calls import Filter
from pbx.store.dimensions import Basis
from pbx.store.period import other_period, parse_moment
from pbx.store.reports import Reports


class By(StrEnum):
    SOURCE = "source"
    MEDIUM = "medium"
    CAMPAIGN = "campaign"
    KEYWORD = "keyword"
    LANDING_PAGE = "landing_page"
    NUMBER = "number"
    POOL = "pool"
    FLOW = "flow"
    EXIT = "exit"
    AGENT = "agent"
    QUEUE = "queue"
    AREA = "area"
    CALLER = "caller"
    OUTCOME = "outcome"
    DIRECTION = "direction"
    HOUR = "hour"
    WEEK = "week"


class Format(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class Show(StrEnum):
    CALLS = "calls"
    CALLERS = "callers"
    QUEUES = "queues"
    RESULTS = "results"


SHOWN = {
    Show.CALLS: {
        "calls": "Calls",
        "answered": "Answered",
        "missed": "Missed",
        "abandoned": "Abandoned",
        "voicemail": "Voicemail",
        "talk_time": "Talk",
        "average_talk": "Avg talk",
        "average_wait": "Avg wait",
    },
    Show.CALLERS: {
        "calls": "Calls",
        "first_time": "First-time",
        "repeat": "Repeat",
        "weak_area": "Weak area",
        "average_duration": "Avg duration",
    },
    Show.QUEUES: {
        "queued": "Queued",
        "queue_answered": "Answered",
        "queue_abandoned": "Abandoned",
        "average_queue_wait": "Avg wait",
        "in_time": "In time",
        "service_level": "Service level",
        "service_level_with_abandoned": "With abandoned",
    },
    Show.RESULTS: {
        "calls": "Calls",
        "average_score": "Avg score",
        "leads": "Leads",
        "sales": "Sales",
        "value": "Value",
        "cost": "Cost",
        "cost_per_call": "Per call",
        "cost_per_lead": "Per lead",
        "cost_per_sale": "Per sale",
    },
}
_TIMES = {"average_duration", "talk_time", "average_talk", "average_wait", "average_queue_wait"}
PIPE_WIDTH = 160
_SHARES = {"service_level", "service_level_with_abandoned"}


def report(
    by: Annotated[By, typer.Option(help="What the calls are added up by.")] = By.SOURCE,
    since: Annotated[str | None, typer.Option(help="7d for seven days ago, or a date, or a time.")] = None,
    until: Annotated[str | None, typer.Option(help="Calls that started before then.")] = None,
    compare: Annotated[
        str | None,
        typer.Option(help="With another time: previous, or FROM..TO as in 2026-10-01..2026-11-01."),
    ] = None,
    show: Annotated[
        Show, typer.Option(help="Which figures a table has; CSV and JSON have all.")
    ] = Show.CALLS,
    format: Annotated[Format, typer.Option(help="How it is written.")] = Format.TABLE,
    config: ConfigOption = USUAL_CONFIG,
) -> None:
    """What the calls add up to. Each figure is defined in docs/reports.md."""
    with opened(config) as (site, engine):
        zone, now = site.config.server.zone, SystemClock().now()
        filter = Filter(since=moment("--since", since, now, zone), until=moment("--until", until, now, zone))
        other = None
        if compare is not None:
            other = _other("--compare", compare, filter, now, zone)
        reports = Reports(engine)

        def told(asked: Filter) -> export.Told:
            found = reports.run(by.value, asked, Basis.of(site.config))
            return export.Told.of(found, asked, site.config, site.spend)

        this, before = told(filter), told(other) if other else None
    match format:
        case Format.JSON:
            document = export.document(this, site.config, before)
            typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        case Format.CSV:
            table = export.rows(this, site.config, before)
            typer.echo(export.to_csv(table, compared=before is not None), nl=False)
        case Format.TABLE:
            rows = [*export.rows(this, site.config, before), export.total(this, before)]
            console = Console()
            if not console.is_terminal:  # a file or a pipe has no width: never cut a name
                console = Console(width=PIPE_WIDTH)
            console.print(_table(by.value, show, rows))


def _other(option: str, text: str, filter: Filter, now: datetime, zone: ZoneInfo) -> Filter:
    try:
        since, until = other_period(text, filter.since, filter.until, now, zone)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None
    return Filter(since=since, until=until)


def moment(option: str, text: str | None, now: datetime, zone: ZoneInfo) -> datetime | None:
    """What an option says. Raises BadParameter."""
    if text is None:
        return None
    try:
        return parse_moment(text, now, zone)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _table(by: str, show: Show, rows: list[dict[str, Any]]) -> Table:
    shown = SHOWN[show]
    title = by.replace("_", " ").capitalize()
    table = Table(title, *shown.values(), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
    for place, row in enumerate(rows):
        table.add_row(
            str(row["name"]),
            *(_written(column, row[column]) + _changed(row, column) for column in shown),
            end_section=place == len(rows) - 2,
        )
    return table


def _written(column: str, value: Any) -> str:
    if value is None:
        return ""
    if column in _TIMES:
        return _clock(value)
    return f"{100 * value:.1f} %" if column in _SHARES else str(value)


def _changed(row: dict[str, Any], column: str) -> str:
    """By how many per cent it differs from the other time; what it was where that was nothing."""
    if "change" not in row or row[column] is None:
        return ""
    percent = row["change"][column]["percent"]
    if percent is None:
        return f" (was {_written(column, row['before'][column]) or '–'})"
    return f" ({percent:+.0f} %)"


def _clock(seconds: float) -> str:
    """83 → "1:23"."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"
