"""``pbx simulate``: a call walked through its flow without a network."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pbx.clock import SystemClock
from pbx.config.load import ConfigErrors, Site, load
from pbx.flows import keypad
from pbx.flows.flow_tests import moment
from pbx.flows.simulation import Behaviour, NotOurNumber, Simulation
from pbx.flows.simulation import simulate as run_simulation


def simulate(
    number: Annotated[str, typer.Argument(help="The tracking number that is called.")],
    caller: Annotated[
        str, typer.Option("--from", help="The caller's number; leave it out if withheld.")
    ] = "",
    at: Annotated[
        str, typer.Option(help='When, in the server\'s zone: "2026-12-05 10:00"; now if left out.')
    ] = "",
    press: Annotated[
        str,
        typer.Option(help="Keys in a row; or with commas, what is pressed at each prompt: 2,07102,1."),
    ] = "",
    agents: Annotated[
        Behaviour,
        typer.Option(help="What agents do: answer, busy, none (let it ring), away (not registered), paused."),
    ] = Behaviour.ANSWER,
    waiting: Annotated[
        list[str] | None, typer.Option(help="Callers in front in a queue, such as sales=3; may be repeated.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: Annotated[Path, typer.Option(help="The server's config.")] = Path("config.yaml"),
) -> None:
    """Show which way a call to NUMBER takes, why at each turn, and who would ring."""
    try:
        when = moment(at) if at else SystemClock().now()
    except ValueError as problem:
        raise typer.BadParameter(str(problem), param_hint="--at") from None
    try:
        site = load(config)
        result = run_simulation(
            site, number, caller, when, keypad.written(press), agents, waiting=_waiting(site, waiting or [])
        )
    except ConfigErrors as errors:
        typer.echo(str(errors), err=True)
        raise typer.Exit(1) from None
    except NotOurNumber as problem:
        typer.echo(f"{config}: {problem}", err=True)
        raise typer.Exit(1) from None
    if json_:
        typer.echo(json.dumps(as_json(result), indent=2, ensure_ascii=False))
    else:
        _print(result, when.astimezone(site.config.server.zone) if when.tzinfo else when)


def _waiting(site: Site, written: Sequence[str]) -> dict[str, int]:
    """``["sales=3"]`` → {"sales": 3}."""
    found: dict[str, int] = {}
    for each in written:
        name, _, count = each.partition("=")
        if name not in site.config.queues or not (count.isascii() and count.isdigit()):
            queues = ", ".join(site.config.queues) or "there is none"
            problem = f"{each!r} is no queue=callers; queues: {queues}"
            raise typer.BadParameter(problem, param_hint="--waiting")
        found[name] = int(count)
    return found


def as_json(result: Simulation) -> dict[str, object]:
    """The simulation as ``--json`` prints it."""
    return asdict(result) | {"duration_s": round(result.duration_s, 1)}


def _print(result: Simulation, when: datetime) -> None:
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"[bold]Source[/]  {escape(result.source)}")
    for reason in result.reasons:
        console.print(f"        [dim]{escape(reason)}[/]")
    console.print(f"[bold]Flow[/]    {escape(result.flow)}, {when:%Y-%m-%d %H:%M}")
    console.print(f"[bold]Path[/]    {escape(' → '.join(result.path))}")
    console.print(f"[bold]Rings[/]   {escape(', '.join(result.rings)) or 'nobody'}")
    if result.called_back:
        console.print(f"[bold]Called back[/]  {escape(' → '.join(result.called_back))}")
    if result.tags:
        console.print(f"[bold]Tags[/]    {escape(', '.join(result.tags))}")
    console.print(f"[bold]Status[/]  {result.status} after {result.duration_s:.0f} s")
    if result.failure:
        console.print(f"[red]{escape(result.failure)}[/]")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("Step", "does", "because", "next"):
        table.add_column(column)
    for turn in result.turns:
        table.add_row(escape(turn.step), turn.kind, escape(turn.because), escape(turn.next or "(end)"))
    console.print()
    console.print(table)
