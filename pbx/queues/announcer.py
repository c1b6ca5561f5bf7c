"""What a caller in line is told: the place, the estimated wait, and the queue's own announcements."""

import math

from pbx.config.fields import seconds
from pbx.config.queues import Announcement, Queue
from pbx.flows.control import Prompt
from pbx.flows.own_words import POSITION, WAIT, WAIT_A_MINUTE, own


class Announcer:
    """Says what is due when, for one caller. Times are seconds of waiting."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._announced = 0
        self._place_every_s = seconds(queue.announce_position) if queue.announce_position else math.inf
        self._announce_every_s = seconds(queue.announce_every) if queue.announcements else math.inf
        self._place_due_s = self._place_every_s
        self._announcement_due_s = self._announce_every_s

    @property
    def due_s(self) -> float:
        """When there is something to say next; infinity if never."""
        return min(self._place_due_s, self._announcement_due_s)

    def take(
        self, waited_s: float, place: int, estimate_s: float | None, language: str
    ) -> list[Prompt | Announcement]:
        """What is to be said now; it is due again a period later."""
        found: list[Prompt | Announcement] = []
        if waited_s >= self._place_due_s:
            self._place_due_s = waited_s + self._place_every_s
            told = [self._place(place, language)]
            if self._queue.announce_wait and estimate_s is not None:
                told.append(self._wait(estimate_s, language))
            found += _in_one_breath(told)
        if waited_s >= self._announcement_due_s:
            self._announcement_due_s = waited_s + self._announce_every_s
            announcements = self._queue.announcements
            found.append(announcements[self._announced % len(announcements)])
            self._announced += 1
        return found

    def _place(self, place: int, language: str) -> Prompt:
        return own(self._queue.say_position or POSITION, language, place=place)

    def _wait(self, wait_s: float, language: str) -> Prompt:
        """Whole minutes, rounded up: who is served sooner than told is content."""
        minutes = max(1, math.ceil(wait_s / 60))
        words = self._queue.say_wait or (WAIT_A_MINUTE if minutes == 1 else WAIT)
        return own(words, language, minutes=minutes)


def _in_one_breath(told: list[Prompt]) -> list[Prompt]:
    """As one text, unless they are in different languages."""
    if len({each.language for each in told}) > 1:
        return told
    return [Prompt(text=" ".join(each.text for each in told), language=told[0].language)]
