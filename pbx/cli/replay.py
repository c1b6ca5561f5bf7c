"""``pbx replay``: what would have become of the recorded calls on changed flows."""

import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress
from rich.table import Table
from sqlalchemy import Engine

from pbx.cli.database import USUAL_CONFIG, ConfigOption, opened
from pbx.clock import SystemClock
from pbx.config.load import ConfigErrors, load
from pbx.config.site import Site
from pbx.replay.outcome import SHOWN, Difference, Figures, difference
from pbx.replay.people import RULES, People
from pbx.replay.world import PresenceChange, World
from pbx.store.agent_states import AgentStates, presence_of
from pbx.store.encoding import from_ms
from pbx.store.period import parse_moment
from pbx.store.recorded import RecordedCalls

MOST_SHOWN = 50


def replay(
    since: Annotated[str, typer.Option(help="7d for seven days ago, or a date, or a time.")] = "7d",
    until: Annotated[str | None, typer.Option(help="Calls that started before then.")] = None,
    flows: Annotated[
        Path | None, typer.Option(help="The folder of the changed flows; the config's own if left out.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON, with every call that changes.")] = False,
    config: ConfigOption = USUAL_CONFIG,
) -> None:
    """Run the recorded calls through other flows, with the agents as they were, and tell what changes."""
    try:
        if flows is not None and not flows.is_dir():
            raise typer.BadParameter(f"{flows} is no folder", param_hint="--flows")
        site = load(config, flows=flows)
    except ConfigErrors as errors:
        typer.echo(str(errors), err=True)
        raise typer.Exit(1) from None
    now, zone = SystemClock().now(), site.config.server.zone
    try:
        begin, end = parse_moment(since, now, zone), parse_moment(until, now, zone) if until else now
    except ValueError as problem:
        raise typer.BadParameter(str(problem)) from None
    with opened(config) as (_, engine):
        world, left_out = _world(site, engine, begin, end)
    with Progress(transient=True, disable=json_, console=Console(stderr=True)) as progress:
        bar = progress.add_task("replaying", total=len(world.calls))
        found = difference(world.calls, world.run(lambda: progress.advance(bar)))
    if len(world.calls) > found.replayed:
        left_out["to numbers that are no longer ours"] = len(world.calls) - found.replayed
    if json_:
        typer.echo(json.dumps(as_json(found, left_out), indent=2, ensure_ascii=False))
    else:
        _print(found, left_out, site)


def _world(site: Site, engine: Engine, since: datetime, until: datetime) -> tuple[World, dict[str, int]]:
    store = RecordedCalls(engine, since, until)
    calls = sorted(store.calls(), key=lambda call: call.at)
    presence = [
        PresenceChange(from_ms(row.at_ms), row.agent, row.reachable, presence_of(row))
        for row in AgentStates(engine).between(since, until)
    ]
    return World(site, calls, presence, store.occupied(), People.of(calls)), store.left_out()


def as_json(found: Difference, left_out: dict[str, int]) -> dict[str, Any]:
    """What ``--json`` prints; the shape stays, keys may be added."""
    return {
        "replayed": found.replayed,
        "left_out": left_out,
        "before": _figures(found.before),
        "after": _figures(found.after),
        "changed": [
            {
                "id": each.id,
                "at": each.at.isoformat(),
                "to": each.did,
                "from": each.caller,
                "status": {"before": each.before, "after": each.after},
                "agent": {"before": each.agent_before or None, "after": each.agent_after or None},
                "because": each.because,
            }
            for each in found.changed
        ],
        "rules": list(RULES),
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        **{status.value: figures.statuses[status] for status in SHOWN},
        "wait_mean_s": None if figures.mean_wait_s is None else round(figures.mean_wait_s, 1),
        "wait_p90_s": None if figures.p90_wait_s is None else round(figures.p90_wait_s, 1),
    }


def _print(found: Difference, left_out: dict[str, int], site: Site) -> None:
    console = Console(soft_wrap=True, highlight=False)
    table = Table("", "Was", "Would be", "", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
    before, after = _figures(found.before), _figures(found.after)
    for name in before:
        was, would = before[name], after[name]
        if was or would:
            unit = " s" if name.endswith("_s") else ""
            table.add_row(_title(name), _cell(was, unit), _cell(would, unit), _more(was, would))
    console.print(f"{found.replayed} calls, {len(found.changed)} of them change")
    console.print(table)
    zone = site.config.server.zone
    ways = Counter((each.before, each.after, each.because) for each in found.changed)
    for (was, would, because), count in ways.most_common(10):
        console.print(f"{count:>5} × {was} → {would}  [dim]{escape(because)}[/]")
    if found.changed:
        console.print()
    for each in found.changed[:MOST_SHOWN]:
        agents = f" ({each.agent_before or '–'} → {each.agent_after or '–'})"
        console.print(
            f"{each.at.astimezone(zone):%a %d %b %H:%M} {escape(each.caller or 'withheld')}  "
            f"{each.before} → {each.after}{escape(agents if each.agent_before != each.agent_after else '')}  "
            f"[dim]{escape(each.because)}  {each.id}[/]"
        )
    if len(found.changed) > MOST_SHOWN:
        console.print(f"… and {len(found.changed) - MOST_SHOWN} more; --json lists all")
    if left_out:
        told = ", ".join(f"{count} {what.replace('_', ' ')}" for what, count in left_out.items())
        console.print(f"[dim]Not replayed: {escape(told)}.[/]")
    console.print("[dim]What nobody can know is supposed like this:[/]")
    for rule in RULES:
        console.print(f"[dim]- {escape(rule)}[/]")


def _title(name: str) -> str:
    return {"wait_mean_s": "mean wait", "wait_p90_s": "90 % waited at most"}.get(name, name)


def _cell(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:g}{unit}"


def _more(was: float | None, would: float | None) -> str:
    change = round((would or 0) - (was or 0), 1)
    return f"{change:+g}" if change and was is not None and would is not None else ""
