"""One endpoint's RTCP state: what our next report says, what the far end's said (RFC 3550 §6.4)."""

from media import rtcp
from media.outbound import Outbound
from media.rtp import Reception


class Reports:
    __slots__ = (
        "_cname",
        "_last_sr",
        "_last_sr_at_s",
        "_reported_packets",
        "remote_jitter_ms",
        "remote_lost",
        "round_trip_ms",
    )

    def __init__(self, cname: str) -> None:
        self.remote_lost = 0
        self.remote_jitter_ms = 0.0
        self.round_trip_ms = 0.0
        self._cname = cname
        self._last_sr = 0
        self._last_sr_at_s = 0.0
        self._reported_packets = 0

    def take(self, packet: bytes, ours: int, unix_s: float, clock_rate_hz: int = 8000) -> bool:
        """Read a compound packet of the far end's about ``ours``, our SSRC, whose timestamps count at
        ``clock_rate_hz``; whether it says goodbye.

        Raises :class:`~media.rtcp.RtcpError`.
        """
        goodbye = False
        for report in rtcp.parse(packet):
            goodbye |= report.goodbye
            if report.sender is not None:
                self._last_sr = rtcp.middle(report.sender.ntp)
                self._last_sr_at_s = unix_s
            for block in report.blocks:
                if block.ssrc == ours:
                    self._note(block, unix_s, clock_rate_hz)
        return goodbye

    def _note(self, block: rtcp.ReportBlock, unix_s: float, clock_rate_hz: int) -> None:
        self.remote_lost = max(0, block.lost)
        self.remote_jitter_ms = block.jitter * 1000 / clock_rate_hz
        trip_s = rtcp.round_trip_s(block, rtcp.ntp_time(unix_s))
        if trip_s is not None:
            self.round_trip_ms = trip_s * 1000

    def build(
        self,
        out: Outbound,
        reception: Reception,
        remote_ssrc: int | None,
        *,
        position: int,
        unix_s: float,
        goodbye: bool = False,
    ) -> bytes:
        """Our compound packet at ``position`` of the engine's clock."""
        sender = None
        if out.packets > self._reported_packets:
            self._reported_packets = out.packets
            sender = rtcp.SenderInfo(
                rtcp.ntp_time(unix_s), out.timestamp_at(position), out.packets, out.octets
            )
        blocks: tuple[rtcp.ReportBlock, ...] = ()
        if remote_ssrc is not None:
            delay = int((unix_s - self._last_sr_at_s) * 65536) if self._last_sr else 0
            blocks = (
                rtcp.ReportBlock(
                    remote_ssrc,
                    reception.fraction_lost(),
                    reception.lost,
                    reception.extended_highest,
                    int(reception.jitter_units),
                    self._last_sr,
                    max(0, delay),
                ),
            )
        return rtcp.build(rtcp.Report(out.ssrc, sender, blocks, goodbye), self._cname)
