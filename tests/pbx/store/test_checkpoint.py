"""SQLite's log goes back into the database without the writer."""

import contextlib
import sqlite3

from pbx.store.checkpoint import Checkpoints
from pbx.store.database import prepare_sqlite
from tests.support.server import eventually


def test_what_is_committed_is_folded_back(tmp_path):
    path = tmp_path / "pbx.db"
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
        prepare_sqlite(writer)
        writer.execute("PRAGMA wal_autocheckpoint=0")
        writer.execute("CREATE TABLE t (words TEXT)")
        before = path.stat().st_size
        checkpoints = Checkpoints(path)
        writer.execute("INSERT INTO t VALUES (?)", ("x" * 10_000,))
        checkpoints.committed()
        eventually("the fold", lambda: path.stat().st_size > before)
        checkpoints.close()


def test_a_database_that_is_gone_disturbs_nobody(tmp_path):
    checkpoints = Checkpoints(tmp_path / "no" / "pbx.db")
    checkpoints.committed()
    checkpoints.close()
    assert not (tmp_path / "no").exists()
