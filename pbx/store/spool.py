"""Where entries wait while the database is away: JSON-lines files, replayed in order.

Each file is named by the number of its first entry, so that names sort in the order of time. Lines
are written with one ``write`` and no ``fsync``: they survive ``kill -9``. A file is read only after
it has been closed for writing, and removed once all of it has been applied; if the server dies
between the two, it is read again, and entries already applied are known by their number.

If the disk refuses too, entries wait in memory, up to ``MEMORY`` of them.
"""

import contextlib
import logging
import os
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from pbx.store.entries import Entry

log = logging.getLogger(__name__)

LINES_A_FILE = 20_000
MEMORY = 200_000


class Spool:
    """A queue of entries, oldest first. Used by the writer's thread alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: deque[Path] = deque(sorted(folder.glob("*.jsonl")))
        self._writing: int | None = None
        self._lines = 0
        self._reading: deque[Entry] | None = None
        self._memory: deque[Entry] = deque()
        self._complained = False
        self.waiting = sum(_lines(path) for path in self._files)
        self.lost = 0

    @property
    def empty(self) -> bool:
        return not (self._files or self._memory)

    def append(self, entries: Sequence[Entry]) -> None:
        """Keep them, behind all that wait already."""
        self.waiting += len(entries)
        try:
            if self._memory:
                self._write(tuple(self._memory))
                self._memory.clear()
            self._write(entries)
            self._complained = False
        except OSError as error:
            self._remember(entries, error)

    def _write(self, entries: Sequence[Entry]) -> None:
        if self._writing is None or self._lines >= LINES_A_FILE:
            self._open(entries[0].id)
        assert self._writing is not None
        data = "".join(f"{entry.to_line()}\n" for entry in entries).encode("utf-8", "surrogatepass")
        end = os.fstat(self._writing).st_size
        try:
            if os.write(self._writing, data) < len(data):
                raise OSError(f"wrote only part of {len(data)} bytes")
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._writing, end)
            raise
        self._lines += len(entries)

    def _open(self, first: int) -> None:
        self._close()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self._folder / f"{first:020d}.jsonl"
        self._writing = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lines = 0
        self._files.append(path)

    def _close(self) -> None:
        if self._writing is not None:
            os.close(self._writing)
            self._writing = None

    def _remember(self, entries: Sequence[Entry], error: OSError) -> None:
        if not self._complained:
            self._complained = True
            log.error(
                "neither the database nor %s takes a call's events (%s); they are kept in memory, and a"
                " stop of the server now would lose them",
                self._folder,
                error,
            )
        room = max(0, MEMORY - len(self._memory))
        self._memory.extend(entries[:room])
        lost = len(entries) - len(entries[:room])
        self.lost += lost
        self.waiting -= lost

    def peek(self, count: int) -> list[Entry]:
        """The oldest entries, at most ``count``; they stay until ``drop`` is told how many are done."""
        while self._files:
            if self._reading is None:
                self._reading = self._read(self._files[0])
            if self._reading:
                return [self._reading[place] for place in range(min(count, len(self._reading)))]
            self._discard()
        return [self._memory[place] for place in range(min(count, len(self._memory)))]

    def drop(self, count: int) -> None:
        """Forget the ``count`` oldest entries: they have been applied."""
        queue = self._memory if self._reading is None else self._reading
        for _ in range(count):
            queue.popleft()
        self.waiting -= count
        if self._reading is not None and not self._reading:
            self._discard()

    def _read(self, path: Path) -> deque[Entry]:
        if len(self._files) == 1:
            self._close()  # what comes now goes to a new file, behind this one
        entries: deque[Entry] = deque()
        try:
            lines = path.read_text("utf-8", "surrogatepass").split("\n")[:-1]
        except OSError as error:
            log.error("spool file %s cannot be read (%s); left where it is", path, error)
            return entries
        for line in lines:
            try:
                entries.append(Entry.from_line(line))
            except ValueError:
                self.waiting -= 1
                log.warning("spool file %s has a line that was cut off; skipped", path)
        return entries

    def _discard(self) -> None:
        self._reading = None
        path = self._files.popleft()
        with contextlib.suppress(OSError):  # read again at the next start, and known by its numbers
            path.unlink()

    @property
    def last_id(self) -> int:
        """The number of the newest entry that a previous run left here, 0 if there is none."""
        if not self._files:
            return 0
        return max((entry.id for entry in self._read(self._files[-1])), default=0)

    def close(self) -> None:
        self._close()


def _lines(path: Path) -> int:
    try:
        return path.read_bytes().count(b"\n")
    except OSError:
        return 0
