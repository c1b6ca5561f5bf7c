"""A request to another program over HTTP, and its answer; who carries them is :mod:`pbx.httpclient`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

TIMEOUT = "timeout"
"""The problem of an answer that did not come in time."""


@dataclass(frozen=True, slots=True)
class WebRequest:
    """What to send where, and how long the whole of it may take."""

    url: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    timeout_s: float = 10.0

    @property
    def host(self) -> str:
        """For records and logs, which must not hold the rest of the URL."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """``status`` 0: none came, and ``problem`` says why (``timeout``, or in words)."""

    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def in_words(self) -> str:
        return self.problem or f"status {self.status}"
