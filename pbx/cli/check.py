"""``pbx check``: every mistake in config and flows at once."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pbx.config.load import Problem, examine


def check(
    config: Annotated[Path, typer.Option(help="The server's config; its flows are checked too.")] = Path(
        "config.yaml"
    ),
    json_: Annotated[bool, typer.Option("--json", help="Print JSON, for editors.")] = False,
) -> None:
    """Check config and flows; exit 1 if there is any error. Warnings alone are fine."""
    site, problems = examine(config)
    if json_:
        typer.echo(json.dumps(as_json(problems), indent=2, ensure_ascii=False))
        raise typer.Exit(1 if site is None else 0)
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


def as_json(problems: Sequence[Problem]) -> dict[str, Any]:
    """What ``--json`` prints; the shape stays, keys may be added."""
    errors = sum(problem.is_error for problem in problems)
    return {
        "errors": errors,
        "warnings": len(problems) - errors,
        "problems": [problem.as_json() for problem in problems],
    }


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
