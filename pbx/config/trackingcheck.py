"""What is odd about pools and the tracking code: numbers nobody gets, targets of nobody, open doors."""

from collections.abc import Mapping

from pbx.config.document import Document
from pbx.config.problems import listed
from pbx.numbering import normalise

ALL = "*"
"""The sources of a pool that names none."""


def check_tracking(document: Document, e164: Mapping[str, str], country: str) -> None:
    """``e164``: every number of numbers and pools by the way it is written."""
    targets: dict[str, dict[str, str]] = {}  # by target: sources, and the pool that serves their visitors
    for pool in document.matching("pools", "*"):
        if not document.get((*pool, "targets")):
            document.warn(
                pool, f"the pool {pool[-1]!r} has no targets: its numbers are never shown to anybody"
            )
        _check_overlap(document, str(pool[-1]), e164, targets)
        if document.get((*pool, "numbers")) == []:
            document.warn(pool, f"the pool {pool[-1]!r} has no numbers to lend")
    for loc in document.matching("tracking", "images", "*", "target"):
        written = document.text(loc)
        if written is not None and normalise(written, country) not in targets:
            document.error(loc, f"{document.shown(loc)} is no pool's target; write it as the pool does")
    if document.get(("web", "public_listen")) and not document.get(("web", "sites")):
        document.warn(
            ("web", "public_listen"),
            "web.sites is empty: any website may use the tracking code; list your own sites' origins",
        )


def _check_overlap(
    document: Document, pool: str, e164: Mapping[str, str], targets: dict[str, dict[str, str]]
) -> None:
    """The first pool that serves a target and a source is the one that lends."""
    sources = document.get(("pools", pool, "sources"))
    served = [str(each) for each in sources] if isinstance(sources, list) and sources else [ALL]
    for loc in document.matching("pools", pool, "targets", "*"):
        written = document.text(loc)
        if written is None:
            continue
        before = targets.setdefault(e164.get(written, written), {})
        if taken := [each for each in served if each in before or ALL in before]:
            other = before.get(taken[0]) or before[ALL]
            whom = "to all visitors" if ALL in taken else f"to visitors of {listed(taken)}"
            document.warn(
                loc,
                f"the pool {other!r} lends for {document.shown(loc)} {whom} already, and comes first",
                code="shared-number",
            )
        for each in served:
            before.setdefault(each, pool)
