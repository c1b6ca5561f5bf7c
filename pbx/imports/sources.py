"""Which of our sources a source of CallRail's is, by its number, its name, or its name as an id."""

import re
import unicodedata
from functools import lru_cache

from pbx.config.models import Config


@lru_cache(1000)
def slug(name: str) -> str:
    """``"Google Ads – Spring"`` → ``"google-ads-spring"``"""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold()
    return "-".join(re.findall(r"[a-z0-9]+", plain)) or "unknown"


class SourceNames:
    def __init__(self, config: Config) -> None:
        self._numbers = {number: entry.source for number, entry in config.numbers.items()}
        self._names = {slug(source.name): name for name, source in config.sources.items()}
        self._ids = {slug(name): name for name in config.sources}

    def ours(self, theirs: str, number: str) -> str:
        """``number``: the tracking number; a static one of ours says its source itself."""
        own = self._numbers.get(number)
        if own is not None:
            return own
        key = slug(theirs)
        return self._names.get(key) or self._ids.get(key) or key
