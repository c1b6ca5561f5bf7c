"""A flow: the way by which a message came or shall go (RFC 5626 §2).

For UDP it is a listening socket and the peer's address; for TCP also the connection. Answers,
requests to a registered phone behind NAT and in-dialog requests to an agent follow the flow on
which the peer was last heard, whatever addresses its headers claim.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple


class Address(NamedTuple):
    """Host (an IP address without brackets, or a name) and port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


@dataclass(frozen=True, slots=True)
class Flow:
    """``connection`` tells one TCP connection from another; 0 means any to ``remote``, or a new one."""

    transport: str  # "udp", "tcp", "tls", "ws" or "wss"
    remote: Address
    listener: int = 0  # index of the listening socket that it belongs to
    connection: int = 0
    server_name: str = field(default="", compare=False)  # whom a new TLS connection must find there

    @property
    def reliable(self) -> bool:
        return self.transport != "udp"

    def __str__(self) -> str:
        return f"{self.transport}:{self.remote}"


def bracketed(host: str) -> str:
    """An IPv6 address as it stands in a URI or Via; anything else unchanged."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def unbracketed(host: str) -> str:
    return host[1:-1] if host.startswith("[") else host


@lru_cache(maxsize=4096)
def is_ip(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
