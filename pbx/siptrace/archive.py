"""Traces of calls that are over: one file a day in ``traces/`` of the data directory, appended to.

A record is a line of JSON, ``{"call": id, "bytes": n}``, and n bytes of zlib. A call is found by reading
the lines and stepping over the rest. Days older than ``trace.keep`` go when a new day begins. Nothing here
may hold a call up, so writing has a thread of its own, and a full disk costs traces and nothing else.
"""

import contextlib
import json
import logging
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from pbx.siptrace.message import Traced

log = logging.getLogger(__name__)

FOLDER = "traces"
ENDING = ".sip"
LONGEST_RECORD = 16 * 1024 * 1024


class Record(NamedTuple):
    """What is to be kept of a call that began on that day. ``messages`` is asked on the archive's thread."""

    call_id: str
    day: date
    messages: Callable[[], list[Traced]]

    def encode(self) -> bytes:
        text = json.dumps([message.to_json() for message in self.messages()], separators=(",", ":"))
        body = zlib.compress(text.encode(), 1)
        return json.dumps({"call": self.call_id, "bytes": len(body)}).encode() + b"\n" + body


class Archive:
    def __init__(self, data_dir: Path, keep: timedelta) -> None:
        self.keep = keep
        self._folder = data_dir / FOLDER
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sip-traces")
        self._day: date | None = None

    def write(self, records: Sequence[Record]) -> None:
        """Keep these; returns at once."""
        self._thread.submit(self._write, records)

    def close(self) -> None:
        """Write what is left."""
        self._thread.shutdown()

    def _write(self, records: Sequence[Record]) -> None:
        for day in sorted({record.day for record in records}):
            todays = [record for record in records if record.day == day]
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                if self._day is None or day > self._day:
                    self._day = day
                    self._forget_before(day - self.keep)
                with (self._folder / f"{day}{ENDING}").open("ab") as file:
                    for record in todays:
                        file.write(record.encode())
            except OSError as error:
                log.warning("the traces of %d calls are lost: %s", len(todays), error)

    def _forget_before(self, day: date) -> None:
        for path in self._folder.glob(f"*{ENDING}"):
            with contextlib.suppress(ValueError):
                if date.fromisoformat(path.name.removesuffix(ENDING)) < day:
                    path.unlink(missing_ok=True)


def read(data_dir: Path, call_id: str, day: date) -> list[Traced]:
    """The messages of a call that began on that day (UTC); none if they are not, or no longer, kept."""
    with contextlib.suppress(OSError), (data_dir / FOLDER / f"{day}{ENDING}").open("rb") as file:
        while line := file.readline(1000):
            try:
                head = json.loads(line)
                name, length = head["call"], int(head["bytes"])
            except (ValueError, KeyError, TypeError):
                return []  # cut off by a full disk
            if name == call_id and length <= LONGEST_RECORD:
                with contextlib.suppress(zlib.error, ValueError, TypeError):
                    return [Traced.from_json(each) for each in json.loads(zlib.decompress(file.read(length)))]
                return []
            file.seek(length, 1)
    return []
