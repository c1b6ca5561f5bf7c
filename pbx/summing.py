"""Keeps the sums of days and months up to date while the server runs: see :mod:`pbx.store.rollups`."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from threading import Event

from sqlalchemy.exc import DBAPIError

from pbx.clock import Clock
from pbx.store.dimensions import Basis
from pbx.store.rollups import Rollups

log = logging.getLogger(__name__)

EVERY = timedelta(minutes=10)


class Summing:
    """``basis`` is asked each time: an admin may have changed the config."""

    def __init__(self, rollups: Rollups, basis: Callable[[], Basis], clock: Clock) -> None:
        self._rollups = rollups
        self._basis = basis
        self._clock = clock
        self._stopped = Event()
        self._task: asyncio.Task[None] | None = None
        self._working: asyncio.Future[int] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="summing")

    async def close(self) -> None:
        """Waits for the day that is being summed up."""
        self._stopped.set()
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._working:
            await asyncio.gather(self._working, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            self._working = asyncio.ensure_future(
                asyncio.to_thread(
                    self._rollups.catch_up, self._basis(), self._clock.now(), self._stopped.is_set
                )
            )
            try:
                await asyncio.shield(self._working)
            except DBAPIError as error:
                log.warning("days could not be summed up for reports (%s); the calls are asked", error.orig)
            await self._clock.sleep(EVERY.total_seconds())
