"""Where a name is reached: RFC 3263 with RFC 2782's order, as questions and answers without a socket.

Theory of operation. :func:`locate` is a generator. It yields a :class:`Question` for the DNS and is sent
the records that answer it (none where there are none); what it returns in the end is every hop to try,
in the order in which to try them (§4.3: the next one where one fails). Whoever drives it owns sockets,
caches and patience.

What decides (§4.1, §4.2), from the most particular down: an IP address needs no question; a port that is
given needs the address alone; a transport that is given, its SRV records; neither, NAPTR says which
transports the domain wants, and in what order; where it says nothing, the SRV records of each transport
that we speak; and without any, the address at the default port.

Of SRV records, lower priorities come first; among equals a draw by weight puts the next one (RFC 2782):
that is the only chance in here, and it is given.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sip.flow import Address, is_ip, unbracketed

MAX_HOPS = 16
PORT, TLS_PORT = 5060, 5061


class Kind(StrEnum):
    NAPTR = "NAPTR"
    SRV = "SRV"
    A = "A"
    AAAA = "AAAA"


@dataclass(frozen=True, slots=True)
class Question:
    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Naptr:
    """RFC 3403: of those with our services, the lowest order and preference comes first."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Srv:
    priority: int
    weight: int
    port: int
    target: str


Record = Naptr | Srv | str  # an address is text


@dataclass(frozen=True, slots=True)
class Place:
    """What an admin or a URI says: a host, and perhaps a transport and a port."""

    host: str
    port: int | None = None
    transport: str | None = None


@dataclass(frozen=True, slots=True)
class Hop:
    """One way to get there. ``name`` is whom to expect at the other end of a TLS connection."""

    transport: str
    address: Address
    name: str = ""


Search = Generator[Question, Sequence[Record], list[Hop]]

_SERVICES = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls", "SIP+D2W": "ws", "SIPS+D2W": "wss"}
_PREFIXES = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}


def locate(
    place: Place,
    *,
    transports: Sequence[str],
    ipv6: bool,
    draw: Callable[[int], int],
) -> Search:
    """The hops of ``place``. ``transports`` are those we speak, ``ipv6`` whether we reach such
    addresses, and ``draw(n)`` gives a number from 0 to n."""
    host = unbracketed(place.host)
    if is_ip(host):
        transport = place.transport or "udp"
        return [Hop(transport, Address(host, place.port or default_port(transport)), host)]
    hops: list[Hop] = []
    if place.port is None:
        for transport, name in (yield from _services(host, place.transport, transports)):
            for srv in _in_order((yield Question(Kind.SRV, name)), draw):
                hops += yield from _addresses(srv.target, transport, srv.port, ipv6, host)
    if not hops:
        transport = place.transport or "udp"
        hops += yield from _addresses(host, transport, place.port or default_port(transport), ipv6, host)
    return list(dict.fromkeys(hops))[:MAX_HOPS]


def default_port(transport: str) -> int:
    return TLS_PORT if transport == "tls" else PORT


def _services(
    host: str, transport: str | None, transports: Sequence[str]
) -> Generator[Question, Sequence[Record], list[tuple[str, str]]]:
    """Which SRV records to ask for, and the transport of each (§4.1)."""
    if transport is not None:
        return [(transport, f"{_PREFIXES[transport]}{host}")] if transport in _PREFIXES else []
    answer = yield Question(Kind.NAPTR, host)
    wanted = [
        (record.order, record.preference, _SERVICES[record.service.upper()], record.replacement)
        for record in answer
        if isinstance(record, Naptr)
        and record.flags.lower() == "s"
        and _SERVICES.get(record.service.upper()) in transports
    ]
    if wanted:
        return [(transport, name) for _, _, transport, name in sorted(wanted)]
    return [(each, f"{prefix}{host}") for each, prefix in _PREFIXES.items() if each in transports]


def _in_order(answer: Iterable[Record], draw: Callable[[int], int]) -> list[Srv]:
    """RFC 2782: by priority, and by a draw of weights among equals. A target of "." offers no service."""
    records = [record for record in answer if isinstance(record, Srv) and record.target not in ("", ".")]
    ordered: list[Srv] = []
    for priority in sorted({record.priority for record in records}):
        # Those without weight stand first, which gives them the smallest of chances.
        equals = sorted((r for r in records if r.priority == priority), key=lambda r: r.weight)
        while equals:
            drawn, total = draw(sum(record.weight for record in equals)), 0
            for record in equals:
                total += record.weight
                if total >= drawn:
                    break
            equals.remove(record)
            ordered.append(record)
    return ordered


def _addresses(
    target: str, transport: str, port: int, ipv6: bool, name: str
) -> Generator[Question, Sequence[Record], list[Hop]]:
    """``name`` is the domain asked for: a certificate is for it, not for what SRV says (RFC 5922 §4)."""
    if is_ip(target):
        return [Hop(transport, Address(target, port), name)]
    found: list[Record] = list((yield Question(Kind.A, target)))
    if ipv6:
        found += yield Question(Kind.AAAA, target)
    return [Hop(transport, Address(text, port), name) for text in found if isinstance(text, str)]
