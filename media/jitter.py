"""How long packets wait, so that late ones are still in time: an adaptive delay.

A stream's packets are placed so far ahead of the engine's clock that the slowest of them arrive just in
time. What a packet had to spare on arrival is its *lead*. The delay grows at once by as much as a
packet was late, and is cut again, down to the first delay, when no packet of two whole windows needed it.
Pure: fed leads and the end of a window, it answers by how much the stream is to be moved.
"""

from media.rtp import FRAME_SAMPLES

FIRST_DELAY = 2 * FRAME_SAMPLES
LONGEST_DELAY = 10 * FRAME_SAMPLES
SPARE = FRAME_SAMPLES + FIRST_DELAY  # what every packet may have to spare before anything is cut


class Jitter:
    __slots__ = ("_least", "_least_before", "delay")

    def __init__(self) -> None:
        self.delay = FIRST_DELAY  # of a stream that begins, or begins anew
        self._least: int | None = None
        self._least_before: int | None = None

    def restart(self) -> None:
        """The stream was placed anew: what its packets had to spare says nothing any more."""
        self._least = self._least_before = None

    def spared(self, samples: int) -> None:
        """A packet came so many samples before its time."""
        if self._least is None or samples < self._least:
            self._least = samples

    def was_late(self, samples: int) -> None:
        """A packet came so many samples after its time."""
        frames = -(-samples // FRAME_SAMPLES)
        self.delay = min(self.delay + max(1, frames) * FRAME_SAMPLES, LONGEST_DELAY)
        self.restart()

    def window_ended(self) -> int:
        """By how many samples, in whole frames, the stream may be moved nearer."""
        least, before = self._least, self._least_before
        self._least, self._least_before = None, least
        if least is None or before is None:
            return 0
        excess = min(least, before) - SPARE
        if excess < FRAME_SAMPLES:
            return 0
        cut = excess // FRAME_SAMPLES * FRAME_SAMPLES
        self.delay = max(FIRST_DELAY, self.delay - cut)
        self.restart()
        return cut
