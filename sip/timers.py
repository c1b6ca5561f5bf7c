"""The timers of RFC 3261 (table 4 of annex A), as RFC 6026 amended them, and the queue they wait in.

All three base values (T1, T2, T4) and every duration derived from them live in one :class:`Timers`
value. A reliable transport is a different value, not an ``if`` in the machines: timers that only
retransmit are absent from it, and those that only absorb retransmissions last no time.

:class:`TimerQueue` is one heap for a whole stack. Stopping a timer costs nothing: whoever set it
forgets it, and is asked when it comes up whether it still wants to know.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol


class Timer(Enum):
    """The letters of RFC 3261 and RFC 6026, and the 200 ms after which 100 Trying is due."""

    __hash__ = object.__hash__  # see sip.transaction.State

    A = "INVITE retransmission"
    B = "INVITE transaction timeout"
    D = "wait for response retransmissions"
    E = "non-INVITE retransmission"
    F = "non-INVITE transaction timeout"
    G = "INVITE response retransmission"
    H = "wait for ACK"
    I = "wait for ACK retransmissions"  # noqa: E741
    J = "wait for non-INVITE request retransmissions"
    K = "wait for non-INVITE response retransmissions"
    L = "wait for accepted INVITE retransmissions"
    M = "wait for retransmissions of, or further, 2xx"
    TRYING = "100 Trying is due"


TRYING_DELAY_S = 0.2  # RFC 3261 §17.2.1


@dataclass(frozen=True, slots=True)
class Timers:
    """Base values, in seconds, and the duration each timer starts with on one kind of transport."""

    t1_s: float = 0.5
    t2_s: float = 4.0
    t4_s: float = 5.0
    reliable: bool = False
    durations_s: dict[Timer, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lasting = {
            Timer.B: 64 * self.t1_s,
            Timer.F: 64 * self.t1_s,
            Timer.H: 64 * self.t1_s,
            Timer.L: 64 * self.t1_s,
            Timer.M: 64 * self.t1_s,
            Timer.TRYING: TRYING_DELAY_S,
        }
        if self.reliable:
            absorbing = {Timer.D: 0.0, Timer.I: 0.0, Timer.J: 0.0, Timer.K: 0.0}
            object.__setattr__(self, "durations_s", lasting | absorbing)
            return
        absorbing = {
            Timer.D: max(32.0, 64 * self.t1_s),
            Timer.I: self.t4_s,
            Timer.J: 64 * self.t1_s,
            Timer.K: self.t4_s,
        }
        retransmitting = {Timer.A: self.t1_s, Timer.E: self.t1_s, Timer.G: self.t1_s}
        object.__setattr__(self, "durations_s", lasting | absorbing | retransmitting)

    @property
    def transaction_timeout_s(self) -> float:
        """64*T1: the time after which RFC 3261 gives up on an answer."""
        return 64 * self.t1_s


class Timed(Protocol):
    """Whatever sets timers. ``at`` is the time the timer was set for: if it was set anew or stopped
    since, the owner knows and ignores it."""

    def fire(self, timer: Any, at: float, now: float) -> None: ...


class TimerQueue:
    """What falls due, earliest first, and in the order in which it was set.

    ``wake`` is called with the earliest time whenever that moves forward.
    """

    __slots__ = ("_heap", "_serial", "_wake")

    def __init__(self, wake: Callable[[float], None]) -> None:
        self._heap: list[tuple[float, int, Timed, Enum]] = []
        self._serial = 0
        self._wake = wake

    def __len__(self) -> int:
        return len(self._heap)

    def set(self, at: float, owner: Timed, timer: Enum) -> None:
        self._serial += 1
        heapq.heappush(self._heap, (at, self._serial, owner, timer))
        if self._heap[0][0] == at:
            self._wake(at)

    def run(self, now: float) -> None:
        """Fire everything that is due."""
        heap = self._heap
        while heap and heap[0][0] <= now:
            at, _, owner, timer = heapq.heappop(heap)
            owner.fire(timer, at, now)
        if heap:
            self._wake(heap[0][0])

    def clear(self) -> None:
        self._heap.clear()


class Deadlines:
    """The timers of one owner, by name; each may run once at a time.

    The queue knows this object, not the owner, so that an owner that is done can be forgotten at once
    although timers it stopped long ago still wait their turn.
    """

    __slots__ = ("_at", "_on_timer", "_queue")

    def __init__(self, queue: TimerQueue, on_timer: Callable[[Any, float], None]) -> None:
        self._queue = queue
        self._on_timer: Callable[[Any, float], None] | None = on_timer
        self._at: dict[Enum, float] = {}

    def start(self, timer: Enum, at: float) -> None:
        self._at[timer] = at
        self._queue.set(at, self, timer)

    def stop(self, *timers: Enum) -> None:
        for timer in timers:
            self._at.pop(timer, None)

    def stop_all(self) -> None:
        self._at.clear()

    def close(self) -> None:
        """Stop them all, for good."""
        self._at.clear()
        self._on_timer = None

    def fire(self, timer: Enum, at: float, now: float) -> None:
        if self._at.get(timer) == at and self._on_timer is not None:
            del self._at[timer]
            self._on_timer(timer, now)
