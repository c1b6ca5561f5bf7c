"""What a queue did today: who was answered, who left, how long it took, and what a wait will be.

Service level
-------------
Of callers who are to be answered within ``service_level`` seconds, two shares are in use, and both are
kept: those answered in time *of all answered*, and those answered in time *of all answered or
abandoned*. Abandoned are callers who hung up while they waited. Who left by a key, a time-out or an
overflow was served elsewhere and counts in neither; so does a callback.

Estimated wait
--------------
``place in the line × average handling time ÷ agents on duty``. The handling time is talk and wrap-up
of the last ``REMEMBERED`` calls; with fewer than ``FEWEST`` of them it is taken to be ``USUAL_S``. On duty
is whoever can be rung and has neither paused nor logged out. With nobody on duty there is no estimate.
"""

from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import date

REMEMBERED = 20
FEWEST = 3
USUAL_S = 180.0


@dataclass(slots=True)
class Figures:
    """Of one queue, since midnight in the site's zone."""

    day: date | None = None
    offered: int = 0  # joined
    answered: int = 0
    in_time: int = 0
    abandoned: int = 0
    timed_out: int = 0
    left_otherwise: int = 0  # by key, overflow, because it was full or empty, or to be called back
    wait_s: float = 0.0  # of those answered, summed
    longest_wait_s: float = 0.0
    calls: Counter[str] = field(default_factory=Counter)  # taken, by agent
    talk_s: Counter[str] = field(default_factory=Counter)  # by agent
    handling_s: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def begin(self, day: date) -> None:
        """A new day begins at 0; what a call takes is remembered."""
        if self.day != day:
            fresh = Figures(day=day, handling_s=self.handling_s)
            for name in self.__slots__:
                setattr(self, name, getattr(fresh, name))

    def joined(self) -> None:
        self.offered += 1

    def waited(self, waited_s: float) -> None:
        self.longest_wait_s = max(self.longest_wait_s, waited_s)

    def taken(self, agent: str, waited_s: float, within_s: float) -> None:
        """An agent answered."""
        self.answered += 1
        self.in_time += waited_s <= within_s
        self.wait_s += waited_s
        self.calls[agent] += 1

    def talked(self, agent: str, talk_s: float, wrap_up_s: float) -> None:
        self.talk_s[agent] += talk_s  # type: ignore[assignment]  # seconds have fractions
        self.handling_s.append(talk_s + wrap_up_s)

    @property
    def average_wait_s(self) -> float | None:
        return self.wait_s / self.answered if self.answered else None

    @property
    def level_of_answered(self) -> float | None:
        """Answered in time, of all answered."""
        return self.in_time / self.answered if self.answered else None

    @property
    def level_of_offered(self) -> float | None:
        """Answered in time, of all answered or abandoned."""
        offered = self.answered + self.abandoned
        return self.in_time / offered if offered else None

    @property
    def average_handling_s(self) -> float:
        known = len(self.handling_s) >= FEWEST
        return sum(self.handling_s) / len(self.handling_s) if known else USUAL_S

    def estimate_s(self, place: int, on_duty: int) -> float | None:
        """How long somebody at this place in the line will wait; None when nobody is on duty."""
        return place * self.average_handling_s / on_duty if on_duty else None
