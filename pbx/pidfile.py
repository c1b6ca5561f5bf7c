"""Which process serves a data directory: a locked file, so that two never do."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NAME = "pbx.pid"


class AlreadyRunning(Exception):  # noqa: N818 - the state found
    """Another server holds the data directory; the message names its process."""


@contextmanager
def pid_file(data_dir: Path) -> Iterator[None]:
    """Hold the data directory. Raises AlreadyRunning.

    A folder that cannot be written is served without the lock: calls matter more.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        file = (data_dir / NAME).open("a+")
    except OSError:
        yield
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise AlreadyRunning(
                f"process {file.read().strip()} already serves {data_dir}; stop it, or give this one "
                "its own server.data_dir"
            ) from None
        file.seek(0)
        file.truncate()
        file.write(str(os.getpid()))
        file.flush()
        yield


def running_server(data_dir: Path) -> int | None:
    """The process that serves ``data_dir``, None if there is none."""
    try:
        with (data_dir / NAME).open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return int(file.read())
    except (OSError, ValueError):
        return None
    return None
