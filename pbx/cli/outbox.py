"""``pbx outbox``: what waits to reach other machines, and what was given up."""

from typing import Annotated

import typer

from pbx.cli.database import USUAL_CONFIG, ConfigOption, opened
from pbx.clock import SystemClock
from pbx.store.outbox import OutboxRows


def outbox(
    replay: Annotated[
        str | None,
        typer.Option("--replay", help="Send again what was given up for this target, or for all."),
    ] = None,
    config: ConfigOption = USUAL_CONFIG,
) -> None:
    """Show the outbox: how much waits, and the dead letters; or send these again."""
    with opened(config) as (_, engine):
        rows = OutboxRows(engine)
        if replay is not None:
            count = rows.replay(SystemClock().now(), target=None if replay == "all" else replay)
            typer.echo(f"{count} dead letters wait again; a running server sends them soon")
            return
        counts = rows.counts()
        for state in ("waiting", "done", "dead"):
            typer.echo(f"{state:8} {counts.get(state, 0)}")
        for letter in rows.dead():
            since = f"{letter.created:%Y-%m-%d %H:%M}"
            typer.echo(f"{letter.id}  {letter.kind} for {letter.target}, {since}: {letter.problem}")
