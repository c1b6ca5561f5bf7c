"""What a call out is attributed to, and the number that it shows.

A customer who called a tracking number and is called back belongs to the source of that first call.
So the call out takes over its source, and shows the number which they dialled: they recognise it, and
should they miss the call, theirs comes in on the same number and is attributed again.
"""

import asyncio
import logging
from dataclasses import dataclass

from pbx.attribution.verdict import UNKNOWN
from pbx.config.outbound import CallerId
from pbx.config.site import Site
from pbx.numbering import display, normalise
from pbx.store.earlier import EarlierCall, EarlierCalls

log = logging.getLogger(__name__)

LOOKUP_LIMIT_S = 1.0
"""How long a call out waits for the store: one that is away costs the attribution, not the call."""


@dataclass(frozen=True, slots=True)
class CallBack:
    """``presents`` is E.164, or "" where the site has no number to show."""

    source: str
    reasons: tuple[str, ...]
    presents: str


async def call_back_to(
    number: str, site: Site, earlier: EarlierCalls, agent: str | None, *, of_call: str = ""
) -> CallBack:
    """How a call to ``number`` (E.164) is attributed, and what it shows.

    ``of_call`` is the call that is known to be called back; without it, it is looked for by number.
    """
    rule = site.config.outbound.caller_id
    before: EarlierCall | None = None
    try:
        async with asyncio.timeout(LOOKUP_LIMIT_S):
            if of_call:
                before = await asyncio.to_thread(earlier.by_id, of_call)
            else:
                first = rule is not CallerId.LAST
                before = await asyncio.to_thread(earlier.from_number, number, first=first)
    except Exception as problem:
        log.error("earlier calls of somebody who is called are unknown: %r", problem)
    return attributed(number, site, before, agent)


def attributed(number: str, site: Site, before: EarlierCall | None, agent: str | None) -> CallBack:
    """The verdict on a call out, given the customer's own call."""
    country = site.config.server.country
    shown = display(number, country)
    if before is None:
        reason = f"no call from {shown} is known that this one could answer"
        return CallBack(UNKNOWN, (reason,), _default_number(site, agent))
    day = before.at.astimezone(site.config.server.zone)
    reason = (
        f"call back to {shown}, who called {display(before.did, country)}"
        f" on {day:%-d %B %Y} (call {before.call_id})"
    )
    is_ours = site.number(before.did) is not None or site.pool(before.did) is not None
    presents = before.did if is_ours and site.config.outbound.caller_id is not CallerId.DEFAULT else ""
    return CallBack(before.source, (reason,), presents or _default_number(site, agent))


def _default_number(site: Site, agent: str | None) -> str:
    """The agent's own number, else the site's."""
    own = site.config.agents[agent].number if agent in site.config.agents else None
    written = own or site.config.outbound.number
    return normalise(written, site.config.server.country) or "" if written else ""
