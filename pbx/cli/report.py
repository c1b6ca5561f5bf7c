"""``pbx report``: the dashboard's tables in the terminal."""

import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from pbx.cli.database import USUAL_CONFIG, ConfigOption, opened
from pbx.clock import SystemClock
from pbx.store import export
from pbx.store.calls import Filter
from pbx.store.period import parse_moment
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
    AGENT = "agent"
    QUEUE = "queue"
    HOUR = "hour"
    WEEK = "week"


class Format(StrEnum):
    TABLE = "table"
    CSV = "csv"
    JSON = "json"


SHOWN = {
    "calls": "Calls",
    "answered": "Answered",
    "missed": "Missed",
    "abandoned": "Abandoned",
    "voicemail": "Voicemail",
    "talk_time": "Talk",
    "average_talk": "Avg talk",
    "average_wait": "Avg wait",
}
_TIMES = {"talk_time", "average_talk", "average_wait"}


def report(
    by: Annotated[By, typer.Option(help="What the calls are added up by.")] = By.SOURCE,
    since: Annotated[str | None, typer.Option(help="7d for seven days ago, or a date, or a time.")] = None,
    until: Annotated[str | None, typer.Option(help="Calls that started before then.")] = None,
    format: Annotated[Format, typer.Option(help="How it is written.")] = Format.TABLE,
    config: ConfigOption = USUAL_CONFIG,
) -> None:
    """What the calls add up to."""
    with opened(config) as (site, engine):
        zone, now = site.config.server.zone, SystemClock().now()
        filter = Filter(since=moment("--since", since, now, zone), until=moment("--until", until, now, zone))
        found = Reports(engine).run(by.value, filter, zone)
    match format:
        case Format.JSON:
            document = export.document(found, filter, site.config)
            typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        case Format.CSV:
            typer.echo(export.to_csv(export.rows(found, site.config)), nl=False)
        case Format.TABLE:
            rows = [*export.rows(found, site.config), export.row("total", "Total", found.total)]
            Console().print(_table(by.value, rows))


def moment(option: str, text: str | None, now: datetime, zone: ZoneInfo) -> datetime | None:
    """What an option says. Raises BadParameter."""
    if text is None:
        return None
    try:
        return parse_moment(text, now, zone)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from None


def _table(by: str, rows: list[dict[str, object]]) -> Table:
    table = Table(by.capitalize(), *SHOWN.values(), box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
    for place, row in enumerate(rows):
        table.add_row(
            str(row["name"]),
            *(_clock(row[column]) if column in _TIMES else str(row[column]) for column in SHOWN),
            end_section=place == len(rows) - 2,
        )
    return table


def _clock(seconds: object) -> str:
    """83 → "1:23"; nothing for nothing."""
    if not isinstance(seconds, (int, float)):
        return ""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02d}:{whole % 60:02d}" if hours else f"{minutes}:{whole % 60:02d}"
