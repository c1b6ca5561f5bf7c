"""``pbx export``: calls or messages as CSV or JSON Lines."""

import contextlib
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO

import typer

from pbx.cli.database import USUAL_CONFIG, ConfigOption, opened
from pbx.cli.report import moment
from pbx.clock import SystemClock
from pbx.numbering import normalise
from pbx.store import records
from pbx.store.calls import Filter
from pbx.store.messages import Channel


class What(StrEnum):
    CALLS = "calls"
    MESSAGES = "messages"


class Format(StrEnum):
    CSV = "csv"
    JSONL = "jsonl"


def export(
    what: Annotated[What, typer.Argument(help="calls, or messages (texts, chats, forms, leads).")],
    format: Annotated[Format, typer.Option(help="How it is written.")] = Format.CSV,
    output: Annotated[Path | None, typer.Option(help="A file; standard output without it.")] = None,
    since: Annotated[str | None, typer.Option(help="7d for seven days ago, or a date, or a time.")] = None,
    until: Annotated[str | None, typer.Option(help="What began before then.")] = None,
    source: Annotated[list[str] | None, typer.Option(help="Of this source, or any of these.")] = None,
    number: Annotated[list[str] | None, typer.Option(help="The tracking number called.")] = None,
    agent: Annotated[list[str] | None, typer.Option(help="Somebody who talked.")] = None,
    status: Annotated[list[str] | None, typer.Option(help="The call's status.")] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Bears this tag.")] = None,
    q: Annotated[str, typer.Option(help="In numbers, note, tags or transcript.")] = "",
    channel: Annotated[list[Channel] | None, typer.Option(help="Of messages: only these.")] = None,
    config: ConfigOption = USUAL_CONFIG,
) -> None:
    """Write every call or message that the filters let through, newest first, as CSV or JSON Lines."""
    with opened(config) as (site, engine):
        zone, now = site.config.server.zone, SystemClock().now()
        country = site.config.server.country
        filter = Filter(
            since=moment("--since", since, now, zone),
            until=moment("--until", until, now, zone),
            source=tuple(source or ()),
            number=tuple(normalise(each, country) or each for each in number or ()),
            agent=tuple(agent or ()),
            status=tuple(status or ()),
            tag=tuple(tag or ()),
            q=q.strip(),
        )
        if what is What.CALLS:
            found, columns = records.calls(engine, filter, zone), records.CALLS
        else:
            chosen = tuple(each.value for each in channel or ())
            found, columns = records.messages(engine, filter, zone, chosen), records.MESSAGES
        lines = records.csv_lines(found, columns) if format is Format.CSV else records.json_lines(found)
        with _opened_for_writing(output) as file:
            for line in lines:
                file.write(line)


@contextlib.contextmanager
def _opened_for_writing(output: Path | None) -> Iterator[TextIO]:
    if output is not None:
        with output.open("w", encoding="utf-8", newline="") as file:
            yield file
        return
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(encoding="utf-8", newline="")
    yield sys.stdout
