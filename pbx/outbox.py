"""The outbox: what has to reach other machines, however long they are away.

Theory of operation
-------------------
Whoever has something to send puts a :class:`~pbx.store.outbox.Parcel` into a table, and goes on. One
task looks what is due and gives it to the *carrier* of its kind, which answers for each parcel:
:class:`Delivered`; :class:`Again`, for faults that may pass; :class:`Hopeless`; or :class:`Recalled`, for
what must not be told any more. What failed is tried again after 5 s, 10 s, 20 s …, at most an hour
apart, and a last time when the parcel's patience (24 h) is over; then it is *dead*: kept, shown, and sent
again when an admin says so. What is recalled is forgotten.

Parcels of one *lane* are carried one after the other in the order in which they came, so that a
receiver hears of a call's events in order; a lane whose first parcel waits, waits as a whole. Lanes do
not wait for each other. A carrier may take several parcels of a lane at once (``batch``); where order
does not matter, one that has to wait by itself (``alone``) leaves the lane, and the rest goes on.

The table outlives the process, so at worst a parcel whose answer was lost in a crash is delivered
twice; each carries an id by which its receiver knows it again.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

from sqlalchemy.exc import DBAPIError

from pbx.clock import Clock
from pbx.store.outbox import DEAD, DONE, OutboxRows, Parcel, Waiting

log = logging.getLogger(__name__)
T = TypeVar("T")

FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 3600.0
AT_ONCE = 32
"""How many lanes are served at the same time."""
AT_ONCE_OF_TARGET = 8
"""How many of them to one target: a receiver that hangs leaves room for the others."""
LOOK_S = 30.0
"""How often to look without having been told of anything."""
STORE_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True)
class Delivered:
    pass


@dataclass(frozen=True, slots=True)
class Again:
    """``after_s``: not before, as the far end says. ``alone``: it need not keep its place in the lane."""

    problem: str
    after_s: float = 0.0
    alone: bool = False


@dataclass(frozen=True, slots=True)
class Hopeless:
    """No further try would change it."""

    problem: str


@dataclass(frozen=True, slots=True)
class Recalled:
    """It must not be sent any more, now or when dead letters are: what it says is forgotten."""

    problem: str


Result = Delivered | Again | Hopeless | Recalled


class Carrier(Protocol):
    """Takes parcels of one kind to where they belong."""

    batch: int

    async def carry(self, parcels: Sequence[Waiting]) -> Sequence[Result]:
        """What became of each. Exceptions count as :class:`Again` for all of them."""
        ...

    async def given_up(self, parcel: Waiting, problem: str) -> None:
        """The parcel is dead."""
        ...


Threaded = Callable[..., Awaitable[Any]]


class Outbox:
    """``in_thread`` runs what blocks; tests on a virtual clock run it in place."""

    def __init__(
        self,
        rows: OutboxRows,
        clock: Clock,
        carriers: Mapping[str, Carrier],
        in_thread: Threaded = asyncio.to_thread,
    ) -> None:
        self.carriers = dict(carriers)
        self._rows = rows
        self._clock = clock
        self._in_thread = in_thread
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._targets: Counter[str] = Counter()  # of the busy lanes
        self._kicked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._store_is_away = False

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="outbox")

    async def close(self) -> None:
        """What is on its way is broken off; it is still in the table."""
        tasks = [*self._busy.values(), *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def add(self, parcels: Iterable[Parcel]) -> None:
        """Returns once they are safe. Raises DBAPIError if the store is away."""
        await self._in_thread(self._rows.add, list(parcels), self._clock.now())
        self.kick()

    def kick(self) -> None:
        """There is something new."""
        self._kicked.set()

    async def _run(self) -> None:
        while True:
            self._kicked.clear()
            try:
                pause_s = await self._round()
                self._store_is_away = False
            except DBAPIError as error:
                if not self._store_is_away:
                    log.error("the outbox waits for the store: %s", error.orig)
                self._store_is_away = True
                pause_s = STORE_PAUSE_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._kicked.wait()

    async def _round(self) -> float:
        """Serve what is due; how long until there may be more."""
        while (room := AT_ONCE - len(self._busy)) > 0:
            heads = await self._in_thread(
                self._rows.due, self._clock.now(), list(self._busy), list(self.carriers), self._full, room
            )
            for head in heads:
                if self._targets[head.target] < AT_ONCE_OF_TARGET:
                    self._begin(head)
            if len(heads) < room:
                break
        if room <= 0:
            return LOOK_S  # each lane that is done with kicks
        due: datetime | None = await self._in_thread(self._rows.next_due, list(self._busy), self._full)
        if due is None:
            return LOOK_S
        return min(LOOK_S, max(0.05, (due - self._clock.now()).total_seconds()))

    @property
    def _full(self) -> list[str]:
        """The targets that get no more lanes just now."""
        return [target for target, count in self._targets.items() if count >= AT_ONCE_OF_TARGET]

    def _begin(self, head: Waiting) -> None:
        task = asyncio.create_task(self._serve(head), name=f"outbox {head.kind}")
        self._busy[head.lane] = task
        self._targets[head.target] += 1
        task.add_done_callback(lambda task: self._served(head, task))

    def _served(self, head: Waiting, task: asyncio.Task[None]) -> None:
        self._busy.pop(head.lane, None)
        self._targets[head.target] -= 1
        if not task.cancelled() and (error := task.exception()):
            log.error("the outbox failed: %r", error)
        self.kick()

    async def _serve(self, head: Waiting) -> None:
        carrier = self.carriers[head.kind]
        parcels = [head]
        if carrier.batch > 1:
            parcels = await self._in_thread(self._rows.behind, head, self._clock.now(), carrier.batch)
        try:
            results = await carrier.carry(parcels)
        except Exception as problem:
            log.exception("the carrier of %s failed", head.kind)
            results = [Again(f"{type(problem).__name__}: {problem}")] * len(parcels)
        try:
            for parcel, result in zip(parcels, results, strict=True):
                await self._note(carrier, parcel, result)
        except DBAPIError as error:
            # The lane stays busy for a while: what is not written down would go out again at once.
            log.error("what became of parcels of %s cannot be written down: %s", head.kind, error.orig)
            await self._clock.sleep(STORE_PAUSE_S)

    async def _note(self, carrier: Carrier, parcel: Waiting, result: Result) -> None:
        now = self._clock.now()
        match result:
            case Delivered():
                await self._in_thread(self._rows.ended, parcel.id, DONE, "", now)
            case Again(problem=problem, after_s=after_s, alone=alone):
                if now >= parcel.expires:
                    await self._give_up(carrier, parcel, problem)
                    return
                pause_s = max(after_s, min(FIRST_PAUSE_S * 2.0 ** min(parcel.attempts, 20), LONGEST_PAUSE_S))
                left_s = (parcel.expires - now).total_seconds()
                due = now + timedelta(seconds=min(pause_s, left_s))
                lane = f"{parcel.lane}/{parcel.id}" if alone else parcel.lane
                await self._in_thread(self._rows.again, parcel.id, due, problem, lane)
            case Recalled(problem=problem):
                await self._in_thread(self._rows.recalled, parcel.id, problem, now)
            case Hopeless(problem=problem):
                await self._give_up(carrier, parcel, problem)

    async def _give_up(self, carrier: Carrier, parcel: Waiting, problem: str) -> None:
        log.warning("outbox: %s for %s given up: %s", parcel.kind, parcel.target, problem)
        await self._in_thread(self._rows.ended, parcel.id, DEAD, problem, self._clock.now())
        await carrier.given_up(parcel, problem)
