"""Parked calls: each waits at an orbit, a short number, until somebody picks it up there.

The lot knows who waits where and hands a parked call to the first who asks for its orbit; from then
on the two are in a room of their own (:mod:`pbx.rooms`). Nothing in here waits or reads a clock:
how long a call stays parked is the flow's business.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from pbx.flows.control import AnsweredLeg
from pbx.rooms import Room


class LotFull(Exception):  # noqa: N818 - a state of the lot
    """Every orbit is taken, or the one that was asked for is."""


@dataclass(frozen=True, slots=True)
class PickedUp:
    """Who took the call: their leg, as the parked call records it, and the room where they meet."""

    by: AnsweredLeg
    room: Room


@dataclass(eq=False, slots=True)
class Parked:
    """A call at its orbit."""

    orbit: str
    call_id: str
    caller: str
    picked_up: "asyncio.Future[PickedUp]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class ParkingLot:
    """Who is parked where. ``orbits`` may change with a reload: calls that are parked stay."""

    def __init__(self, orbits: Sequence[str] = ()) -> None:
        self.orbits = tuple(orbits)
        self._parked: dict[str, Parked] = {}

    @property
    def parked(self) -> Sequence[Parked]:
        return tuple(self._parked.values())

    @contextmanager
    def place(self, call_id: str, caller: str, orbit: str | None = None) -> Iterator[Parked]:
        """Parked inside the block, at ``orbit`` or the first that is free. Raises LotFull.

        Whoever picks the call up is let go when the block is left, so it holds their talk as well.
        """
        wanted = self.orbits if orbit is None else (orbit,)
        free = next((each for each in wanted if each not in self._parked), None)
        if free is None:
            raise LotFull
        parked = self._parked[free] = Parked(free, call_id, caller)
        try:
            yield parked
        finally:
            self._leave(parked)
            if parked.picked_up.done():
                parked.picked_up.result().room.close()

    def pick_up(self, orbit: str, by: AnsweredLeg) -> Room | None:
        """The room where ``by`` meets whoever was parked there; None if nobody is."""
        parked = self._parked.get(orbit)
        if parked is None or parked.picked_up.done():
            return None
        self._leave(parked)
        room = Room(most=2, closes_with_first=True)
        parked.picked_up.set_result(PickedUp(by, room))
        return room

    def _leave(self, parked: Parked) -> None:
        if self._parked.get(parked.orbit) is parked:
            del self._parked[parked.orbit]
