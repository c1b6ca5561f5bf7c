"""Folding SQLite's write-ahead log back into the database, beside the writer instead of within its commits.

A commit in WAL mode only appends. Once the log has a thousand pages, SQLite lets the commit that notices
copy them into the database and wait for the disk: some ten milliseconds in which every call that is being
opened, and every visitor whom a number is lent to, waits too. A thread with a connection of its own does
the same twice a second, in the mode that disturbs neither readers nor the writer (``PASSIVE``). While
commits never pause it cannot begin the log anew; the writer does that itself at ``LONGEST_LOG_PAGES``, when
little is left to copy.
"""

import contextlib
import sqlite3
import threading
from pathlib import Path

EVERY_S = 0.5
LONGEST_LOG_PAGES = 16_000  # 64 MB


class Checkpoints:
    """A thread that is idle while nothing is committed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._due = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
        self._thread.start()

    def committed(self) -> None:
        self._due.set()

    def close(self) -> None:
        self._stop.set()
        self._due.set()
        self._thread.join()

    def _run(self) -> None:
        while self._due.wait() and not self._stop.wait(EVERY_S):
            self._due.clear()
            # Whatever is in the way meets the writer, too, who says so.
            with (
                contextlib.suppress(sqlite3.Error),
                contextlib.closing(sqlite3.connect(self._path, timeout=0)) as connection,
            ):
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
