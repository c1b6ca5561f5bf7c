"""Which number is lent to which visitor, and was before.

A pool lends one number to one visitor, and the visitor keeps it for ``hold`` after the last sign of
life. A new visitor gets the number that was released longest ago, one never lent first of all: so a
number rests as long as the pool's size allows, and a caller who read it yesterday is still known.
A visitor who comes back gets the same number again while nobody else has it.

Everything is in memory (the store gets a copy of each change through :class:`~pbx.attribution.events`),
and bounded: per number the last ``REMEMBERED`` leases, none older than ``REMEMBERED_MS``. Times are
milliseconds since 1970. Used from the event loop alone; nothing here waits, so nobody sees half a change.
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pbx.attribution.sources import Arrival

REMEMBERED = 50
REMEMBERED_MS = 30 * 24 * 3600 * 1000


@dataclass(slots=True)
class Lease:
    """A number in a visitor's hands. ``seen_ms`` and ``until_ms`` move with each sign of life."""

    number: str
    pool: str
    visitor: str
    started_ms: int
    seen_ms: int
    until_ms: int
    arrival: Arrival  # the visitor's last one before the last sign of life
    stored_ms: int = 0  # the ``seen_ms`` that the store knows


class Leases:
    """All pools' leases."""

    def __init__(self, forgotten: Callable[[Lease, int], None] = lambda lease, now_ms: None) -> None:
        """``forgotten`` hears of each lease that is not remembered any longer, and when."""
        self._forgotten = forgotten
        self._of_number: dict[str, deque[Lease]] = {}  # newest last
        self._of_visitor: dict[tuple[str, str], Lease] = {}  # by pool and visitor: the last lease there
        self._resting: dict[str, list[tuple[int, str]]] = {}  # by pool: a heap of (released, number)
        self._numbers: dict[str, frozenset[str]] = {}
        self.dry: dict[str, int] = {}
        """By pool: how many visitors found no number left."""

    def configure(self, pools: Mapping[str, Iterable[str]]) -> None:
        """The numbers of each pool from now on; what is lent stays lent."""
        self._numbers = {pool: frozenset(numbers) for pool, numbers in pools.items()}
        self._resting = {
            pool: [(self._released_ms(number), number) for number in numbers]
            for pool, numbers in self._numbers.items()
        }
        for heap in self._resting.values():
            heapq.heapify(heap)

    def restore(self, leases: Iterable[Lease]) -> None:
        """What an earlier run had lent, oldest first; call :meth:`configure` afterwards."""
        for lease in leases:
            self._remember(lease)

    def take(self, pool: str, visitor: str, arrival: Arrival, hold_ms: int, now_ms: int) -> Lease | None:
        """The visitor's number of that pool, for ``hold_ms`` from now; None if the pool has run dry."""
        lease = self._of_visitor.get((pool, visitor))
        if lease is not None and self._of_number[lease.number][-1] is lease and self._has(pool, lease.number):
            if lease.until_ms >= now_ms:
                lease.seen_ms, lease.until_ms, lease.arrival = now_ms, now_ms + hold_ms, arrival
                return lease
            number = lease.number  # it lapsed, and nobody else has had it since
        else:
            free = self._longest_released(pool, now_ms)
            if free is None:
                self.dry[pool] = self.dry.get(pool, 0) + 1
                return None
            number = free
        taken = Lease(number, pool, visitor, now_ms, now_ms, now_ms + hold_ms, arrival)
        self._remember(taken)
        return taken

    def lent(self, now_ms: int) -> int:
        """How many numbers are in visitors' hands."""
        return sum(1 for leases in self._of_number.values() if leases[-1].until_ms >= now_ms)

    def history(self, number: str, now_ms: int) -> list[Lease]:
        """Who was lent this number, newest first, each visitor once."""
        found: dict[str, Lease] = {}
        for lease in reversed(self._of_number.get(number, ())):
            if now_ms - lease.seen_ms <= REMEMBERED_MS:
                found.setdefault(lease.visitor, lease)
        return list(found.values())

    def _longest_released(self, pool: str, now_ms: int) -> str | None:
        heap = self._resting.get(pool)
        while heap:
            released_ms, number = heap[0]
            really_ms = self._released_ms(number)
            if really_ms != released_ms:  # signs of life came since
                heapq.heapreplace(heap, (really_ms, number))
                continue
            if released_ms >= now_ms:
                return None
            return number
        return None

    def _released_ms(self, number: str) -> int:
        leases = self._of_number.get(number)
        return leases[-1].until_ms if leases else 0

    def _has(self, pool: str, number: str) -> bool:
        return number in self._numbers.get(pool, ())

    def _remember(self, lease: Lease) -> None:
        leases = self._of_number.setdefault(lease.number, deque(maxlen=REMEMBERED))
        if leases:
            before = leases[-1]
            if self._of_visitor.get((before.pool, before.visitor)) is before:
                del self._of_visitor[before.pool, before.visitor]
        if len(leases) == REMEMBERED:
            self._forgotten(leases[0], lease.started_ms)
        leases.append(lease)
        self._of_visitor[lease.pool, lease.visitor] = lease
