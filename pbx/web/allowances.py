"""How often one stranger may do something: a token bucket for each address, or number, of so many."""

from collections import OrderedDict

from pbx.clock import Clock


class Allowances:
    """``burst`` times at once, then once every ``every_s``; who came longest ago is forgotten first."""

    def __init__(self, clock: Clock, burst: float, every_s: float, addresses: int = 10_000) -> None:
        self._clock = clock
        self._burst = burst
        self._every_s = every_s
        self._addresses = addresses
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def spend(self, key: str) -> bool:
        """Whether there was one left, which there is no longer."""
        now = self._clock.monotonic()
        left, at = self._left.pop(key, (self._burst, now))
        left = min(self._burst, left + (now - at) / self._every_s)
        granted = left >= 1
        self._left[key] = (left - 1 if granted else left, now)
        while len(self._left) > self._addresses:
            self._left.popitem(last=False)
        return granted
