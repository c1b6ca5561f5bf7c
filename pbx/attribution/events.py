"""What visitors of the website do, as typed events on their way to the store.

They go to the store's writer alone, in the same queue as the calls' events, and like those are written
in group commits. None of them belongs to a call, so none gets a row of ``events``: a touch, a lease and
a contact have tables of their own. Each may be applied twice (after a crash the spool is replayed) and
comes to the same.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from pbx.attribution.sources import Arrival


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitorEvent:
    """Something that a visitor did."""

    kind: ClassVar[str] = ""
    call_id: ClassVar[str] = ""  # of no call
    stored: ClassVar[bool] = True
    at: datetime
    visitor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageViewed(VisitorEvent):
    """A page was shown; ``arrival``, if this view begins or renews a visit, says where from."""

    kind: ClassVar[str] = "visitor.page"
    session_ms: int  # when the visit began
    page: str
    referrer: str
    arrival: Arrival | None
    params: Mapping[str, str]
    pool: str  # that lent the number shown, "" if none did
    shown: str  # the first number shown in place of a target, "" if it stayed
    device: str  # coarse, such as "mobile Safari"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSeen(VisitorEvent):
    """A number is lent to a visitor, or the visitor gave a sign of life."""

    kind: ClassVar[str] = "visitor.lease"
    number: str
    pool: str
    started_ms: int
    seen_ms: int
    until_ms: int
    arrival: Arrival


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactMade(VisitorEvent):
    """A visitor called, wrote, chatted or filled in a form; ``phone`` ties later calls to the visitor."""

    kind: ClassVar[str] = "visitor.contact"
    channel: str  # "call", "form", "chat", "text", …
    ref: str  # the id of that call, form, …
    phone: str  # E.164, "" if none is known
    probability: float  # that it was this visitor


@dataclass(frozen=True, slots=True, kw_only=True)
class IdsSeen(VisitorEvent):
    """What ad platforms call the visitor. A refusal (consent: refused) takes all of it away."""

    kind: ClassVar[str] = "visitor.ids"
    ids: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class HabitsLearned(VisitorEvent):
    """How long after a visit people call, as learned so far; of no visitor in particular."""

    kind: ClassVar[str] = "visitor.habits"
    calls: tuple[float, ...]
    spent_s: tuple[float, ...]
    stray_calls: float
    stray_s: float
