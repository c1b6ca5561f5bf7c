"""The one writer of what happens in calls.

The call path publishes an event and goes on. :class:`CallWriter` hears it, puts it in a queue, and
one thread records what has gathered in a single transaction, every few milliseconds. Order is that
of publishing. :meth:`CallWriter.opened` waits, for at most a quarter of a second, until all that was
published before is safe: the row of a call is there before the call is answered.

If the database is locked, full, read-only or gone, entries go to the :class:`~pbx.store.spool.Spool`
instead, and from there in order into the database once it takes them. A reconnection is tried twice
a second on a helper thread, so that a database that hangs delays nobody. An entry that the database
refuses for what it is (not for what the database is) is set aside in ``spool/refused.jsonl.kept``.

At start-up the spool of the previous run is replayed before anything else; then calls that it left
``ringing`` or ``in_progress`` become ``interrupted``, through ordinary events of their own.
"""

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from pbx.attribution.events import VisitorEvent
from pbx.clock import Clock
from pbx.events import CallEvent
from pbx.store.database import open_engine
from pbx.store.entries import Entry
from pbx.store.interrupted import endings
from pbx.store.link import REFUSALS, Link, connect
from pbx.store.migrations import migrate
from pbx.store.spool import Spool

log = logging.getLogger(__name__)

GATHER_S = 0.004
"""How long the writer waits for more events after the first of a batch."""
LONGEST_BATCH = 1000
REPLAY_CHUNK = 500
RETRY_S = 0.5
OPENED_PATIENCE_S = 0.25
START_PATIENCE_S = 10.0
REFUSED = "refused.jsonl.kept"
"""Where entries are set aside that no database would take; never replayed."""


class _Published(NamedTuple):
    at_s: float  # monotonic
    event: CallEvent | VisitorEvent


class _Marker(NamedTuple):
    """Resolved when everything before it in the queue is safe."""

    loop: asyncio.AbstractEventLoop
    safe: asyncio.Future[bool]


class CallWriter:
    """Subscribe :meth:`write` to the event bus between :meth:`start` and :meth:`close`."""

    def __init__(self, database_url: str, data_dir: Path, clock: Clock) -> None:
        self._url = database_url
        self._data_dir = data_dir
        self._clock = clock
        self._queue: queue.SimpleQueue[_Published | _Marker | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="call-writer", daemon=True)
        self._connector = ThreadPoolExecutor(1, thread_name_prefix="call-writer-connect")
        self._connecting: Future[Link] | None = None
        self._retry_at = 0.0
        self._link: Link | None = None
        self._spool = Spool(data_dir / "spool")
        self._first_id = self._next_id = 0
        self._recovered = False
        self._ready = threading.Event()
        self._stopping = False
        self._problem = ""
        self._waiting: deque[tuple[float, asyncio.Future[bool]]] = deque()  # until when, oldest first
        self._slow = False  # the last opening was: said once, not for every call of a bad minute
        self._slow_openings = 0
        self._written = self._commits = self._refused = 0
        self._lag_s = 0.0

    # The call path's side

    async def start(self) -> None:
        """Migrate, replay the spool, mark what was cut off; if the database is away, go on without."""
        self._next_id = max(int(self._clock.now().timestamp() * 1_000_000), self._spool.last_id + 1)
        self._first_id = self._next_id
        self._thread.start()
        await asyncio.to_thread(self._ready.wait, START_PATIENCE_S)

    def write(self, event: CallEvent | VisitorEvent) -> None:
        """Record this event; returns at once."""
        if not event.stored:
            return
        self._queue.put(_Published(time.monotonic(), event))

    async def safe(self) -> bool:
        """Wait until what was published is in the database or the spool; False if that takes too long."""
        loop = asyncio.get_running_loop()
        safe: asyncio.Future[bool] = loop.create_future()
        self._queue.put(_Marker(loop, safe))
        if not self._waiting:
            loop.call_later(OPENED_PATIENCE_S, self._lose_patience)
        self._waiting.append((loop.time() + OPENED_PATIENCE_S, safe))
        return await safe

    def _lose_patience(self) -> None:
        """All that wait have the same patience, so one timer, for the oldest, does for them all."""
        loop = asyncio.get_running_loop()
        while self._waiting:
            until, safe = self._waiting[0]
            if not safe.done():
                if until > loop.time():
                    loop.call_at(until, self._lose_patience)
                    return
                safe.set_result(False)
            self._waiting.popleft()

    async def opened(self, call_id: str) -> bool:
        """Whether the call's row is safe, and with it all that was published before."""
        if not await self.safe():
            self._slow_openings += 1
            if not self._slow:
                log.warning("call %s did not wait for its row beyond %g s", call_id, OPENED_PATIENCE_S)
            self._slow = True
            return False
        self._slow = False
        return True

    async def close(self) -> None:
        """Record or spool what is left, and end the thread."""
        self._queue.put(None)  # stop
        await asyncio.to_thread(self._thread.join)

    @property
    def problem(self) -> str:
        """Why events do not reach the database; "" when they do."""
        if not self._problem and self._spool.waiting:
            return f"catching up: {self._spool.waiting} events of calls wait to be written"
        return self._problem

    @property
    def pending(self) -> int:
        """Events that the thread has not taken up yet."""
        return self._queue.qsize()

    @property
    def spooled(self) -> int:
        """Events that wait for the database."""
        return self._spool.waiting

    def figures(self) -> dict[str, float]:
        """For metrics."""
        return {
            "store_events_total": self._written,
            "store_commits_total": self._commits,
            "store_lag_seconds": self._lag_s,
            "store_pending_events": self.pending,
            "store_spooled_events": self.spooled,
            "store_lost_events_total": self._spool.lost,
            "store_refused_events_total": self._refused,
            "store_slow_openings_total": self._slow_openings,
        }

    # The thread's side

    def _run(self) -> None:
        self._reconnect()
        while not self._stopping:
            entries, markers = self._gather()
            if entries:
                self._record(entries)
            _release(markers)
            if self._link is None:
                self._reconnect()
            elif not self._spool.empty:
                self._replay()
            elif not self._recovered:
                self._recover()
        self._wind_up()

    def _gather(self) -> tuple[list[Entry], list[_Marker]]:
        """What has come since; waits for it unless there is other work."""
        entries: list[Entry] = []
        markers: list[_Marker] = []
        oldest = 0.0
        timeout = self._idle_s()
        with contextlib.suppress(queue.Empty):
            item = self._queue.get(timeout=timeout) if timeout != 0 else self._queue.get_nowait()
            if timeout is None:
                time.sleep(GATHER_S)
            while True:
                if isinstance(item, _Published):
                    oldest = oldest or item.at_s
                    entries.append(self._entry(item.event))
                elif isinstance(item, _Marker):
                    markers.append(item)
                else:
                    self._stopping = True
                if len(entries) >= LONGEST_BATCH:
                    break
                item = self._queue.get_nowait()
        if oldest:
            self._lag_s = time.monotonic() - oldest
        return entries, markers

    def _idle_s(self) -> float | None:
        """How long to wait for an event: for ever when all is well."""
        if self._link is None:
            return 0.02 if self._connecting else max(0.001, self._retry_at - time.monotonic())
        return None if self._spool.empty and self._recovered else 0

    def _entry(self, event: CallEvent | VisitorEvent) -> Entry:
        self._next_id += 1
        return Entry.of(self._next_id, event)

    def _record(self, entries: Sequence[Entry]) -> None:
        if self._link is None or not self._spool.empty or not self._apply(entries):
            self._spool.append(entries)

    def _apply(self, entries: Sequence[Entry]) -> bool:
        """Record them now; False if the database is away, and they are still to be kept."""
        assert self._link is not None
        try:
            self._link.apply(entries)
        except REFUSALS as error:
            return self._apply_singly(entries, error)
        except Exception as error:
            self._lose(error)
            return False
        self._written += len(entries)
        self._commits += 1
        return True

    def _apply_singly(self, entries: Sequence[Entry], error: Exception) -> bool:
        """One of them cannot be recorded: find it, set it aside, record the rest."""
        if len(entries) == 1:
            self._refuse(entries[0], error)
            return True
        for place, entry in enumerate(entries):
            if not self._apply((entry,)):
                # The start has been applied; known by its numbers, it is skipped in the replay.
                log.debug("the database went away at entry %d of %d", place, len(entries))
                return False
        return True

    def _refuse(self, entry: Entry, error: Exception) -> None:
        self._refused += 1
        # Only what kind of error: its text may quote numbers or a note.
        log.error(
            "%s of call %s cannot be recorded (%s); see spool/%s",
            entry.kind,
            entry.call_id,
            type(error).__name__,
            REFUSED,
        )
        with contextlib.suppress(OSError):
            folder = self._data_dir / "spool"
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (folder / REFUSED).open("a", encoding="utf-8", errors="surrogatepass") as kept:
                kept.write(f"{entry.to_line()}\n")

    def _lose(self, error: BaseException) -> None:
        """The database is away: say so once, and try again from time to time."""
        if not self._problem:
            log.error("the database does not take the calls' events (%s); they are spooled", error)
        self._problem = f"the database is away: {error}"
        if self._link is not None:
            with contextlib.suppress(Exception):
                self._link.close()
        self._link = None
        self._retry_at = time.monotonic() + RETRY_S

    def _reconnect(self) -> None:
        """Take a connection that the helper has made, or have it make one, if it is time."""
        if self._connecting is None:
            if time.monotonic() >= self._retry_at:
                self._connecting = self._connector.submit(_connect_and_migrate, self._url)
            return
        if not self._connecting.done():
            return
        connecting, self._connecting = self._connecting, None
        try:
            self._link = connecting.result()
        except Exception as error:
            self._lose(error)
            self._ready.set()

    def _replay(self) -> None:
        """Apply the oldest entries of the spool."""
        assert self._link is not None
        entries = self._spool.peek(REPLAY_CHUNK)
        if not entries:
            return
        try:
            known = self._known(entries)
        except Exception as error:
            self._lose(error)
            return
        fresh = [entry for entry in entries if entry.id not in known]
        if fresh and not self._apply(fresh):
            return
        self._spool.drop(len(entries))
        if self._spool.empty:
            self._is_well()

    def _known(self, entries: Sequence[Entry]) -> set[int]:
        assert self._link is not None
        ids = [entry.id for entry in entries]
        rows = self._link.query("SELECT id FROM events WHERE id BETWEEN ? AND ?", (min(ids), max(ids)))
        return {row[0] for row in rows}

    def _recover(self) -> None:
        """Mark what the previous run left unfinished, now that all it spooled is in the database."""
        assert self._link is not None
        try:
            newest = self._link.query("SELECT MAX(id) FROM events")[0][0] or 0
            self._next_id = max(self._next_id, newest)
            ended = endings(self._link, self._first_id, self._data_dir)
        except Exception as error:
            self._lose(error)
            return
        if ended and not self._apply([self._entry(event) for event in ended]):
            return
        if ended:
            calls = len({event.call_id for event in ended})
            log.warning("%d calls were cut off by the last stop; they are marked interrupted", calls)
        self._recovered = True
        self._is_well()
        self._ready.set()

    def _is_well(self) -> None:
        if self._problem:
            log.warning("the database is back; the calls' events are written again")
        self._problem = ""

    def _wind_up(self) -> None:
        """After the stop: one last try to empty the spool, then close."""
        while self._link is not None and not self._spool.empty:
            self._replay()
        self._spool.close()
        if self._link is not None:
            self._link.close()
        self._connector.shutdown(wait=False, cancel_futures=True)


def _connect_and_migrate(url: str) -> Link:
    engine = open_engine(url)
    try:
        migrate(engine)
    finally:
        engine.dispose()
    return connect(url)


def _release(markers: Sequence[_Marker]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[bool]]] = {}
    for marker in markers:
        by_loop.setdefault(marker.loop, []).append(marker.safe)
    for loop, futures in by_loop.items():
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
            loop.call_soon_threadsafe(_resolve, futures)


def _resolve(futures: Sequence[asyncio.Future[bool]]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(True)
