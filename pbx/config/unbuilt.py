"""Keys that load although what they ask for is not built yet; each gets a warning.

When a feature is built, its line here goes.
"""

from dataclasses import dataclass
from typing import Any

from pbx.config.document import Document


@dataclass(frozen=True, slots=True)
class Unbuilt:
    """A key, for which of its values the warning is due (None: any), and what it asks for."""

    key: tuple[str, ...]
    feature: str
    values: tuple[Any, ...] | None = None


UNBUILT = (
    Unbuilt(("transcription", "live"), "transcription during the call", (True, "true")),
    Unbuilt(("alerts",), "alerts"),
    Unbuilt(("intelligence",), "keyword rules"),
)


def warn_of_unbuilt(document: Document) -> None:
    for entry in UNBUILT:
        for loc in document.matching(*entry.key):
            value = document.get(loc)
            if value in (None, [], {}, "") or (entry.values is not None and value not in entry.values):
                continue
            name = document.shown(loc) if isinstance(loc[-1], int) else repr(loc[-1])
            document.warn(loc, f"{name} does nothing yet; to come: {entry.feature}", code="not-built")
