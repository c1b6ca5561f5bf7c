"""``pbx diff``: what a reload would change, in words."""

import json
from pathlib import Path
from typing import Annotated

import typer

from pbx.config.difference import changes
from pbx.config.load import load
from pbx.config.problems import ConfigErrors
from pbx.config.snapshot import NoSnapshot, saved, snapshot
from pbx.pidfile import running_server

DIFFERS = 1
CANNOT_TELL = 2


def diff(
    config: Annotated[Path, typer.Option(help="The server's config.")] = Path("config.yaml"),
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare the files with what the running server has loaded; exit 0 if alike, 1 if not, 2 if unknown."""
    try:
        site = load(config)
        loaded = saved(site.data_dir)
    except (ConfigErrors, NoSnapshot) as problem:
        typer.echo(str(problem), err=True)
        raise typer.Exit(CANNOT_TELL) from None
    found = changes(loaded, snapshot(site, loaded["salt"]))
    if json_:
        listed = [
            {"part": each.part, "what": each.what, "needs_restart": each.needs_restart} for each in found
        ]
        typer.echo(json.dumps({"changes": listed}, indent=2, ensure_ascii=False))
    else:
        for change in found:
            typer.echo(str(change))
        if not found:
            typer.echo("a reload would change nothing", err=True)
    if running_server(site.data_dir) is None:
        typer.echo(f"no server runs on {config}; compared with what ran last", err=True)
    raise typer.Exit(DIFFERS if found else 0)
