"""Where a far end really sends from, and so where to send to (RFC 4961, RFC 7362 §4).

Behind NAT a far end's packets come from another address than its SDP says. The first packet from
the address in the SDP settles it; from elsewhere it takes :data:`PROBATION` packets with one SSRC
and consecutive sequence numbers (as RFC 3550 §6.2.1 and appendix A.1 ask of a new source), so that
one stray or forged packet moves nothing. Once settled it stays, until a re-INVITE opens it again.
"""

from media.rtp import SEQUENCE_MASK
from media.udp import Address

PROBATION = 3


class Latch:
    __slots__ = ("_candidate", "_count", "_expected", "_sequence")

    def __init__(self, expected: Address | None) -> None:
        """``expected``: what the SDP said, or where the far end was before a re-INVITE."""
        self._expected = expected
        self._candidate: tuple[Address, int] | None = None
        self._sequence = 0
        self._count = 0

    def settles(self, source: Address, ssrc: int, sequence: int) -> bool:
        """Whether this packet, otherwise valid, shows that ``source`` is the far end."""
        if source == self._expected:
            return True
        if (source, ssrc) != self._candidate or sequence != self._sequence:
            self._candidate, self._count = (source, ssrc), 0
        self._sequence = (sequence + 1) & SEQUENCE_MASK
        self._count += 1
        return self._count >= PROBATION
