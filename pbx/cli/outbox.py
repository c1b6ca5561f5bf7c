"""``pbx outbox``: what waits to reach other machines, and what was given up."""

from typing import Annotated

import typer

from pbx.cli.database import USUAL_CONFIG, ConfigOption, opened
from pbx.clock import SystemClock
from pbx.store.outbox import DEAD, DONE, RECALLED, WAITING, OutboxRows, Waiting

STATES = (WAITING, DONE, DEAD, RECALLED)


def outbox(
    replay: Annotated[
        str | None,
        typer.Option(
            "--replay", help="Send again what was given up: of a target, one by its number, or all."
        ),
    ] = None,
    config: ConfigOption = USUAL_CONFIG,
) -> None:
    """Show the outbox: how much waits and why, and the dead letters; or send these again."""
    with opened(config) as (site, engine):
        rows = OutboxRows(engine)
        if replay is not None:
            count = _replay(rows, replay)
            typer.echo(f"{count} dead letters wait again; a running server sends them soon")
            return
        zone = site.config.server.zone
        counts = rows.counts()
        for state in STATES:
            typer.echo(f"{state:8} {counts.get(state, 0)}")
        for (kind, target), states in rows.counts_by_target().items():
            said = ", ".join(f"{states[state]} {state}" for state in STATES if state in states)
            typer.echo(f"  {kind} for {target}: {said}")
        for parcel in rows.waiting():
            due = f"{parcel.due.astimezone(zone):%Y-%m-%d %H:%M}" if parcel.due else ""
            why = f": {parcel.problem}" if parcel.problem else ""
            typer.echo(f"{_head(parcel)}, waits until {due} after {parcel.attempts} tries{why}")
        for letter in rows.dead():
            since = f"{letter.created.astimezone(zone):%Y-%m-%d %H:%M}"
            typer.echo(f"{_head(letter)}, dead since {since}: {letter.problem}")


def _replay(rows: OutboxRows, which: str) -> int:
    now = SystemClock().now()
    if which.isdigit():
        return rows.replay(now, ids=(int(which),))
    return rows.replay(now, target=None if which == "all" else which)


def _head(parcel: Waiting) -> str:
    order = parcel.body.get("order", "") if isinstance(parcel.body, dict) else ""
    return f"{parcel.id}  {parcel.kind} for {parcel.target}{f' ({order})' if order else ''}"
