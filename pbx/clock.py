"""Time, injected.

Nothing in ``flows``, ``queues`` or ``attribution`` reads the clock itself: each takes a
:class:`Clock`. A live server passes :class:`SystemClock`. Tests and simulations pass
:class:`VirtualClock`, which owns an event loop whose time jumps to the next timer as soon as
nothing is left to run, so that ``asyncio.sleep`` and ``asyncio.timeout`` travel too: a
two-minute wait in a queue takes microseconds, and always in the same order.
"""

import asyncio
import time
from collections.abc import Coroutine
from datetime import UTC, date, datetime, timedelta
from datetime import time as wall_time
from typing import Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from pbx.virtual_loop import Stalled, VirtualLoop

__all__ = ["Clock", "Stalled", "SteadyClock", "SystemClock", "VirtualClock", "midnight"]

T = TypeVar("T")


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins on the clocks of ``zone``.

    In UTC, since Python subtracts two times of one zone by what their clocks show.
    """
    return datetime.combine(day, wall_time(), zone).astimezone(UTC)


class Clock(Protocol):
    """Where the time of day comes from, and how to wait."""

    def now(self) -> datetime:
        """The time of day, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go backwards, from an arbitrary start."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait that many seconds of this clock."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class VirtualClock:
    """A clock that stands still while code runs and jumps when it waits."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        if start.tzinfo is None:
            raise ValueError(f"a virtual clock needs an aware start time, not {start!r}")
        self._start = start.astimezone(UTC)
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        return self._elapsed_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def advance(self, seconds: float) -> None:
        """Move time forward; timers that fall due fire the next time the loop runs."""
        self._elapsed_s += max(0.0, seconds)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run ``main`` to its end on an event loop that lives on this clock.

        Raises :class:`Stalled` if everything waits for something that no timer will bring.
        """
        loop = VirtualLoop(self)  # type: ignore[abstract]  # what it leaves out raises NotImplementedError
        return loop.run_until_complete(main)


class SteadyClock:
    """Time as one call lives it: its start by another clock, and from there on only forward.

    When an admin or NTP sets the machine's clock in mid-call, the call's own times stay in order and
    its durations right.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._start = clock.now()
        self._start_s = clock.monotonic()

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._clock.monotonic() - self._start_s)

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
