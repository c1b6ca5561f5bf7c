"""A visitor's way to a call: touches, milestones, and what each model credits.

A **touch** here is an arrival: a page view by which the visitor came from somewhere. Credit goes to whole
touches, so source, campaign and landing page of one credit are always of one moment; nothing is ever put
together from two. With touches t₁ … tₙ before the call, oldest first, the models give

* ``first``: all to t₁; ``last``: all to tₙ;
* ``linear``: 1/n to each;
* ``position``: 40 % to t₁, 40 % to tₙ, 20 % among those between; half each of two, all to a single one;
* ``time_decay``: half as much for every ``HALF_LIFE`` that a touch lies before the call.

Milestones are moments of the visitor, each with the touch that was the last one then: the first touch, the
lead's creation (the first contact by any channel), the lead's qualification (the first call that somebody
called a lead or a sale), and the first sale. They may lie after this call.
"""

from collections.abc import Sequence
from dataclasses import dataclass

MODELS = ("first", "last", "linear", "position", "time_decay")
HALF_LIFE_MS = 7 * 24 * 3600 * 1000
ENDS = 0.4


@dataclass(frozen=True, slots=True)
class Touch:
    """An arrival: every field of one page view."""

    at_ms: int
    source: str
    medium: str
    campaign: str
    keyword: str
    content: str
    click_id: str
    landing_page: str
    referrer: str


@dataclass(frozen=True, slots=True)
class Milestone:
    """``ref``: the call or message that it was reached by, "" for a touch."""

    name: str  # first_touch, lead, qualified or sale
    at_ms: int
    touch: Touch | None
    ref: str = ""


@dataclass(frozen=True, slots=True)
class Journey:
    """Touches up to the call, oldest first; ``lead_ms`` is the first contact, this call at the latest."""

    touches: tuple[Touch, ...]
    call_ms: int
    lead_ms: int
    pages: int = 0  # page views before the call
    visits: int = 0
    calls_before: int = 0  # by the same visitor
    milestones: tuple[Milestone, ...] = ()

    @property
    def first(self) -> Touch | None:
        return self.touches[0] if self.touches else None

    @property
    def last(self) -> Touch | None:
        return self.touches[-1] if self.touches else None

    @property
    def lead(self) -> Touch | None:
        """The last touch when the visitor first got in touch."""
        before = [touch for touch in self.touches if touch.at_ms <= self.lead_ms]
        return before[-1] if before else None

    def credit(self, model: str) -> list[float]:
        """What each touch is credited with; together 1, or nothing without a touch."""
        return credits(model, [touch.at_ms for touch in self.touches], self.call_ms)


def credits(model: str, times_ms: Sequence[int], call_ms: int) -> list[float]:
    """The shares of touches at those times, oldest first, in a call."""
    n = len(times_ms)
    if not n:
        return []
    match model:
        case "first":
            return [1.0] + [0.0] * (n - 1)
        case "last":
            return [0.0] * (n - 1) + [1.0]
        case "linear":
            return [1 / n] * n
        case "position":
            if n <= 2:
                return [1 / n] * n
            return [ENDS, *[(1 - 2 * ENDS) / (n - 2)] * (n - 2), ENDS]
        case "time_decay":
            weights = [0.5 ** ((times_ms[-1] - at) / HALF_LIFE_MS) for at in times_ms]
            return [weight / sum(weights) for weight in weights]
    raise ValueError(f"no model {model!r}; there are {', '.join(MODELS)}")
