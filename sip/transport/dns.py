"""Asking the DNS, for :mod:`sip.locate`: dnspython, its cache by each record's TTL, and the hosts file.

A name that the DNS does not know (or no DNS at all) is asked of the system, which also reads
``/etc/hosts``; of a name without a dot, only the system is asked.
"""

import asyncio
import contextlib
import logging
import random
import socket
from collections.abc import Sequence
from typing import Protocol

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.NAPTR import NAPTR
from dns.rdtypes.IN.SRV import SRV

from sip.locate import Hop, Kind, Naptr, Place, Question, Record, Search, Srv, locate

log = logging.getLogger(__name__)

PATIENCE_S = 5.0
SHORTEST_S, LONGEST_S = 5.0, 3600.0  # how long an answer is believed, whatever its TTL says
UNKNOWN_TTL_S = 60.0  # the system's answers have none
CACHED_ANSWERS = 1000


class Resolver(Protocol):
    """Answers questions. Injected: tests have one for a server of their own."""

    async def ask(self, question: Question) -> tuple[Sequence[Record], float]:
        """The records and for how many seconds they hold; none if there are none. Never raises."""
        ...


class DnsResolver:
    """The system's name servers, or ``nameservers`` (``address`` or ``address:port``)."""

    def __init__(self, nameservers: Sequence[str] = ()) -> None:
        self._resolver: dns.asyncresolver.Resolver | None = None
        with contextlib.suppress(dns.exception.DNSException, OSError):  # a machine without a DNS
            self._resolver = dns.asyncresolver.Resolver(configure=not nameservers)
        if self._resolver is None:
            return
        if nameservers:
            host, _, port = nameservers[0].rpartition(":")
            self._resolver.nameservers = [host]
            self._resolver.port = int(port)
        self._resolver.cache = dns.resolver.LRUCache(CACHED_ANSWERS)
        self._resolver.lifetime = PATIENCE_S

    async def ask(self, question: Question) -> tuple[Sequence[Record], float]:
        records: Sequence[Record] = ()
        ttl_s = UNKNOWN_TTL_S
        if self._resolver is not None and "." in question.name.rstrip("."):
            try:
                answer = await self._resolver.resolve(
                    question.name, question.kind.value, raise_on_no_answer=False
                )
            except (dns.exception.DNSException, OSError, ValueError) as error:
                log.debug("no answer to %s %s: %s", question.kind, question.name, error)
            else:
                records = [_record(data) for data in answer.rrset or ()]
                ttl_s = answer.rrset.ttl if answer.rrset else UNKNOWN_TTL_S
        if not records and question.kind in (Kind.A, Kind.AAAA):
            return await _ask_the_system(question), ttl_s
        return records, ttl_s


async def _ask_the_system(question: Question) -> Sequence[Record]:
    family = socket.AF_INET if question.kind is Kind.A else socket.AF_INET6
    try:
        found = await asyncio.get_running_loop().getaddrinfo(
            question.name, None, family=family, type=socket.SOCK_DGRAM
        )
    except (OSError, UnicodeError):
        return ()
    return list(dict.fromkeys(str(each[4][0]) for each in found))


def _record(data: object) -> Record:
    if isinstance(data, SRV):
        return Srv(data.priority, data.weight, data.port, data.target.to_text(omit_final_dot=True))
    if isinstance(data, NAPTR):
        return Naptr(
            data.order,
            data.preference,
            data.flags.decode("ascii", "replace"),
            data.service.decode("ascii", "replace"),
            data.replacement.to_text(omit_final_dot=True),
        )
    return str(data)


async def search(
    resolver: Resolver, place: Place, *, transports: Sequence[str], ipv6: bool
) -> tuple[list[Hop], float]:
    """The hops of ``place`` and for how many seconds they hold. Never raises."""
    steps: Search = locate(place, transports=transports, ipv6=ipv6, draw=lambda n: random.randint(0, n))
    holds_s = LONGEST_S
    try:
        question = next(steps)
        while True:
            records, ttl_s = await resolver.ask(question)
            if records:
                holds_s = min(holds_s, ttl_s)
            question = steps.send(records)
    except StopIteration as end:
        hops: list[Hop] = end.value
    return hops, max(SHORTEST_S, holds_s if hops else UNKNOWN_TTL_S)
