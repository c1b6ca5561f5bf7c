"""What is counted of calls, each figure defined once: the sum and the list of its calls follow from it.

A :class:`Measure` says which calls a figure is about and, for a sum, what of them is added up. Reports
put the measures of a group side by side; ``/api/calls`` with ``figure=…`` lists the calls of one. All of them
are whole numbers that add up: averages and shares are worked out from sums at the very end, and how many
different people called, which no sum of parts can tell, is none of them.
docs/reports.md says the same in the words of who reads a report.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, SQLColumnExpression, case, cast, func, true
from sqlmodel import col

from pbx.events import CallStatus
from pbx.store.tables import CallRow

Thresholds = Mapping[str, int]
"""Within how many milliseconds each queue's calls are to be answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Sums over some calls; times in milliseconds, money in hundredths."""

    calls: int = 0
    answered: int = 0
    missed: int = 0
    abandoned: int = 0
    voicemail: int = 0
    completed: int = 0
    rejected: int = 0
    failed: int = 0
    interrupted: int = 0
    live: int = 0
    first_time: int = 0
    repeat: int = 0
    ended: int = 0
    duration_ms: int = 0
    talked: int = 0  # calls in which somebody talked
    took_part: int = 0  # the same; by agent: in which this one talked
    talk_ms: int = 0
    wait_ms: int = 0
    queued: int = 0
    queue_left: int = 0  # who waited in a queue and waits no longer
    queue_wait_ms: int = 0
    queue_answered: int = 0
    queue_abandoned: int = 0
    in_time: int = 0
    scored: int = 0
    score_sum: int = 0
    leads: int = 0
    sales: int = 0
    no_sales: int = 0
    spam: int = 0
    valued: int = 0
    value_cents: int = 0
    weak_area: int = 0

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(**{name: getattr(self, name) + getattr(other, name) for name in NAMES})

    @property
    def talk_s(self) -> float:
        return self.talk_ms / 1000

    @property
    def average_talk_s(self) -> float | None:
        return _share(self.talk_ms / 1000, self.took_part)

    @property
    def average_wait_s(self) -> float | None:
        return _share(self.wait_ms / 1000, self.talked)

    @property
    def average_duration_s(self) -> float | None:
        return _share(self.duration_ms / 1000, self.ended)

    @property
    def average_queue_wait_s(self) -> float | None:
        return _share(self.queue_wait_ms / 1000, self.queue_left)

    @property
    def service_level(self) -> float | None:
        """Of those answered out of a queue, the share that was answered in time."""
        return _share(self.in_time, self.queue_answered)

    @property
    def service_level_with_abandoned(self) -> float | None:
        """The same share of those answered and those who hung up while they waited."""
        return _share(self.in_time, self.queue_answered + self.queue_abandoned)

    @property
    def average_score(self) -> float | None:
        return _share(self.score_sum, self.scored)


TOOK_PART = "took_part"
NAMES = tuple(field.name for field in fields(Figures))


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None


def figures(values: Iterable[Any]) -> Figures:
    """From a row of ``columns``."""
    return Figures(**dict(zip(NAMES, map(int, values), strict=True)))


@dataclass(frozen=True, slots=True)
class Measure:
    """The calls that a figure is about; ``amount`` is what of each is added up, None: they are counted."""

    calls: Callable[[Thresholds], ColumnElement[bool]]
    amount: SQLColumnExpression[Any] | None = None

    def column(self, thresholds: Thresholds) -> ColumnElement[int]:
        counted = self.calls(thresholds)
        if self.amount is None:
            return func.count().filter(counted)
        # PostgreSQL sums BIGINT to NUMERIC.
        return cast(func.coalesce(func.sum(self.amount).filter(counted), 0), BigInteger)


def _of(condition: ColumnElement[bool]) -> Callable[[Thresholds], ColumnElement[bool]]:
    return lambda _thresholds: condition


def _status(*statuses: CallStatus) -> Measure:
    return Measure(_of(col(CallRow.status).in_([each.value for each in statuses])))


def _outcome(*outcomes: str) -> Measure:
    return Measure(_of(col(CallRow.outcome).in_(outcomes)))


def _in_time(thresholds: Thresholds) -> ColumnElement[bool]:
    """By the threshold of the queue that the call joined last. A queue that is no more has none."""
    queue, waited = col(CallRow.queue), col(CallRow.queue_wait_ms)
    within = case(*((queue == name, limit) for name, limit in sorted(thresholds.items())), else_=-1)
    return _QUEUE_ANSWERED & (waited <= (within if thresholds else -1))


_TALKED = col(CallRow.connected_ms).is_not(None)
_ENDED = col(CallRow.ended_ms).is_not(None)
_QUEUED = col(CallRow.queue).is_not(None)
_QUEUE_LEFT = col(CallRow.queue_wait_ms).is_not(None)
_QUEUE_ANSWERED = col(CallRow.queue_end) == "answered"
_SCORED = col(CallRow.score).is_not(None)
_VALUED = col(CallRow.value_cents).is_not(None)

MEASURES: Mapping[str, Measure] = {
    "calls": Measure(_of(true())),
    **{each.value: _status(each) for each in CallStatus if each.is_final},
    "live": _status(*(each for each in CallStatus if not each.is_final)),
    "first_time": Measure(_of(col(CallRow.caller) == "first")),
    "repeat": Measure(_of(col(CallRow.caller) == "repeat")),
    "ended": Measure(_of(_ENDED)),
    "duration_ms": Measure(_of(_ENDED), col(CallRow.ended_ms) - col(CallRow.started_ms)),
    "talked": Measure(_of(_TALKED)),
    "took_part": Measure(_of(_TALKED)),
    "talk_ms": Measure(_of(_TALKED), col(CallRow.talk_ms)),
    "wait_ms": Measure(_of(_TALKED), col(CallRow.connected_ms) - col(CallRow.started_ms)),
    "queued": Measure(_of(_QUEUED)),
    "queue_left": Measure(_of(_QUEUE_LEFT)),
    "queue_wait_ms": Measure(_of(_QUEUE_LEFT), col(CallRow.queue_wait_ms)),
    "queue_answered": Measure(_of(_QUEUE_ANSWERED)),
    "queue_abandoned": Measure(_of(col(CallRow.queue_end) == "abandoned")),
    "in_time": Measure(_in_time),
    "scored": Measure(_of(_SCORED)),
    "score_sum": Measure(_of(_SCORED), col(CallRow.score)),
    "leads": _outcome("lead", "sale"),
    "sales": _outcome("sale"),
    "no_sales": _outcome("no_sale"),
    "spam": _outcome("spam"),
    "valued": Measure(_of(_VALUED)),
    "value_cents": Measure(_of(_VALUED), col(CallRow.value_cents)),
    "weak_area": Measure(_of(col(CallRow.area).contains("-"))),
}


def columns(thresholds: Thresholds) -> list[ColumnElement[int]]:
    """What the figures are summed by, in the order of ``NAMES``."""
    return _columns(tuple(sorted(thresholds.items())))


@lru_cache(8)  # building them takes longer than asking for the figures of a day
def _columns(thresholds: tuple[tuple[str, int], ...]) -> list[ColumnElement[int]]:
    return [MEASURES[name].column(dict(thresholds)) for name in NAMES]
