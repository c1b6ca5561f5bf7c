"""The way to a call in words: what ``pbx why`` prints and the call's page tells."""

from collections.abc import Callable, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from pbx.attribution.journey import Journey, Touch
from pbx.attribution.verdict import short

_REACHED = {"qualified": "Was called a lead", "sale": "Bought"}


def told(journey: Journey, visitor: str, zone: ZoneInfo, name: Callable[[str], str]) -> list[str]:
    """One sentence a step, oldest first. ``name``: what people call a source."""
    sentences: list[str] = []
    first, lead, last = journey.first, journey.lead, journey.last
    if first is None or last is None:
        return sentences
    sentences.append(f"Visitor {short(visitor)} first came on {_when(first, zone)} by {_by(first, name)}.")
    between = [touch for touch in journey.touches if touch not in (first, last)]
    sentences += [f"Came again on {_when(touch, zone)} by {_by(touch, name)}." for touch in between[-5:]]
    if last is not first:
        sentences.append(f"Last came on {_when(last, zone)} by {_by(last, name)}.")
    sentences.append(
        f"Saw {_count(journey.pages, 'page')} in {_count(journey.visits, 'visit')} before this call."
    )
    if journey.lead_ms < journey.call_ms and lead is not None:
        at = datetime.fromtimestamp(journey.lead_ms / 1000, zone)
        sentences.append(f"First got in touch on {at:%Y-%m-%d %H:%M}, having come by {_by(lead, name)}.")
    if journey.calls_before:
        sentences.append(f"Had called {_count(journey.calls_before, 'time')} before.")
    for milestone in journey.milestones:
        if milestone.name in _REACHED:
            at = datetime.fromtimestamp(milestone.at_ms / 1000, zone)
            by = f", having come by {_by(milestone.touch, name)}" if milestone.touch else ""
            sentences.append(f"{_REACHED[milestone.name]} on {at:%Y-%m-%d %H:%M}{by}.")
    return sentences


def _by(touch: Touch, name: Callable[[str], str]) -> str:
    parts = [name(touch.source)]
    if touch.campaign:
        parts.append(f"campaign {touch.campaign}")
    if touch.keyword:
        parts.append(f"keyword {touch.keyword}")
    text = ", ".join(parts) + f" to {touch.landing_page}"
    return text + (f" from {touch.referrer}" if touch.referrer else "")


def _when(touch: Touch, zone: ZoneInfo) -> str:
    return f"{datetime.fromtimestamp(touch.at_ms / 1000, zone):%Y-%m-%d %H:%M}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def credited(journey: Journey, models: Sequence[str]) -> dict[str, list[float]]:
    """By model, the shares of the touches."""
    return {model: [round(share, 4) for share in journey.credit(model)] for model in models}
