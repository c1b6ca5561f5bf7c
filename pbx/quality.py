"""How a leg sounded: loss, jitter, and an estimated MOS by the E-model (ITU-T G.107).

R = 93.2 - Id - Ie,eff, for a connection without echo and noise (G.107 §7.7's defaults). Then

* Id, for a one-way delay of d ms, is 0.024 d + 0.11 (d - 177.3) where d is over 177.3 (Cole and Rosenbluth's
  fit of G.107 §7.4);
* Ie,eff = Ie + (95 - Ie) P / (P + Bpl), with P the loss in percent (G.107 §7.5, random loss). For G.711 with
  concealment Ie is 0 and Bpl 25.1 (G.113 appendix I);
* MOS = 1 + 0.035 R + R (R - 60) (100 - R) 7e-6 (G.107 annex B).

The delay is half the round trip that RTCP measured, plus the packet's own 20 ms and a jitter buffer of
twice the jitter. What the estimate cannot know (the phone, the room) it leaves out.
"""

from collections.abc import Mapping
from dataclasses import dataclass

R_BEST, IE, BPL = 93.2, 0.0, 25.1
PACKET_MS = 20.0


@dataclass(frozen=True, slots=True)
class Quality:
    """``loss`` in percent, of what should have come; ``mos`` from 1 to 4.5."""

    loss: float
    jitter_ms: float
    mos: float


def quality(stats: Mapping[str, float]) -> Quality | None:
    """Of a leg's stats, as they are stored; None where nothing was received."""
    received, lost = stats.get("packets_received", 0), max(0, stats.get("packets_lost", 0))
    if not received:
        return None
    loss = 100 * lost / (received + lost)
    jitter_ms = stats.get("jitter_ms", 0.0)
    delay_ms = stats.get("round_trip_ms", 0.0) / 2 + PACKET_MS + 2 * jitter_ms
    return Quality(loss, jitter_ms, mos(loss, delay_ms))


def mos(loss: float, delay_ms: float) -> float:
    """The mean opinion score for a loss in percent and a one-way delay."""
    impaired_by_delay = 0.024 * delay_ms + 0.11 * max(0.0, delay_ms - 177.3)
    impaired_by_loss = IE + (95 - IE) * loss / (loss + BPL)
    r = max(0.0, min(100.0, R_BEST - impaired_by_delay - impaired_by_loss))
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)
