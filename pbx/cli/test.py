"""``pbx test``: the flow tests."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from pbx.config.load import ConfigErrors, load
from pbx.config.site import FLOW_TESTS_FOLDER
from pbx.flows.flow_tests import Difference, TestResult, run_file, test_files


def test(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files or folders; flow_tests/ beside the config if none.")
    ] = None,  # noqa: PT028 - a command, not a test
    config: Annotated[Path, typer.Option(help="The server's config.")] = Path("config.yaml"),  # noqa: PT028
) -> None:
    """Run the flow tests; exit 1 if one fails."""
    console = Console(soft_wrap=True, highlight=False)
    try:
        site = load(config)
        files = test_files(paths or [site.folder / FLOW_TESTS_FOLDER])
    except (ConfigErrors, FileNotFoundError) as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(1) from None
    results: list[TestResult] = []
    unreadable = 0
    for file in files:
        try:
            results += run_file(site, file)
        except ConfigErrors as errors:
            unreadable += 1
            typer.echo(str(errors), err=True)
    for result in results:
        _print(console, result)
    failed = sum(not result.passed for result in results)
    console.print(
        f"{len(results)} flow tests, {failed} failed"
        + (f", {unreadable} files unreadable" * bool(unreadable))
    )
    if not results and not unreadable:
        typer.echo(
            f"no flow tests in {', '.join(map(str, paths or [site.folder / FLOW_TESTS_FOLDER]))}", err=True
        )
    if failed or unreadable or not results:
        raise typer.Exit(1)


test.__test__ = False  # type: ignore[attr-defined]


def _print(console: Console, result: TestResult) -> None:
    if result.passed:
        console.print(f"[green]✓[/] {escape(result.name)}")
        return
    console.print(
        f"[red]✗[/] [bold]{escape(result.name)}[/]  [dim]{escape(str(result.file))}:{result.line}[/]"
    )
    for difference in result.differences:
        for line in difference_lines(difference):
            console.print(f"    {escape(line)}")
    for turn in result.simulation.turns:
        console.print(f"    [dim]{escape(turn.step)}: {escape(turn.because)}[/]")


def difference_lines(difference: Difference) -> list[str]:
    """Expected above actual, with a mark under the first element of a list that differs."""
    expected, actual = _shown(difference.expected), _shown(difference.actual)
    lines = [
        f"{difference.what}",
        f"  expected  {', '.join(expected) or '(none)'}",
        f"  actual    {', '.join(actual) or '(none)'}",
    ]
    if difference.what in ("path", "rings"):
        same = next(
            (i for i, (one, other) in enumerate(zip(expected, actual, strict=False)) if one != other),
            min(len(expected), len(actual)),
        )
        indent = len("  actual    ") + sum(len(each) + len(", ") for each in actual[:same])
        lines.append(" " * indent + "^ differs from here")
    return lines


def _shown(value: object) -> Sequence[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]
