"""RTCP: sender and receiver reports, source description, goodbye (RFC 3550 §6).

Every compound packet of ours is a report (SR when we have sent since the last one, else RR) followed
by an SDES with our CNAME, and by a BYE at the end. Of the far end's packets we want its report about
us, which with the time we receive it gives the round trip (§6.4.1), and the time of its sender
report, which our next report quotes back.
"""

import struct
from dataclasses import dataclass

SENDER_REPORT, RECEIVER_REPORT, SOURCE_DESCRIPTION, GOODBYE = 200, 201, 202, 203
INTERVAL_S = 5.0

_HEADER = struct.Struct("!BBHI")
_SENDER_INFO = struct.Struct("!QIII")
_BLOCK = struct.Struct("!IB3sIIII")
_NTP_EPOCH_S = 2208988800  # 1900 to 1970
_CNAME = 1


class RtcpError(ValueError):
    """Not an RTCP packet; the message names what is wrong."""


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of one source; ``jitter`` in timestamp units, the rest as on the wire."""

    ssrc: int
    fraction_lost: int
    lost: int
    highest_sequence: int
    jitter: int
    last_sr: int  # the middle 32 bits of the NTP time of the last SR received, 0 for none
    delay_since_last_sr: int  # in 65536ths of a second


@dataclass(frozen=True, slots=True)
class SenderInfo:
    """``ntp`` as 32.32 bits since 1900, and the stream's timestamp at that time."""

    ntp: int
    timestamp: int
    packets: int
    octets: int


@dataclass(frozen=True, slots=True)
class Report:
    """One SR (with ``sender``) or RR, or a BYE (``goodbye``)."""

    ssrc: int
    sender: SenderInfo | None = None
    blocks: tuple[ReportBlock, ...] = ()
    goodbye: bool = False


def ntp_time(unix_s: float) -> int:
    return int((unix_s + _NTP_EPOCH_S) * (1 << 32))


def middle(ntp: int) -> int:
    return ntp >> 16 & 0xFFFFFFFF


def round_trip_s(block: ReportBlock, now_ntp: int) -> float | None:
    """§6.4.1, figure 2; None when the far end has not had a sender report of ours."""
    if not block.last_sr:
        return None
    trip = (middle(now_ntp) - block.last_sr - block.delay_since_last_sr) & 0xFFFFFFFF
    # A clock that was set, or a nonsense value, comes out negative: almost 2**32.
    return trip / 65536 if trip < 1 << 31 else None


def build(report: Report, cname: str) -> bytes:
    """The compound packet: report, SDES and, where asked for, BYE."""
    body = b""
    if report.sender is not None:
        info = report.sender
        body = _SENDER_INFO.pack(
            info.ntp, info.timestamp, info.packets & 0xFFFFFFFF, info.octets & 0xFFFFFFFF
        )
    body += b"".join(map(_build_block, report.blocks))
    kind = RECEIVER_REPORT if report.sender is None else SENDER_REPORT
    item = bytes((_CNAME, len(cname.encode()))) + cname.encode()
    item += bytes(4 - len(item) % 4)  # at least one null ends the chunk
    packets = _packet(len(report.blocks), kind, report.ssrc, body)
    packets += _packet(1, SOURCE_DESCRIPTION, report.ssrc, item)
    return packets + _packet(1, GOODBYE, report.ssrc, b"") if report.goodbye else packets


def _packet(count: int, kind: int, ssrc: int, body: bytes) -> bytes:
    return _HEADER.pack(0x80 | count, kind, 1 + len(body) // 4, ssrc) + body


def _build_block(block: ReportBlock) -> bytes:
    lost = max(-0x800000, min(0x7FFFFF, block.lost)).to_bytes(3, "big", signed=True)
    return _BLOCK.pack(
        block.ssrc,
        block.fraction_lost,
        lost,
        block.highest_sequence & 0xFFFFFFFF,
        block.jitter & 0xFFFFFFFF,
        block.last_sr,
        block.delay_since_last_sr & 0xFFFFFFFF,
    )


def parse(data: bytes) -> list[Report]:
    """The reports and goodbyes of a compound packet; other kinds are passed over."""
    reports = []
    at = 0
    while at < len(data):
        if at + 4 > len(data):
            raise RtcpError(f"{len(data) - at} octets at {at} < header 4")
        first, kind, words = struct.unpack_from("!BBH", data, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2:
            raise RtcpError(f"version {first >> 6}, not 2, at {at}")
        if end > len(data):
            raise RtcpError(f"packet ends at {end}, beyond {len(data)}")
        reports.extend(_parse_packet(first & 0x1F, kind, data[at + 4 : end]))
        at = end
    return reports


def _parse_packet(count: int, kind: int, body: bytes) -> list[Report]:
    if kind == GOODBYE:
        if len(body) < 4 * count:
            raise RtcpError(f"BYE of {count} sources in {len(body)} octets")
        return [Report(ssrc, goodbye=True) for (ssrc,) in struct.iter_unpack("!I", body[: 4 * count])]
    if kind not in (SENDER_REPORT, RECEIVER_REPORT):
        return []
    start = 4 + (_SENDER_INFO.size if kind == SENDER_REPORT else 0)
    if len(body) < start + _BLOCK.size * count:
        raise RtcpError(f"report with {count} blocks in {len(body)} octets")
    (ssrc,) = struct.unpack_from("!I", body)
    sender = SenderInfo(*_SENDER_INFO.unpack_from(body, 4)) if kind == SENDER_REPORT else None
    blocks = tuple(_parse_block(body, start + _BLOCK.size * index) for index in range(count))
    return [Report(ssrc, sender, blocks)]


def _parse_block(body: bytes, at: int) -> ReportBlock:
    ssrc, fraction, lost, highest, jitter, last_sr, delay = _BLOCK.unpack_from(body, at)
    return ReportBlock(
        ssrc, fraction, int.from_bytes(lost, "big", signed=True), highest, jitter, last_sr, delay
    )
