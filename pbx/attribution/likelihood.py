"""How likely each visitor is to be the one who calls.

Theory
------
A call comes to a pool's number at a moment. Whoever was ever shown that number may have made it, and so
may somebody who has it from a friend or a slip of paper. Let each possible caller call at a rate of its
own: a visitor who was last seen a time *d* ago at a rate λ(d), calls per second, and everybody unknown
together at a rate μ a number. Calls are rare, so they arrive as Poisson processes, and given that one
came, it is visitor *i*'s with probability

    λ(dᵢ) / (Σ λ(dⱼ) + μ)

A number that was printed or remembered shows in the tail of λ, days after the visit. λ is a step
function over ``STEPS``: its height is calls divided by time spent, both counted from the site's own
traffic. Which visitor a call was is not known for sure, so each candidate counts with its probability,
and the probabilities are worked out anew from the heights (expectation-maximisation). Before there is
traffic, figures that come with the server stand in for it, worth ``PRIOR_LEASES`` leases.

A caller's number that a visitor called from before says more than any clock: under another hypothesis
than that visitor's such a number comes up with probability ``STRANGE`` only. And a visitor who is known to
call from another number calls from this one as seldom as people change phones.
"""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

_HOUR, _DAY = 3600.0, 86400.0

ON_PAGE_S = 75.0
"""A visitor last seen so lately is on the page still: signs of life come every minute."""
STEPS = (0.0, *(ON_PAGE_S * 1.5**n for n in range(27)))
"""Where λ changes, in seconds since the last sign of life; the last step ends after 33 days."""

PRIOR_LEASES = 200.0
"""How many leases the figures below are worth, before the site's own traffic says better."""
PRIOR_STAY_S = 180.0
PRIOR_ON_PAGE = 0.03
"""How many visitors call while they are on the website, and how long they are."""
PRIOR_AFTER = 1.2e-5
PRIOR_FADES_S, PRIOR_FADES = 300.0, 1.3
"""λ after the visit: ``PRIOR_AFTER`` calls a second, fading as (1 + d/300)^-1.3."""
PRIOR_STRAY = 0.02 / _DAY
"""Calls a second to a number from nobody known (μ), as seen in ``PRIOR_STRAY_S``."""
PRIOR_STRAY_S = 50 * _DAY

NOWHERE: Mapping[str, float] = {}
MOST_CALLS = 4000
FIT_EVERY = 0.02
"""The habits are worked out again when so many calls more have come, as a share of those kept."""
FIT_ROUNDS = 15

SAME_PHONE = 0.9
"""How often a visitor who calls again does so from the same number."""
STRANGE = 0.0002
"""How often somebody else's call shows a number that is known to be a certain visitor's."""
CALLS_AGAIN = 1 / (30 * _DAY)
"""How often, a second, somebody who has called once calls again from memory."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What a site has learned, as it is kept over a restart: calls and time spent, step by step."""

    calls: tuple[float, ...]
    spent_s: tuple[float, ...]
    stray_calls: float
    stray_s: float


class Habits:
    """What the site's own traffic says of λ and μ. Times are seconds since 1970.

    For each call only this is kept: how many candidates were in each step, weighed by what the caller's
    number says of them. That is all that expectation-maximisation needs, and it is run over the last
    ``MOST_CALLS`` calls whenever a few more have come.
    """

    def __init__(self, before: Learned | None = None) -> None:
        before = before or _prior()
        self._calls_before = np.array(before.calls)
        self._spent_before_s = list(before.spent_s)
        self._stray_before = before.stray_calls
        self._stray_s = before.stray_s
        self._lent: dict[int, int] = {}  # leases that are remembered, by the hour in which they began
        self._spent_s = np.array(before.spent_s)
        self._spent_until_hour = -1
        self._watched_to_s: float | None = None
        self._rows: deque[list[float]] = deque(maxlen=MOST_CALLS)
        self._seen = self._unfitted = 0
        self._calls, self._stray_calls = self._calls_before, self._stray_before
        self._rates = self._heights()

    def rate(self, delay_s: float, now_s: float) -> float:
        """λ at ``delay_s`` after the last sign of life."""
        step = step_of(delay_s)
        if step is None:
            return 0.0
        if self._spent_until_hour != int(now_s // _HOUR):  # it moves slowly
            self._spent_until_hour = int(now_s // _HOUR)
            self._spent_s = np.array(self._spent(now_s))
            self._rates = self._heights()
        return self._rates[step]

    @property
    def stray_rate(self) -> float:
        """μ of one number."""
        return float(self._stray_calls / self._stray_s)

    def lent(self, started_s: float, *, counted_to_s: float | None = None) -> None:
        """A number was lent to a visitor; what it spent until ``counted_to_s`` is known already."""
        hour = int(started_s // _HOUR)
        self._lent[hour] = self._lent.get(hour, 0) + 1
        if counted_to_s is not None:
            _add_spent(self._spent_before_s, counted_to_s - (hour + 0.5) * _HOUR, -1)

    def forgotten(self, started_s: float, now_s: float) -> None:
        """A lease that began then is not remembered any longer: nobody is compared with it from now on."""
        hour = int(started_s // _HOUR)
        if self._lent.get(hour):
            self._lent[hour] -= 1
            if not self._lent[hour]:
                del self._lent[hour]
            _add_spent(self._spent_before_s, now_s - (hour + 0.5) * _HOUR, 1)

    def stayed(self, seconds: float) -> None:
        """A visitor was on the website for so much longer."""
        self._spent_before_s[0] += seconds

    def watched(self, numbers: int, now_s: float) -> None:
        """Until now so many numbers could be called by anybody."""
        if self._watched_to_s is not None:
            self._stray_s += numbers * max(0.0, now_s - self._watched_to_s)
        self._watched_to_s = now_s

    def called(
        self,
        delays_s: "Sequence[tuple[str, float]]",
        now_s: float,
        tie: "Tie | None" = None,
        elsewhere: Mapping[str, float] = NOWHERE,
    ) -> bool:
        """A call came to a number that these visitors had seen. Whether the habits were worked out anew."""
        row = [0.0] * (len(STEPS) + 1)
        for visitor, delay_s in delays_s:
            step = step_of(delay_s)
            if step is not None:
                row[step] += _of_the_number(tie, visitor, elsewhere)
        row[-2] = 1.0 if tie is None else STRANGE
        row[-1] = 0.0 if tie is None else CALLS_AGAIN * SAME_PHONE
        self._rows.append(row)
        self._seen += 1
        self._unfitted += 1
        if self._unfitted <= len(self._rows) * FIT_EVERY:
            return False
        self._unfitted = 0
        self._fit(now_s)
        return True

    def learned(self, now_s: float) -> Learned:
        """What is to be kept over a restart."""
        return Learned(
            tuple(self._calls.tolist()), tuple(self._spent(now_s)), self._stray_calls, self._stray_s
        )

    def _fit(self, now_s: float) -> None:
        rows = np.array(self._rows)
        weights, strays, again = rows[:, :-2], rows[:, -2], rows[:, -1]
        spent_s = self._spent_s = np.array(self._spent(now_s))
        calls, stray = self._calls, self._stray_calls
        scale = self._seen / len(rows)  # the calls that are kept stand for all
        for _ in range(FIT_ROUNDS):
            shares = weights * (calls / spent_s)
            strange = strays * (stray / self._stray_s)
            total = shares.sum(axis=1) + strange + again
            calls = self._calls_before + scale * (shares / total[:, None]).sum(axis=0)
            stray = self._stray_before + scale * float((strange / total).sum())
        self._calls, self._stray_calls = calls, stray
        self._rates = self._heights()

    def _heights(self) -> list[float]:
        return list(map(float, self._calls / self._spent_s))

    def _spent(self, now_s: float) -> list[float]:
        """For each step, the time that all leases together have spent in it."""
        for hour in [hour for hour in self._lent if now_s - hour * _HOUR > STEPS[-1] + _HOUR]:
            _add_spent(self._spent_before_s, STEPS[-1], self._lent.pop(hour))
        spent = list(self._spent_before_s)
        for hour, leases in self._lent.items():
            _add_spent(spent, now_s - (hour + 0.5) * _HOUR, leases)
        return spent


def step_of(delay_s: float) -> int | None:
    """The step that a delay lies in; None beyond the last."""
    step = bisect_right(STEPS, max(0.0, delay_s)) - 1
    return step if step < len(STEPS) - 1 else None


def _add_spent(spent_s: list[float], age_s: float, leases: int) -> None:
    """Leases of that age have spent the whole of the steps before it, and a part of the one it lies in."""
    for step, (start, end) in enumerate(pairwise(STEPS)):
        if age_s <= start:
            break
        spent_s[step] += leases * (min(age_s, end) - start)


def _prior() -> Learned:
    spent_s = [PRIOR_LEASES * (end - start) for start, end in pairwise(STEPS)]
    spent_s[0] += PRIOR_LEASES * PRIOR_STAY_S
    calls = tuple(PRIOR_LEASES * _prior_calls(step) for step in range(len(STEPS) - 1))
    return Learned(calls, tuple(spent_s), PRIOR_STRAY * PRIOR_STRAY_S, PRIOR_STRAY_S)


def _prior_calls(step: int) -> float:
    """Calls a lease within a step."""
    if step == 0:
        return PRIOR_ON_PAGE

    def until(delay_s: float) -> float:
        return -math.pow(1 + delay_s / PRIOR_FADES_S, 1 - PRIOR_FADES)

    whole = PRIOR_AFTER * PRIOR_FADES_S / (PRIOR_FADES - 1)
    return whole * (until(STEPS[step + 1]) - until(STEPS[step]))


NEVER = float("inf")


@dataclass(frozen=True, slots=True)
class Chance:
    """A possible caller. ``delay_s`` is the time since the last sign of life, infinite without a lease."""

    visitor: str
    probability: float
    delay_s: float
    tied: bool  # the caller's number is one that this visitor called from before


@dataclass(frozen=True, slots=True)
class Tie:
    """A number that a visitor called from before, and how sure that was."""

    visitor: str
    probability: float


def chances(
    delays_s: "Sequence[tuple[str, float]]",
    habits: Habits,
    now_s: float,
    tie: Tie | None = None,
    elsewhere: Mapping[str, float] = NOWHERE,
) -> tuple[list[Chance], float]:
    """The possible callers, likeliest first, and how likely it is none of them.

    ``delays_s``: by visitor, the time since the last sign of life with this number. ``elsewhere``: by
    visitor, how sure it is that they call from another number than this caller's.
    """
    weights: dict[str, float] = {}
    for visitor, delay_s in delays_s:
        weights[visitor] = habits.rate(delay_s, now_s) * _of_the_number(tie, visitor, elsewhere)
    stray = habits.stray_rate
    if tie is not None:
        # Whoever called before calls again; if that was not who it was taken for, it is nobody known.
        stray = stray * STRANGE + CALLS_AGAIN * (1 - tie.probability) * SAME_PHONE
        weights[tie.visitor] = weights.get(tie.visitor, 0.0) + CALLS_AGAIN * tie.probability * SAME_PHONE
    total = sum(weights.values()) + stray
    delays = dict(delays_s)
    found = [
        Chance(
            visitor,
            weight / total,
            delays.get(visitor, NEVER),
            tie is not None and visitor == tie.visitor,
        )
        for visitor, weight in weights.items()
    ]
    return sorted(found, key=lambda chance: -chance.probability), stray / total


def _of_the_number(tie: Tie | None, visitor: str, elsewhere: Mapping[str, float]) -> float:
    """How likely this visitor's call shows the number that it does."""
    if tie is None:
        return 1 - SAME_PHONE * elsewhere.get(visitor, 0.0)
    if visitor != tie.visitor:
        return STRANGE
    return tie.probability * SAME_PHONE + (1 - tie.probability) * STRANGE
