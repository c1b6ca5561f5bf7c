"""What commands share that read or write the store beside a running server, or without one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from pbx.config.load import load
from pbx.config.problems import ConfigErrors
from pbx.config.site import Site
from pbx.store.database import open_engine
from pbx.store.migrations import SchemaTooNew, migrate

ConfigOption = Annotated[Path, typer.Option("--config", help="The server's config.")]
USUAL_CONFIG = Path("config.yaml")


@contextmanager
def opened(config: Path) -> Iterator[tuple[Site, Engine]]:
    """The site and its database, up to date; what is wrong with either goes to standard error, exit 1."""
    try:
        site = load(config)
    except ConfigErrors as errors:
        typer.echo(str(errors), err=True)
        raise typer.Exit(1) from None
    try:
        site.data_dir.mkdir(parents=True, exist_ok=True)
        engine = open_engine(site.database_url)
        try:
            migrate(engine)
            yield site, engine
        finally:
            engine.dispose()
    except DBAPIError as error:
        typer.echo(f"pbx: the database does not answer: {error.orig}", err=True)
        raise typer.Exit(1) from None
    except (OSError, SchemaTooNew) as error:
        typer.echo(f"pbx: {error}", err=True)
        raise typer.Exit(1) from None
