"""Rooms: who hears whom when more than two talk, or when two calls meet.

A :class:`Room` keeps its :class:`Seat`\\ s in the order in which they were taken. Each time somebody
enters or leaves, every seat is told whom it hears from now on (everybody but itself; nobody, and the
seat decides what it hears instead), and those who were there are told the news. A room that is
closed lets go of everybody: its ``closed`` future is what they wait for beside their caller.

A conference is a room with a name (:class:`Rooms`), which exists as long as somebody is in it. A
parked call that is picked up is a room of two, which the first to leave closes.

Rooms know neither legs nor sockets: what a seat does with its news is its own affair, on live calls
as on simulated ones.
"""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class News(StrEnum):
    """What those in a room learn of the others."""

    JOINED = "joined"
    LEFT = "left"


TONE = "tone"
SILENT = "silent"


@dataclass(frozen=True, slots=True)
class RoomSounds:
    """What is heard in a room besides the others: ``tone``, ``silent`` or a text to be spoken."""

    joined: str = TONE
    left: str = TONE
    music_alone: bool = True

    def of(self, news: News) -> str:
        return self.joined if news is News.JOINED else self.left


PLAIN_SOUNDS = RoomSounds()


class Seat(Protocol):
    """One party in a room."""

    def hears(self, others: Sequence["Seat"]) -> None:
        """From now on these and nobody else."""
        ...

    def told(self, news: News) -> None:
        """Somebody joined or left."""
        ...

    def released(self) -> None:
        """Out of the room: hear nobody."""
        ...


class RoomFull(Exception):  # noqa: N818 - a state of the room
    """Nobody more may enter."""


class Room:
    """A place where everybody hears everybody else. ``most`` may be in it (None: as many as come)."""

    def __init__(self, *, most: int | None = None, closes_with_first: bool = False) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._most = most
        self._closes_with_first = closes_with_first
        self._seats: list[Seat] = []

    @property
    def members(self) -> int:
        return len(self._seats)

    @property
    def is_full(self) -> bool:
        return self._most is not None and len(self._seats) >= self._most

    def close(self) -> None:
        """Everybody is let go."""
        if not self.closed.done():
            self.closed.set_result(None)

    @contextmanager
    def seated(self, seat: Seat) -> Iterator[None]:
        """In the room inside the block, whatever ends it. Raises RoomFull."""
        if self.is_full:
            raise RoomFull
        self._seats.append(seat)
        self._changed(seat, News.JOINED)
        try:
            yield
        finally:
            self._seats.remove(seat)
            seat.released()
            if self._closes_with_first:
                self.close()
            self._changed(seat, News.LEFT)

    def _changed(self, who: Seat, news: News) -> None:
        for seat in self._seats:
            seat.hears([other for other in self._seats if other is not seat])
            if seat is not who:
                seat.told(news)


class Rooms:
    """The conferences that somebody is in, by name; they outlive a reload of the config."""

    def __init__(self) -> None:
        self._rooms: dict[str, Room] = {}

    def members(self, name: str) -> int:
        room = self._rooms.get(name)
        return room.members if room else 0

    @contextmanager
    def entered(self, name: str, *, most: int | None) -> Iterator[Room]:
        """The room of that name, which goes with the last who leaves the block. Raises RoomFull."""
        room = self._rooms.setdefault(name, Room(most=most))
        if room.is_full:
            raise RoomFull
        try:
            yield room
        finally:
            if not room.members and self._rooms.get(name) is room:
                del self._rooms[name]
