"""What is odd about conversions: events that nobody defined, and those that nobody is told of."""

import difflib

from pbx.config.document import Document

PLATFORMS = ("ga4", "google_ads", "meta")


def check_conversions(document: Document) -> None:
    events = [str(loc[-1]) for loc in document.matching("conversions", "events", "*")]
    sources = [str(loc[-1]) for loc in document.matching("sources", "*")]
    sent: set[str] = set()
    for platform in PLATFORMS:
        for loc in document.matching("conversions", platform, "send", "*"):
            event = str(loc[-1])
            sent.add(event)
            if event not in events:
                _unknown(document, loc, event, events, "conversions.events has no event")
    for loc in document.matching("conversions", "events", "*", "source", "*"):
        name = document.text(loc)
        if name is not None and name not in (*sources, "unknown"):
            _unknown(document, loc, name, sources, "there is no source")
    for event in events:
        if event not in sent:
            document.warn(
                ("conversions", "events", event), f"no platform is told of the event {event!r}", code="unused"
            )


def _unknown(document: Document, loc: tuple[str | int, ...], name: str, known: list[str], what: str) -> None:
    close = difflib.get_close_matches(name, known, 1)
    hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(known)}" if known else ""
    document.error(loc, f"{what} {name!r}{hint}", code="unknown-name")
