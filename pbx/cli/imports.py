"""``pbx import``: a history from another call tracker."""

import codecs
import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Engine

from pbx.cli.database import USUAL_CONFIG, ConfigOption, opened
from pbx.config.models import Config
from pbx.config.site import Site
from pbx.events import Direction
from pbx.imports import callrail as files
from pbx.imports.callrail import ORIGIN, Bad, ImportedCall, Tracker
from pbx.imports.parity import Parity, TheirCall, compare, pairs
from pbx.imports.proposal import proposal
from pbx.imports.sheet import NotReadable, Sheet
from pbx.imports.sources import SourceNames
from pbx.store.encoding import to_ms
from pbx.store.imported import ImportedCalls, NewCall, OurCall, reasons

MOST_SHOWN = 200

imports = typer.Typer(no_args_is_help=True, help="A history from another call tracker.")


@imports.callback()
def _import() -> None:
    """A history from another call tracker."""


@dataclass(slots=True)
class Read:
    """A file, taken apart. Of calls only what is compared: a file of years need not fit into memory."""

    calls: list[TheirCall] = field(default_factory=list)
    trackers: list[Tracker] = field(default_factory=list)
    bad: list[tuple[Sheet, Bad]] = field(default_factory=list)
    twice: int = 0
    bad_calls: int = 0


@imports.command("callrail")
def callrail(
    calls: Annotated[Path | None, typer.Option(help="The call log, as CSV.")] = None,
    trackers: Annotated[Path | None, typer.Option(help="The trackers, as CSV.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Write the calls; without it nothing is.")] = False,
    parity: Annotated[bool, typer.Option("--parity", help="Hold their figures against ours.")] = False,
    propose: Annotated[
        Path | None, typer.Option(help="Where the YAML of the trackers goes; standard output without it.")
    ] = None,
    flow: Annotated[str | None, typer.Option(help="The flow of the proposed numbers.")] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Of times that name no zone; the server's if left out.")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of files that are neither UTF-8 nor UTF-16, such as windows-1252.")
    ] = None,
    config: ConfigOption = USUAL_CONFIG,
) -> None:
    """Import CallRail's calls, propose YAML for its trackers, and compare; a dry run without --apply."""
    if calls is None and trackers is None:
        raise typer.BadParameter("give --calls, --trackers, or both")
    _check_encoding(encoding)
    with opened(config) as (site, engine):
        try:
            zone = _zone(timezone, site)
            sheet = files.open_calls(calls, encoding) if calls is not None else None
            found = _read(sheet, trackers, site, zone, encoding)
        except (NotReadable, OSError) as error:
            typer.echo(f"pbx import: {error}", err=True)
            raise typer.Exit(1) from None
        _say_bad(found)
        if trackers is not None:
            _propose(found.trackers, site, trackers, propose, flow)
        alike = True
        if sheet is not None:
            read_again = partial(files.calls, sheet, site.config.server.country, zone)
            _take(found, read_again, site.config, ImportedCalls(engine), apply=apply)
            if apply:
                _keep_rejected(found, sheet.path)
            if parity:
                alike = _compare(found.calls, site, engine)
    raise typer.Exit(1 if found.bad or not alike else 0)


def _zone(name: str | None, site: Site) -> ZoneInfo:
    if name is None:
        return site.config.server.zone
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise typer.BadParameter(
            f"{name!r} is no IANA time zone, such as America/New_York", param_hint="--timezone"
        ) from None


def _check_encoding(name: str | None) -> None:
    try:
        codecs.lookup(name or "utf-8")
    except LookupError:
        raise typer.BadParameter(
            f"{name!r} is no encoding, such as windows-1252", param_hint="--encoding"
        ) from None


def _read(
    calls: Sheet | None, trackers: Path | None, site: Site, zone: ZoneInfo, encoding: str | None
) -> Read:
    found, country = Read(), site.config.server.country
    if calls is not None:
        _say_ignored(calls)
        seen, names = set[str](), SourceNames(site.config)
        for item in files.calls(calls, country, zone):
            if isinstance(item, Bad):
                found.bad.append((calls, item))
                found.bad_calls += 1
            elif item.id in seen:
                found.twice += 1
            else:
                seen.add(item.id)
                found.calls.append(TheirCall.of(item, names))
    if trackers is not None:
        sheet = files.open_trackers(trackers, encoding)
        _say_ignored(sheet)
        for tracker in files.trackers(sheet, country):
            if isinstance(tracker, Bad):
                found.bad.append((sheet, tracker))
            else:
                found.trackers.append(tracker)
    return found


def _say_ignored(sheet: Sheet) -> None:
    if sheet.ignored:
        typer.echo(f"{sheet.path.name}: not imported: {', '.join(sheet.ignored)}", err=True)


def _say_bad(found: Read) -> None:
    for _, bad in found.bad[:MOST_SHOWN]:
        typer.echo(bad.fault, err=True)
    if len(found.bad) > MOST_SHOWN:
        typer.echo(f"… and {len(found.bad) - MOST_SHOWN} more rows that cannot be read", err=True)


def _take(
    found: Read,
    read_again: Callable[[], Iterable[ImportedCall | Bad]],
    config: Config,
    store: ImportedCalls,
    *,
    apply: bool,
) -> None:
    ours = _ours(found.calls, store)
    own = {id for id, call in pairs(found.calls, ours).items() if not call.origin}
    theirs = {call.id for call in found.calls}
    there = {call.id for call in ours} & theirs
    fresh = theirs - there - own
    if apply:
        names = SourceNames(config)
        added = store.add(new_call(call, names) for call in _first_of_each(read_again(), fresh))
        typer.echo(f"{added} calls imported")
    else:
        typer.echo(f"{len(fresh)} calls would be imported; add --apply to do it")
    typer.echo(f"{len(there)} were imported before")
    typer.echo(f"{len(own)} were taken by this server itself")
    typer.echo(f"{found.twice} stand in the file twice")
    typer.echo(f"{found.bad_calls} rows cannot be read")


def _first_of_each(read: Iterable[ImportedCall | Bad], ids: AbstractSet[str]) -> Iterator[ImportedCall]:
    left = set(ids)
    for each in read:
        if isinstance(each, ImportedCall) and each.id in left:
            left.remove(each.id)
            yield each


def _ours(calls: Sequence[TheirCall], store: ImportedCalls) -> list[OurCall]:
    if not calls:
        return []
    starts = [call.started_ms for call in calls]
    return store.between(min(starts), max(starts), {call.tracking for call in calls})


def new_call(call: ImportedCall, names: SourceNames) -> NewCall:
    """As a row of ours."""
    inbound = call.direction is Direction.INBOUND
    started_ms = to_ms(call.started)
    row = {
        "id": call.id,
        "origin": ORIGIN,
        "opened_by": 0,
        "direction": call.direction.value,
        "from_number": call.caller if inbound else call.tracking,
        "to_number": call.tracking if inbound else call.caller,
        "trunk": "",
        "sip_call_id": "",
        "flow": "",
        "source": names.ours(call.source, call.tracking),
        "reasons": reasons([f"imported: CallRail's source is {call.source}", *call.remarks]),
        "status": call.status.value,
        "started_ms": started_ms,
        "answered_ms": started_ms if call.answered else None,
        "ended_ms": started_ms + round(call.duration_s * 1000),
        "medium": call.medium,
        "campaign": call.campaign,
        "keyword": call.keyword,
        "landing_page": call.landing_page,
        "referrer": call.referrer,
        "outcome": call.outcome,
        "value_cents": None if call.value is None else round(call.value * 100),
        "note": call.note,
    }
    return NewCall(row, call.tags)


def _keep_rejected(found: Read, calls: Path) -> None:
    """Rows that could not be read, as they came, with what is wrong: to be set right and imported again."""
    rejected = [(sheet, bad) for sheet, bad in found.bad if sheet.path == calls]
    if not rejected:
        return
    path = calls.with_name(f"{calls.stem}.rejected.csv")
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        header = rejected[0][0].header
        writer.writerow([*header, "What is wrong"])
        for _, bad in rejected:
            missing = [""] * (len(header) - len(bad.row.raw))
            writer.writerow([*bad.row.raw, *missing, bad.fault])
    typer.echo(f"those rows are kept in {path}", err=True)


def _propose(
    found: Sequence[Tracker], site: Site, file: Path, propose: Path | None, flow: str | None
) -> None:
    flow = flow or next(iter(site.flows), "main")
    text = proposal(found, site.config, flow, file.name)
    if propose is None:
        typer.echo(text, nl=False)
        return
    try:
        with propose.open("x", encoding="utf-8") as written:
            written.write(text)
    except FileExistsError:
        typer.echo(f"pbx import: {propose} is there already; nothing is overwritten", err=True)
        raise typer.Exit(1) from None
    typer.echo(f"{len(found)} trackers are proposed in {propose}; nothing of it is in force")


def _compare(calls: Sequence[TheirCall], site: Site, engine: Engine) -> bool:
    ours = _ours(calls, ImportedCalls(engine))
    result = compare(calls, ours, site.config.server.zone)
    console = Console(soft_wrap=True, highlight=False)
    console.print(_table(result, site.config))
    for difference in result.differences[:MOST_SHOWN]:
        where = f"line {difference.line}: " if difference.line else ""
        console.print(f"{where}{escape(difference.call)} {escape(difference.what)}")
    if len(result.differences) > MOST_SHOWN:
        console.print(f"… and {len(result.differences) - MOST_SHOWN} more")
    console.print("alike" if result.alike else f"{len(result.differences)} differences")
    return result.alike


def _table(parity: Parity, config: Config) -> Table:
    table = Table(
        "Month", "Source", "Calls", "Answered", "Seconds", "", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0),
        title="theirs / ours", title_justify="left",
    )  # fmt: skip
    for column in table.columns[2:5]:
        column.justify = "right"
    table.columns[1].overflow = "fold"
    for line in parity.lines:
        known = config.sources.get(line.source)
        table.add_row(
            line.month,
            escape(known.name if known else line.source),
            f"{line.theirs.calls} / {line.ours.calls}",
            f"{line.theirs.answered} / {line.ours.answered}",
            f"{line.theirs.duration_s:.0f} / {line.ours.duration_s:.0f}",
            "" if line.alike else "differs",
        )
    return table
