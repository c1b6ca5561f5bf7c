"""A call's messages as a pcap file that Wireshark and sngrep read.

Packets are made up around the messages: IP and UDP headers with the addresses seen, also where a message
came by TCP or TLS, whose segments and ciphers are not kept. Link type 101 is bare IP.
"""

import struct
from collections.abc import Iterator, Sequence
from ipaddress import ip_address

from pbx.siptrace.message import Traced

_MAGIC, _LINK_RAW, _LONGEST = 0xA1B2C3D4, 101, 65_535
_UDP = 17


def as_pcap(messages: Sequence[Traced]) -> bytes:
    head = struct.pack("<IHHiIII", _MAGIC, 2, 4, 0, 0, _LONGEST, _LINK_RAW)
    return head + b"".join(_records(messages))


def _records(messages: Sequence[Traced]) -> Iterator[bytes]:
    for message in messages:
        packet = _packet(message)
        if packet is not None:
            micros = round(message.at * 1e6)
            yield struct.pack("<IIII", micros // 10**6, micros % 10**6, len(packet), len(packet)) + packet


def split(address: str) -> tuple[str, int]:
    """``[::1]:5060`` as host and port."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _packet(message: Traced) -> bytes | None:
    (source, source_port), (target, target_port) = split(message.source), split(message.target)
    try:
        here, there = ip_address(source).packed, ip_address(target).packed
    except ValueError:  # a name that was never resolved
        return None
    length = 8 + len(message.data)
    if len(here) != len(there) or length > 65_000:
        return None
    udp = struct.pack("!HHHH", source_port, target_port, length, 0)
    checksum = _checksum(here + there + struct.pack("!HH", _UDP, length) + udp + message.data) or 0xFFFF
    udp = struct.pack("!HHHH", source_port, target_port, length, checksum)
    if len(here) == 16:
        return struct.pack("!IHBB", 6 << 28, length, _UDP, 64) + here + there + udp + message.data
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, _UDP, 0)
    checksum = _checksum(head + here + there)
    return head[:10] + struct.pack("!H", checksum) + here + there + udp + message.data


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
