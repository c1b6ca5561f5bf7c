"""What a caller in line is told: the place, the estimated wait, and the queue's own announcements."""

import math
from collections.abc import Callable

from pbx.config.fields import seconds
from pbx.config.queues import Announcement, Queue
from pbx.flows.control import Prompt

_WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def in_words(number: int) -> str:
    return _WORDS[number - 1] if 1 <= number <= len(_WORDS) else str(number)


def place_text(place: int) -> str:
    return f"You are number {in_words(place)} in line."


def wait_text(wait_s: float) -> str:
    """Whole minutes, rounded up: who is served sooner than told is content."""
    minutes = math.ceil(wait_s / 60)
    if minutes <= 1:
        return "Your wait is about a minute."
    return f"Your wait is about {in_words(minutes)} minutes."


class Announcer:
    """Says what is due when, for one caller. Times are seconds of waiting."""

    def __init__(self, queue: Queue, spoken: Callable[[Announcement], Prompt]) -> None:
        self._queue = queue
        self._spoken = spoken
        self._announced = 0
        self._place_every_s = seconds(queue.announce_position) if queue.announce_position else math.inf
        self._announce_every_s = seconds(queue.announce_every) if queue.announcements else math.inf
        self._place_due_s = self._place_every_s
        self._announcement_due_s = self._announce_every_s

    @property
    def due_s(self) -> float:
        """When there is something to say next; infinity if never."""
        return min(self._place_due_s, self._announcement_due_s)

    def take(self, waited_s: float, place: int, estimate_s: float | None) -> list[Prompt]:
        """What is to be said now; it is due again a period later."""
        found: list[Prompt] = []
        if waited_s >= self._place_due_s:
            self._place_due_s = waited_s + self._place_every_s
            text = place_text(place)
            if self._queue.announce_wait and estimate_s is not None:
                text = f"{text} {wait_text(estimate_s)}"
            found.append(Prompt(text=text))
        if waited_s >= self._announcement_due_s:
            self._announcement_due_s = waited_s + self._announce_every_s
            announcements = self._queue.announcements
            found.append(self._spoken(announcements[self._announced % len(announcements)]))
            self._announced += 1
        return found
