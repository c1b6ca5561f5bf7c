"""A request to another program over HTTP, and its answer; who carries them is :mod:`pbx.httpclient`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

TIMEOUT = "timeout"
"""The problem of an answer that did not come in time."""
LONGEST_RETRY_S = 24 * 3600.0
"""No answer makes us wait longer."""


@dataclass(frozen=True, slots=True)
class WebRequest:
    """What to send where, and how long the whole of it may take."""

    url: str
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    timeout_s: float = 10.0
    status_only: bool = False  # the answer's body says nothing to us, whether long, late or cut off

    @property
    def host(self) -> str:
        """For records and logs, which must not hold the rest of the URL."""
        return urlsplit(self.url).hostname or ""


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """``status`` 0: none came, and ``problem`` says why (``timeout``, or in words). ``took_s`` is how long
    a simulated one takes to come."""

    status: int = 0
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    took_s: float = 0.0

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def in_words(self) -> str:
        return self.problem or f"status {self.status}"

    def retry_after_s(self, now: datetime) -> float:
        """How long the far end asks us to wait (RFC 9110 §10.2.3): seconds or a date; 0 if it does not."""
        text = self.headers.get("retry-after", "").strip()
        if text.isascii() and text.isdigit():
            return min(float(text[:12]), LONGEST_RETRY_S)
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return 0.0
        if moment.tzinfo is None:  # "-0000": UTC
            moment = moment.replace(tzinfo=UTC)
        return min(max(0.0, (moment - now).total_seconds()), LONGEST_RETRY_S)
