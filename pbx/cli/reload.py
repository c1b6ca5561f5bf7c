"""``pbx reload``: the running server re-reads its config."""

import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from pbx.config.load import load
from pbx.config.problems import ConfigErrors
from pbx.pidfile import running_server


def reload(
    config: Annotated[Path, typer.Option(help="The server's config.")] = Path("config.yaml"),
) -> None:
    """Check the config, then have the running server take it up; a bad file changes nothing."""
    try:
        site = load(config)
    except ConfigErrors as errors:
        typer.echo(str(errors), err=True)
        raise typer.Exit(1) from None
    pid = running_server(site.data_dir)
    if pid is None:
        typer.echo(f"pbx reload: no server runs on {config}; start it with: pbx serve", err=True)
        raise typer.Exit(1)
    os.kill(pid, signal.SIGHUP)
    typer.echo(f"server {pid} re-reads {config}; calls in progress finish as they began")
