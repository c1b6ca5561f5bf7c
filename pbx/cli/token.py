"""``pbx token``: secrets for programs that call the API."""

from typing import Annotated

import typer

from pbx.cli.database import USUAL_CONFIG, ConfigOption, opened
from pbx.clock import SystemClock
from pbx.store.people import NameTaken, People, Role

token = typer.Typer(help="Tokens for programs that call the API.", no_args_is_help=True)


@token.command()
def create(
    name: Annotated[str, typer.Option(help="What it is for; an agent's token bears the agent's id.")],
    role: Annotated[Role, typer.Option(help="What it may do.")],
    config: ConfigOption = USUAL_CONFIG,
) -> None:
    """Print a new token's secret, once: only its hash is kept."""
    with opened(config) as (_, engine):
        try:
            secret = People(engine).create_token(name, role, SystemClock().now())
        except NameTaken as error:
            typer.echo(f"pbx token: {error}", err=True)
            raise typer.Exit(1) from None
    typer.echo(secret)


@token.command("list")
def list_tokens(config: ConfigOption = USUAL_CONFIG) -> None:
    """Names and roles of the tokens that work."""
    with opened(config) as (_, engine):
        for name, role in People(engine).tokens():
            typer.echo(f"{name}\t{role}")


@token.command()
def revoke(
    name: Annotated[str, typer.Argument(help="The token's name.")], config: ConfigOption = USUAL_CONFIG
) -> None:
    """The token works no longer, from now on."""
    with opened(config) as (_, engine):
        if not People(engine).revoke_token(name):
            typer.echo(f"pbx token: there is no token {name!r}", err=True)
            raise typer.Exit(1)
