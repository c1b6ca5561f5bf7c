"""The schema's history, and the one call that brings a database up to date.

``migrate`` is run at start-up and before every command that writes. Asking whether anything is to be
done is one small query; Alembic is only loaded when something is.
"""

from pathlib import Path

from sqlalchemy import Engine, inspect, text

HEAD = "0011"
"""The newest revision; a test holds it against the scripts."""


def migrate(engine: Engine) -> None:
    """Bring the schema to ``HEAD``. Raises SchemaTooNew for a database that a newer version wrote."""
    with engine.connect() as connection:
        known = inspect(connection).has_table("alembic_version")
        revision = connection.scalar(text("SELECT version_num FROM alembic_version")) if known else None
    if revision == HEAD:
        return
    if revision is not None and revision > HEAD:
        raise SchemaTooNew(f"the database has schema {revision}, this version knows {HEAD}; update it")
    _upgrade(engine)


def _upgrade(engine: Engine) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


class SchemaTooNew(RuntimeError):  # noqa: N818 - says what is wrong
    """The database was written by a newer version of this program."""
