"""``pbx check``: every mistake in config, flows and flow tests at once."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pbx.config.load import Problem, Site, examine
from pbx.config.problems import in_order
from pbx.config.site import FLOW_TESTS_FOLDER
from pbx.flows.flow_tests import check_file, test_files


def check(
    config: Annotated[
        Path, typer.Option(help="The server's config; its flows and flow tests are checked too.")
    ] = Path("config.yaml"),
    json_: Annotated[bool, typer.Option("--json", help="Print JSON, for editors.")] = False,
) -> None:
    """Check config, flows and flow tests; exit 1 if there is any error. Warnings alone are fine."""
    site, problems = examine(config)
    if site is not None:
        problems = in_order([*problems, *_of_flow_tests(site, config.parent)])
    errors = sum(problem.is_error for problem in problems)
    if json_:
        typer.echo(json.dumps(as_json(problems), indent=2, ensure_ascii=False))
        raise typer.Exit(1 if errors else 0)
    for problem in problems:
        typer.echo(str(problem))
    if site is None or errors:
        typer.echo(f"{_count(errors, 'error')}, {_count(len(problems) - errors, 'warning')}", err=True)
        raise typer.Exit(1)
    parts = (
        _count(len(site.flows), "flow"),
        _count(len(site.config.numbers) + len(site.pool_of), "number"),
        _count(len(site.config.agents), "agent"),
        _count(len(problems), "warning"),
    )
    typer.echo(f"{config} is fine: {', '.join(parts)}", err=True)


def _of_flow_tests(site: Site, folder: Path) -> list[Problem]:
    """What is wrong with the flow tests beside the config, read against what the site has."""
    tests = folder / FLOW_TESTS_FOLDER
    files = test_files([tests]) if tests.is_dir() else []
    return [problem for file in files for problem in check_file(site, file)]


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
