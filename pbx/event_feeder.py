"""Who follows the stored events: each reader has a place in the log, and puts what it makes of an event
into the outbox. A reader that the config no longer names loses its place: should it come back, it begins
anew with what happens then.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from sqlalchemy.exc import DBAPIError

from pbx.clock import Clock
from pbx.events import CallEvent
from pbx.outbox import Outbox
from pbx.store.encoding import Record
from pbx.store.event_log import MOST_AT_ONCE, EventLog
from pbx.store.outbox import Parcel

log = logging.getLogger(__name__)

LOOK_S = 10.0
"""How often to look at the log without having heard of anything."""
WRITTEN_S = 0.2
"""After an event is heard, its row takes a moment to be there."""

Reader = Callable[[Record], Iterable[Parcel]]
Threaded = Callable[..., Awaitable[Any]]


class EventFeeder:
    """``readers`` is asked anew each time: a reload may bring others."""

    def __init__(
        self,
        events: EventLog,
        outbox: Outbox,
        clock: Clock,
        readers: Callable[[], Mapping[str, Reader]],
        in_thread: Threaded = asyncio.to_thread,
    ) -> None:
        self._events = events
        self._outbox = outbox
        self._clock = clock
        self._readers = readers
        self._known: frozenset[str] | None = None
        self._in_thread = in_thread
        self._heard = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def heard(self, event: CallEvent) -> None:
        """Something happened."""
        if event.stored:
            self._heard.set()

    def reconfigured(self) -> None:
        """Readers may have come or gone: those that are new begin now."""
        self._heard.set()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="event feeder")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                while await self.feed() >= MOST_AT_ONCE:
                    pass
            except DBAPIError as error:
                log.error("what is to be told of events waits for the store: %s", error.orig)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._heard.wait()
                    await self._clock.sleep(WRITTEN_S)
            self._heard.clear()

    async def feed(self) -> int:
        """Hand on the next events to each reader; how many the one that is farthest behind had."""
        most, readers = 0, self._readers()
        names = frozenset(readers)
        if self._known != names:
            await self._in_thread(self._events.keep_only, names)
            self._known = names
        for name, reader in readers.items():
            most = max(most, await self._in_thread(self._events.feed, name, reader, self._clock.now()))
        if most:
            self._outbox.kick()
        return most
