"""``pbx check``: every mistake in config and flows at once."""

from pathlib import Path
from typing import Annotated

import typer

from pbx.config.load import examine


def check(
    config: Annotated[Path, typer.Option(help="The server's config; its flows are checked too.")] = Path(
        "config.yaml"
    ),
) -> None:
    """Check config and flows; exit 1 if there is any error. Warnings alone are fine."""
    site, problems = examine(config)
    for problem in problems:
        typer.echo(str(problem))
    errors = sum(problem.is_error for problem in problems)
    if site is None:
        typer.echo(f"{_count(errors, 'error')}, {_count(len(problems) - errors, 'warning')}", err=True)
        raise typer.Exit(1)
    parts = (
        _count(len(site.flows), "flow"),
        _count(len(site.config.numbers) + len(site.pool_of), "number"),
        _count(len(site.config.agents), "agent"),
        _count(len(problems), "warning"),
    )
    typer.echo(f"{config} is fine: {', '.join(parts)}", err=True)


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
