"""``pbx test``: the flow tests."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pbx.cli.junit import junit
from pbx.config.load import ConfigErrors, load
from pbx.config.site import FLOW_TESTS_FOLDER
from pbx.flows.coverage import Coverage, FlowCoverage
from pbx.flows.flow_tests import Difference, TestResult, run_file, test_files
from pbx.flows.pathdiff import align, parting


def test(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="Files or folders; flow_tests/ beside the config if none.")
    ] = None,  # noqa: PT028 - a command, not a test
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Tell which steps and exits no test came through.")
    ] = False,  # noqa: PT028 - a command, not a test
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: PT028
    junit_: Annotated[
        Path | None, typer.Option("--junit", help="Write a JUnit XML file, for CI servers.")
    ] = None,  # noqa: PT028
    config: Annotated[Path, typer.Option(help="The server's config.")] = Path("config.yaml"),  # noqa: PT028
) -> None:
    """Run the flow tests; exit 1 if one fails."""
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
    covered = Coverage(site.flows)
    for result in results:
        covered.note(result.simulation)
    report = covered.report() if coverage else None
    if junit_ is not None:
        junit_.write_text(junit(results), encoding="utf-8")
    if json_:
        typer.echo(json.dumps(as_json(results, report), indent=2, ensure_ascii=False))
    else:
        _print(results, unreadable, report)
    if not results and not unreadable:
        typer.echo(
            f"no flow tests in {', '.join(map(str, paths or [site.folder / FLOW_TESTS_FOLDER]))}", err=True
        )
    if not results or unreadable or not all(result.passed for result in results):
        raise typer.Exit(1)


test.__test__ = False  # type: ignore[attr-defined]


def as_json(results: Sequence[TestResult], coverage: Sequence[FlowCoverage] | None) -> dict[str, Any]:
    """What ``--json`` prints; the shape stays, keys may be added."""
    found: dict[str, Any] = {
        "passed": sum(result.passed for result in results),
        "failed": sum(not result.passed for result in results),
        "tests": [
            {
                "file": str(result.file),
                "line": result.line,
                "name": result.name,
                "passed": result.passed,
                "path": list(result.simulation.path),
                "status": result.simulation.status,
                "differences": [
                    {"what": each.what, "expected": each.expected, "actual": each.actual}
                    for each in result.differences
                ],
            }
            for result in results
        ],
    }
    if coverage is not None:
        found["coverage"] = [
            {
                "flow": each.flow,
                "steps": each.steps,
                "exits": each.exits,
                "percent": round(each.percent, 1),
                "missed_steps": list(each.missed_steps),
                "missed_exits": [
                    {"step": missed.step, "exit": missed.way, "target": missed.target}
                    for missed in each.missed_exits
                ],
            }
            for each in coverage
        ]
    return found


def _print(results: Sequence[TestResult], unreadable: int, coverage: Sequence[FlowCoverage] | None) -> None:
    console = Console(soft_wrap=True, highlight=False)
    for result in results:
        _print_result(console, result)
    failed = sum(not result.passed for result in results)
    console.print(
        f"{len(results)} flow tests, {failed} failed"
        + (f", {unreadable} files unreadable" * bool(unreadable))
    )
    if coverage is not None:
        _print_coverage(console, coverage)


def _print_result(console: Console, result: TestResult) -> None:
    if result.passed:
        console.print(f"[green]✓[/] {escape(result.name)}")
        return
    console.print(
        f"[red]✗[/] [bold]{escape(result.name)}[/]  [dim]{escape(str(result.file))}:{result.line}[/]"
    )
    for line in failure_lines(result):
        console.print(f"    {escape(line)}")


def failure_lines(result: TestResult) -> list[str]:
    """What differs. Of a path: both side by side, with the reason of each turn taken."""
    lines: list[str] = []
    path = next((each for each in result.differences if each.what == "path"), None)
    if path is not None:
        lines += _path_lines(result)
    for difference in result.differences:
        if difference is not path:
            lines += difference_lines(difference)
    if path is None:
        lines += [f"{turn.step}: {turn.because}" for turn in result.simulation.turns]
    return lines


def _path_lines(result: TestResult) -> list[str]:
    turns = result.simulation.turns
    expected = next(list(_shown(each.expected)) for each in result.differences if each.what == "path")
    rows = align(expected, [turn.step for turn in turns])
    wide = max(len("expected"), *(len(row.expected or "") for row in rows))
    wider = max(len("taken"), *(len(row.taken or "") for row in rows))
    lines = ["path", f"    {'expected':{wide}}  {'taken':{wider}}  because"]
    reasons = iter(turns)
    for row in rows:
        because = next(reasons).because if row.taken is not None else ""
        mark = " " if row.same else "≠"
        shown = f"  {mark} {row.expected or '–':{wide}}  {row.taken or '–':{wider}}  {because}"
        lines.append(shown.rstrip())
    if turn := parting(expected, turns):
        lines.append(f"  they part after {turn.step}: {turn.because}")
    return lines


def difference_lines(difference: Difference) -> list[str]:
    """Expected above actual, with a mark under the first element of a list that differs."""
    expected, actual = _shown(difference.expected), _shown(difference.actual)
    if difference.what == "heard":
        return _heard_lines(expected, actual)
    lines = [
        f"{difference.what}",
        f"  expected  {', '.join(expected) or '(none)'}",
        f"  actual    {', '.join(actual) or '(none)'}",
    ]
    if difference.what == "rings":
        same = next(
            (i for i, (one, other) in enumerate(zip(expected, actual, strict=False)) if one != other),
            min(len(expected), len(actual)),
        )
        indent = len("  actual    ") + sum(len(each) + len(", ") for each in actual[:same])
        lines.append(" " * indent + "^ differs from here")
    return lines


def _heard_lines(expected: Sequence[str], heard: Sequence[str]) -> list[str]:
    """Each prompt that was heard, with the part that it was found to have; then what was not heard."""
    lines, wanted = ["heard"], list(expected)
    for prompt in heard:
        found = bool(wanted) and wanted[0] in prompt
        lines.append(f"  {'✓' if found else ' '} {prompt}")
        if found:
            wanted.pop(0)
    return [*lines, f"  ≠ not heard{' after that' if len(wanted) < len(expected) else ''}: {wanted[0]}"]


def _shown(value: object) -> Sequence[str]:
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _print_coverage(console: Console, coverage: Sequence[FlowCoverage]) -> None:
    table = Table("Flow", "Steps", "Exits", "Covered", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in table.columns[1:]:
        column.justify = "right"
    for flow in coverage:
        steps, exits = flow.steps - len(flow.missed_steps), flow.exits - len(flow.missed_exits)
        table.add_row(
            escape(flow.flow), f"{steps} of {flow.steps}", f"{exits} of {flow.exits}", f"{flow.percent:.0f} %"
        )
    console.print(table)
    for flow in coverage:
        if flow.missed_steps or flow.missed_exits:
            console.print(f"[bold]{escape(flow.flow)}[/]: no test came through")
        for step in flow.missed_steps:
            console.print(f"  step  {escape(step)}")
        for missed in flow.missed_exits:
            if missed.step not in flow.missed_steps:
                console.print(f"  exit  {escape(str(missed))}")
