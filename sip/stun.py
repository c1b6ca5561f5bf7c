"""STUN on SIP's own sockets (RFC 5626 §3.5.2, §8): a phone's keep-alive, answered with where it comes from.

Only what that needs of RFC 8489: a Binding request, and a success response with XOR-MAPPED-ADDRESS.
"""

import struct
from ipaddress import ip_address

from sip.flow import Address

MAGIC_COOKIE = 0x2112A442
HEADER_BYTES = 20
_HEADER = struct.Struct("!HHI12s")
_BINDING_REQUEST, _BINDING_SUCCESS = 0x0001, 0x0101
_XOR_MAPPED_ADDRESS = 0x0020


def is_stun(data: bytes) -> bool:
    """Whether a datagram is STUN: no SIP message begins with two zero bits (RFC 8489 §5)."""
    return len(data) >= HEADER_BYTES and data[0] < 0x40 and data[4:8] == MAGIC_COOKIE.to_bytes(4)


def binding_response(data: bytes, source: Address) -> bytes | None:
    """The answer to a Binding request that came from ``source``; None to anything else."""
    kind, length, _, transaction = _HEADER.unpack_from(data)
    if kind != _BINDING_REQUEST or length % 4 or HEADER_BYTES + length != len(data):
        return None
    address = ip_address(source.host.partition("%")[0])
    mask = (MAGIC_COOKIE.to_bytes(4) + transaction)[: len(address.packed)]
    masked = bytes(a ^ b for a, b in zip(address.packed, mask, strict=True))
    family = 1 if address.version == 4 else 2
    value = struct.pack("!BBH", 0, family, source.port ^ (MAGIC_COOKIE >> 16)) + masked
    attribute = struct.pack("!HH", _XOR_MAPPED_ADDRESS, len(value)) + value
    return _HEADER.pack(_BINDING_SUCCESS, len(attribute), MAGIC_COOKIE, transaction) + attribute
