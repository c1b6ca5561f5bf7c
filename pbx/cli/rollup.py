"""``pbx rollup``: sums up the days and months that reports are put together from."""

from typing import Annotated

import typer

from pbx.cli.database import USUAL_CONFIG, ConfigOption, opened
from pbx.clock import SystemClock
from pbx.store.dimensions import Basis
from pbx.store.reports import Reports


def rollup(
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Sum up everything anew.")] = False,
    config: ConfigOption = USUAL_CONFIG,
) -> None:
    """Sum up the days and months that are over, so that reports on many calls are quick. A server does so by
    itself; this is for what was brought in beside it."""
    with opened(config) as (site, engine):
        rollups = Reports(engine).rollups
        if rebuild:
            rollups.forget()
        made = rollups.catch_up(Basis.of(site.config), SystemClock().now())
    typer.echo(f"{made} days and months summed up")
