"""``pbx bans``: addresses that the running server does not hear."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pbx.cli.database import USUAL_CONFIG, ConfigOption
from pbx.config.load import load
from pbx.config.problems import ConfigErrors
from pbx.control import NoServer, ask_server

bans = typer.Typer(help="Addresses that the running server does not hear.", no_args_is_help=True)


@bans.command("list")
def list_bans(config: ConfigOption = USUAL_CONFIG) -> None:
    """Addresses banned just now, until when, and why."""
    for ban in _ask(config, "bans")["bans"]:
        typer.echo(f"{ban['address']}\tuntil {ban['until']}\t{ban['times']} times\tit {ban['because']}")


@bans.command()
def lift(
    address: Annotated[str, typer.Argument(help="The address, as pbx bans list shows it.")],
    config: ConfigOption = USUAL_CONFIG,
) -> None:
    """Hear the address again, from now on."""
    if not _ask(config, "lift", address=address)["lifted"]:
        typer.echo(f"pbx bans: {address} is not banned", err=True)
        raise typer.Exit(1)


def _ask(config: Path, do: str, **arguments: Any) -> Any:
    try:
        return ask_server(load(config).data_dir, do, **arguments)
    except ConfigErrors as errors:
        typer.echo(str(errors), err=True)
    except NoServer:
        typer.echo(f"pbx bans: no server runs on {config}; start it with: pbx serve", err=True)
    raise typer.Exit(1)
