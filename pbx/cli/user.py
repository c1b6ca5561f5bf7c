"""``pbx user``: people who sign in to the dashboard."""

from typing import Annotated

import typer

from pbx.cli.database import USUAL_CONFIG, ConfigOption, opened
from pbx.clock import SystemClock
from pbx.store.people import NameTaken, People, Role

user = typer.Typer(help="People who sign in to the dashboard.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The name to sign in with; an agent's is the agent's id.")]


@user.command()
def add(
    name: Name,
    role: Annotated[Role, typer.Option(help="What they may do.")],
    config: ConfigOption = USUAL_CONFIG,
) -> None:
    """Print a new user's password, once: only its hash is kept."""
    with opened(config) as (_, engine):
        try:
            password = People(engine).add_user(name, role, SystemClock().now())
        except NameTaken as error:
            typer.echo(f"pbx user: {error}", err=True)
            raise typer.Exit(1) from None
    typer.echo(password)


@user.command()
def reset(name: Name, config: ConfigOption = USUAL_CONFIG) -> None:
    """Print a new password for NAME, once, and sign NAME out everywhere."""
    with opened(config) as (_, engine):
        password = People(engine).reset_password(name)
        if password is None:
            typer.echo(f"pbx user: there is no user {name!r}", err=True)
            raise typer.Exit(1)
    typer.echo(password)


@user.command("list")
def list_users(config: ConfigOption = USUAL_CONFIG) -> None:
    """Names and roles."""
    with opened(config) as (_, engine):
        for name, role in People(engine).users():
            typer.echo(f"{name}\t{role}")


@user.command()
def remove(name: Name, config: ConfigOption = USUAL_CONFIG) -> None:
    """NAME can sign in no longer, and is signed out everywhere."""
    with opened(config) as (_, engine):
        if not People(engine).remove_user(name):
            typer.echo(f"pbx user: there is no user {name!r}", err=True)
            raise typer.Exit(1)
