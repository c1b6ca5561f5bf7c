"""Even ports for RTP, each with the odd one above it for RTCP (RFC 3550 §11).

A port that was given back rests in quarantine, so that the last packets of its old call are not
heard in the next one. When no other port is left the rest is cut short, oldest first: a wrong
packet, which the checks of :mod:`media.latch` would drop anyway, is a smaller harm than a refused
call. Ports are handed out in random order, so that a stranger cannot guess the next.
"""

import random
from collections import deque

QUARANTINE_S = 2.0


class PortPool:
    def __init__(self, first: int, last: int) -> None:
        """``first`` to ``last``, both included."""
        ports = list(range(first + first % 2, last, 2))
        if not (1024 <= first <= 65535 and last <= 65535 and ports):
            raise ValueError(
                f"RTP ports {first}-{last}: an even port and the odd one above it, in 1024-65535, are needed"
            )
        random.shuffle(ports)
        self._free = deque(ports)
        self._resting: deque[tuple[float, int]] = deque()

    @property
    def available(self) -> int:
        return len(self._free) + len(self._resting)

    def take(self, now: float) -> int | None:
        """A port, or None when all are in use."""
        while self._resting and self._resting[0][0] <= now:
            self._free.append(self._resting.popleft()[1])
        if self._free:
            return self._free.popleft()
        return self._resting.popleft()[1] if self._resting else None

    def give_back(self, port: int, now: float) -> None:
        self._resting.append((now + QUARANTINE_S, port))
