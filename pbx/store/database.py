"""Opening the database: SQLite in WAL mode by default, PostgreSQL by URL.

Readers and the rare writes of people (a score, a new user) go through SQLAlchemy; the events of
calls have a connection of their own in :mod:`pbx.store.writer`. In WAL mode neither waits for the
other's reading. ``synchronous=NORMAL`` survives ``kill -9`` at any instant; after a power cut the
last commits may be missing, but the file is whole.
"""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.pool import QueuePool

READER_BUSY_S = 5.0


def sqlite_path(url: str) -> Path | None:
    """The file of a SQLite URL, None for any other database."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return None
    if not parsed.database or parsed.database == ":memory:":
        raise ValueError(f"server.database {url!r} names no file; calls must survive a restart")
    return Path(parsed.database)


def prepare_sqlite(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def open_engine(url: str) -> Engine:
    """An engine for readers and people's edits; nothing is connected yet."""
    if sqlite_path(url) is None:
        return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": 3})
    # The driver's own default suits: reading needs no BEGIN, and a first UPDATE takes the write lock
    # with the busy timeout, so no transaction ever has to upgrade a snapshot that is out of date.
    engine = create_engine(
        url, poolclass=QueuePool, connect_args={"timeout": READER_BUSY_S, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        prepare_sqlite(connection)

    return engine


@contextlib.contextmanager
def one_moment(engine: Engine) -> Iterator[Connection]:
    """Every query inside sees the database as it was at the first of them."""
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN")
        else:
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        yield connection
        connection.rollback()


@contextlib.contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that has the write lock from its beginning, and is committed at the end."""
    with engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        yield connection
        connection.commit()
