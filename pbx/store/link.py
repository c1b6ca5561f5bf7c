"""The writer's own connection: plain SQL in explicit transactions, on SQLite or PostgreSQL.

A transaction takes the write lock at its start, and gives up quickly: the writer would rather spool
than let a call wait. Errors fall in two kinds. Those of ``REFUSALS`` are one entry's own fault, and
would come again; anything else means that the database is away for now.
"""

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import psycopg
from sqlalchemy import make_url

from pbx.store.checkpoint import LONGEST_LOG_PAGES, Checkpoints
from pbx.store.database import prepare_sqlite, sqlite_path
from pbx.store.entries import INSERT_EVENT, Entry, effects, event_rows

BUSY_MS = 60
"""How long a transaction waits for another process's write lock before its entries are spooled."""

REFUSALS = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    psycopg.IntegrityError,
    psycopg.DataError,
    psycopg.ProgrammingError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
)


class Link(Protocol):
    """An open connection."""

    def apply(self, entries: Sequence[Entry]) -> None:
        """Record all of them in one transaction, or none."""
        ...

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]: ...

    def close(self) -> None: ...


def connect(url: str) -> Link:
    return _SqliteLink(url) if sqlite_path(url) is not None else _PostgresLink(url)


class _SqliteLink:
    def __init__(self, url: str) -> None:
        path = sqlite_path(url)
        assert path is not None
        path.parent.mkdir(parents=True, exist_ok=True)
        # Opened on a helper thread, used on the writer's, never on both at once.
        self._connection = sqlite3.connect(
            path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False
        )
        prepare_sqlite(self._connection)
        self._connection.execute(f"PRAGMA wal_autocheckpoint={LONGEST_LOG_PAGES}")
        self._checkpoints = Checkpoints(path)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            yield
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # a full disk has rolled back by itself
                execute("ROLLBACK")
            raise

    def apply(self, entries: Sequence[Entry]) -> None:
        with self._transaction():
            self._connection.executemany(INSERT_EVENT, event_rows(entries))
            for sql, parameters in effects(entries):
                self._connection.executemany(sql, parameters)
        self._checkpoints.committed()

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, parameters).fetchall()

    def close(self) -> None:
        self._checkpoints.close()
        self._connection.close()


class _PostgresLink:
    def __init__(self, url: str) -> None:
        plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection = psycopg.connect(
            plain,
            autocommit=True,
            connect_timeout=3,
            options=f"-c lock_timeout={BUSY_MS} -c statement_timeout=2000",
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=2000,
        )

    def apply(self, entries: Sequence[Entry]) -> None:
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(_percent(INSERT_EVENT), event_rows(entries))
            for sql, parameters in effects(entries):
                cursor.executemany(_percent(sql), parameters)

    def query(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(_percent(sql), parameters).fetchall()

    def close(self) -> None:
        self._connection.close()


def _percent(sql: str) -> Any:
    """psycopg's placeholders; none of our SQL has a ``?`` or ``%`` of its own."""
    return sql.replace("?", "%s")
