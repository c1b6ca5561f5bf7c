"""HEP version 3 (the Homer Encapsulation Protocol): each message, as it happens, to a HOMER collector.

A packet is ``HEP3``, its length, and chunks of vendor, type, length and value (hep-proto, "HEP3 Network
Protocol Specification", rev. 32). It goes by UDP and is never waited for.
"""

import contextlib
import socket
import struct
from ipaddress import ip_address

from pbx.siptrace.message import Traced
from pbx.siptrace.pcap import split

_IPV4, _IPV6, _TCP, _UDP, _SIP = 2, 10, 6, 17, 1
LONGEST = 60_000


def as_hep(message: Traced, correlation: str, agent_id: int, password: str = "") -> bytes | None:
    """The packet; None for a message to a name that has no address yet."""
    (source, source_port), (target, target_port) = split(message.source), split(message.target)
    try:
        here, there = ip_address(source), ip_address(target)
    except ValueError:
        return None
    six = here.version == 6
    micros = round(message.at * 1e6)
    chunks = [
        _chunk(1, bytes([_IPV6 if six else _IPV4])),
        _chunk(2, bytes([_UDP if message.transport == "udp" else _TCP])),
        _chunk(5 if six else 3, here.packed),
        _chunk(6 if six else 4, there.packed),
        _chunk(7, struct.pack("!H", source_port)),
        _chunk(8, struct.pack("!H", target_port)),
        _chunk(9, struct.pack("!I", micros // 10**6)),
        _chunk(10, struct.pack("!I", micros % 10**6)),
        _chunk(11, bytes([_SIP])),
        _chunk(12, struct.pack("!I", agent_id)),
        *([_chunk(14, password.encode())] if password else []),
        _chunk(15, message.data[:LONGEST]),
        _chunk(17, correlation.encode()),
    ]
    body = b"".join(chunks)
    return b"HEP3" + struct.pack("!H", 6 + len(body)) + body


def _chunk(kind: int, value: bytes) -> bytes:
    return struct.pack("!HHH", 0, kind, 6 + len(value)) + value


class HepExporter:
    """Raises OSError where the collector's name has no address."""

    def __init__(self, host: str, port: int, agent_id: int, password: str) -> None:
        self._agent_id = agent_id
        self._password = password
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        self._socket = socket.socket(family, kind)
        self._socket.setblocking(False)
        self._socket.connect(address)

    def send(self, message: Traced, correlation: str) -> None:
        packet = as_hep(message, correlation, self._agent_id, self._password)
        if packet is not None:
            with contextlib.suppress(OSError):  # nobody there, or no room: the next one may arrive
                self._socket.send(packet)

    def close(self) -> None:
        self._socket.close()
