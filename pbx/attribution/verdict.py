"""Which source a call is attributed to, and why.

A static tracking number stands for its source. A pool's number belongs to the visitor it is lent to, or
was: everybody who was shown it is a candidate with a probability (:mod:`pbx.attribution.likelihood`),
and the likeliest gives the source; without one the source is unknown, and the reasons say so. A verdict
never raises and never guesses: what cannot be known is called ``unknown``, what is likely says how likely.

:data:`RULES` is asked in order, and the first rule that has a verdict gives it. Simulations know no
visitors (:data:`NOBODY`); otherwise they run the same rules.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from pbx.attribution.likelihood import Tie
from pbx.attribution.sources import UNKNOWN, Arrival
from pbx.attribution.visitors import SURE, Callers, Candidate
from pbx.config.site import Site
from pbx.numbering import display
from pbx.store.encoding import to_ms

__all__ = ["NOBODY", "UNKNOWN", "NumberKind", "Verdict", "VisitorMemory", "verdict"]


NO_CALLERS = Callers((), 0.0)


class NumberKind(StrEnum):
    """What the number called is to this site."""

    STATIC = "static"
    POOL = "pool"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The source with its reasons, and how a call to this number is to be handled."""

    source: str  # the source's id, or "unknown"
    reasons: tuple[str, ...]  # in words that an admin understands; never empty
    flow: str
    whisper: str  # spoken to the agent before the bridge; "" for none
    number_kind: NumberKind
    medium: str = ""  # of a static number's source
    pool: str = ""
    visitor: str = ""  # the likeliest caller, "" if none is known
    probability: float = 1.0  # that it is this visitor; 1 where the number alone decides
    arrival: Arrival | None = None  # where that visitor came from
    callers: Callers = NO_CALLERS

    def origin(self) -> dict[str, Any]:
        """What a call's first event says of the visitor, by the names of its fields."""
        arrival = self.arrival
        return {
            "medium": arrival.medium if arrival else self.medium,
            "campaign": arrival.campaign if arrival else "",
            "keyword": arrival.keyword if arrival else "",
            "landing_page": arrival.landing_page if arrival else "",
            "referrer": arrival.referrer if arrival else "",
            "visitor": self.visitor,
            "pool": self.pool,
            "probability": round(self.probability, 4),
            "candidates": tuple(_record(each) for each in self.callers.candidates),
        }

    @property
    def ambiguous(self) -> bool:
        """Whether somebody else may well have called."""
        return self.probability < SURE


class VisitorMemory(Protocol):
    """What is known of the website's visitors at the moment of a call."""

    def callers(self, number: str, phone: str, now: datetime) -> Callers: ...

    def tie(self, phone: str) -> Tie | None: ...

    def took(
        self, call_id: str, number: str, phone: str, visitor: str, probability: float, now: datetime
    ) -> None:
        """A call was attributed so."""
        ...


class _Nobody:
    def callers(self, number: str, phone: str, now: datetime) -> Callers:
        return Callers((), 1.0)

    def tie(self, phone: str) -> Tie | None:
        return None

    def took(
        self, call_id: str, number: str, phone: str, visitor: str, probability: float, now: datetime
    ) -> None:
        pass


NOBODY: VisitorMemory = _Nobody()
"""A site that has had no visitors yet."""


Rule = Callable[[Site, str, str, datetime, VisitorMemory], Verdict | None]


def verdict(
    site: Site, did: str, caller: str, now: datetime, visitors: VisitorMemory = NOBODY
) -> Verdict | None:
    """The verdict on a call to ``did`` (E.164); None if that is none of this site's numbers."""
    found = (rule(site, did, caller, now, visitors) for rule in RULES)
    return next((each for each in found if each is not None), None)


def by_static_number(
    site: Site, did: str, caller: str, now: datetime, visitors: VisitorMemory
) -> Verdict | None:
    """A static tracking number stands for its source, whoever calls."""
    number = site.number(did)
    if number is None:
        return None
    source = site.config.sources[number.source]
    reasons = [f"{_shown(site, did)} is the tracking number of {source.name} ({number.source})"]
    tie = visitors.tie(caller)
    if tie is not None:
        reasons.append(
            f"the caller's number is one that visitor {short(tie.visitor)} called from or left before"
            f" ({percent(tie.probability)})"
        )
    return Verdict(
        number.source,
        tuple(reasons),
        number.flow,
        number.whisper,
        NumberKind.STATIC,
        medium=source.medium,
        visitor=tie.visitor if tie else "",
        probability=tie.probability if tie else 1.0,
    )


def by_pool_number(
    site: Site, did: str, caller: str, now: datetime, visitors: VisitorMemory
) -> Verdict | None:
    """A pool's number stands for the visitor to whom it is lent, or was."""
    name, pool = site.pool_of.get(did), site.pool(did)
    if name is None or pool is None:
        return None
    callers = visitors.callers(did, caller, now)
    first = callers.likeliest
    reasons = [f"{_shown(site, did)} belongs to the pool {name}"]
    if not callers.candidates:
        reasons.append("no website visitor is known to have been shown this number")
    elif first is None:
        reasons.append(
            "visitors were shown this number, but too long ago: most likely"
            f" ({percent(callers.stray)}) the caller is none of them"
        )
    else:
        reasons += _reasons(site, first, now)
    others = [each for each in callers.candidates if each is not first and each.probability >= 0.005]
    reasons += [f"also possible, {percent(each.probability)}: {_of(site, each, now)}" for each in others]
    if first is not None and callers.stray >= 0.005:
        reasons.append(f"also possible, {percent(callers.stray)}: somebody who is not known")
    if first is not None and first.probability < SURE:
        reasons.append(f"ambiguous: less than {percent(SURE)} sure")
    return Verdict(
        source=first.arrival.source if first and first.arrival else UNKNOWN,
        reasons=tuple(reasons),
        flow=pool.flow,
        whisper=pool.whisper,
        number_kind=NumberKind.POOL,
        pool=name,
        visitor=first.visitor if first else "",
        probability=first.probability if first else callers.stray,
        arrival=first.arrival if first else None,
        callers=callers,
    )


RULES: tuple[Rule, ...] = (by_static_number, by_pool_number)
"""The rules, in the order in which they are asked."""


def _record(candidate: Candidate) -> dict[str, Any]:
    return {
        "visitor": candidate.visitor,
        "probability": round(candidate.probability, 4),
        "source": candidate.arrival.source if candidate.arrival else UNKNOWN,
        "shown_ms": candidate.started_ms,
        "seen_ms": candidate.seen_ms,
        "by_number": candidate.tied,
    }


def _reasons(site: Site, first: Candidate, now: datetime) -> list[str]:
    reasons = [f"{percent(first.probability)} sure: {_of(site, first, now)}"]
    if first.arrival is not None:
        arrival = first.arrival
        named = site.config.sources.get(arrival.source)
        came = f"that visitor came by {named.name if named else arrival.source} to {arrival.landing_page}"
        if arrival.campaign:
            came += f", campaign {arrival.campaign}"
        reasons.append(came + (f", from {arrival.referrer}" if arrival.referrer else ""))
    return reasons


def _of(site: Site, candidate: Candidate, now: datetime) -> str:
    parts = [f"visitor {short(candidate.visitor)}"]
    if candidate.seen_ms is not None and candidate.started_ms is not None:
        zone = site.config.server.zone
        since = datetime.fromtimestamp(candidate.started_ms / 1000, zone)
        parts.append(f"was shown this number from {since:%Y-%m-%d %H:%M}")
        parts.append(f"was last seen {ago((to_ms(now) - candidate.seen_ms) / 1000)} the call")
    if candidate.tied:
        parts.append("called from this caller's number, or left it, before")
    return f"{parts[0]} {' and '.join(parts[1:])}"


def ago(seconds: float) -> str:
    """``"5 min before"``."""
    if seconds < 5:
        return "right before"
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name} before"
    return f"{seconds:.0f} s before"


def percent(probability: float) -> str:
    """``0.973`` → ``"97 %"``; what is not certain is never said to be."""
    if 0.995 <= probability < 1:
        return "over 99 %"
    return f"{probability * 100:.0f} %"


def short(visitor: str) -> str:
    """As people tell visitors apart; the whole id stands in the data."""
    return visitor[:8]


def _shown(site: Site, did: str) -> str:
    return display(did, site.config.server.country)
