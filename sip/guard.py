"""Defence against scanners and floods, and against too much honest work.

A stranger is refused without a transaction, so that refusing allocates nothing that lasts. How often
one address is refused is bounded by a token bucket (:class:`Allowance`); beyond it, its messages are
dropped unread. The number of buckets is bounded too: the least recently used goes first. Trunks and
addresses with a registered phone are not subject to the bucket.

:class:`Load` says when calls that we could take are better refused with 503 (RFC 3261 §21.5.4): when
too many are up, while draining, or when the driver cannot keep up with what comes in.
"""

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a stack bears."""

    max_sessions: int = 4000
    retry_after_s: int = 10
    refusals_per_s: float = 20.0  # to one unknown address …
    refusals_burst: int = 100  # … and at once
    max_strangers: int = 10_000  # addresses remembered
    max_connections_per_stranger: int = 16  # TCP, from one unknown address …
    stranger_idle_s: float = 30.0  # then a connection of theirs is closed
    max_connections: int = 2000  # … and as long as there are no more than so many of all


class Allowance:
    """A token bucket for each unknown address."""

    def __init__(self, limits: Limits) -> None:
        self.update(limits)
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, as of when

    def update(self, limits: Limits) -> None:
        self._rate = limits.refusals_per_s
        self._burst = float(limits.refusals_burst)
        self._max = limits.max_strangers

    def __len__(self) -> int:
        return len(self._buckets)

    def spend(self, host: str, now: float) -> bool:
        """Take one token; False if ``host`` has none left."""
        tokens = self._tokens(host, now)
        allowed = tokens >= 1.0
        self._buckets[host] = (tokens - 1.0 if allowed else tokens, now)
        self._buckets.move_to_end(host)
        while len(self._buckets) > self._max:
            self._buckets.popitem(last=False)
        return allowed

    def spent(self, host: str, now: float) -> bool:
        """Whether ``host`` has no token left."""
        return host in self._buckets and self._tokens(host, now) < 1.0

    def _tokens(self, host: str, now: float) -> float:
        tokens, since = self._buckets.get(host, (self._burst, now))
        return min(self._burst, tokens + (now - since) * self._rate)


class Load:
    """Whether there is room for another call."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.refusing = False  # draining
        self.overloaded = False  # the driver cannot keep up with what comes in

    def refuses(self, sessions: int) -> str | None:
        """Why a new call is refused just now; None if it is not."""
        if self.refusing:
            return "Draining"
        if sessions >= self.limits.max_sessions:
            return "Too Many Calls"
        if self.overloaded:
            return "Overloaded"
        return None
