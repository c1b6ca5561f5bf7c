"""Which source a call is attributed to, and why.

The verdict follows from the DID alone for a static tracking number. A pool's number belongs to
whichever visitor it is lent to; without a lease the source is unknown, and the reasons say so. A
verdict never raises and never guesses: what cannot be known is called ``unknown``.

Times and callers are parameters because the rules to come (leases, returning callers) need them;
:data:`RULES` is the one place to add those, and the first rule that has a verdict gives it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pbx.config.site import Site
from pbx.numbering import display

UNKNOWN = "unknown"
"""The source of a call that no rule attributes."""


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


Rule = Callable[[Site, str, str, datetime], Verdict | None]


def verdict(site: Site, did: str, caller: str, now: datetime) -> Verdict | None:
    """The verdict on a call to ``did`` (E.164); None if that is none of this site's numbers."""
    return next((found for rule in RULES if (found := rule(site, did, caller, now)) is not None), None)


def by_static_number(site: Site, did: str, caller: str, now: datetime) -> Verdict | None:
    """A static tracking number stands for its source."""
    number = site.number(did)
    if number is None:
        return None
    source = site.config.sources[number.source]
    reason = f"{_shown(site, did)} is the tracking number of {source.name} ({number.source})"
    return Verdict(number.source, (reason,), number.flow, number.whisper, NumberKind.STATIC)


def by_pool_number(site: Site, did: str, caller: str, now: datetime) -> Verdict | None:
    """A pool's number, of which nobody knows to whom it is lent."""
    name, pool = site.pool_of.get(did), site.pool(did)
    if name is None or pool is None:
        return None
    reasons = (
        f"{_shown(site, did)} belongs to the pool {name}",
        "no website visitor is known to have been shown this number",
    )
    return Verdict(UNKNOWN, reasons, pool.flow, pool.whisper, NumberKind.POOL)


RULES: tuple[Rule, ...] = (by_static_number, by_pool_number)
"""The rules, in the order in which they are asked."""


def _shown(site: Site, did: str) -> str:
    return display(did, site.config.server.country)
