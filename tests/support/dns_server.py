"""A name server on loopback that knows the records it is given, and counts what it is asked."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

Zone = dict[tuple[str, str], list[str]]  # (name, type) -> records as a zone file has them


class NameServer(asyncio.DatagramProtocol):
    def __init__(self, zone: Zone, ttl_s: int) -> None:
        self.zone = zone
        self.ttl_s = ttl_s
        self.asked: Counter[tuple[str, str]] = Counter()
        self.address = ""
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        host, port = transport.get_extra_info("sockname")
        self.address = f"{host}:{port}"

    def datagram_received(self, data: bytes, addr: Any) -> None:
        query = dns.message.from_wire(data)
        question = query.question[0]
        key = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        self.asked[key] += 1
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA
        if records := self.zone.get(key):
            reply.answer.append(dns.rrset.from_text(question.name, self.ttl_s, "IN", key[1], *records))
        elif all(name != key[0] for name, _ in self.zone):
            reply.set_rcode(dns.rcode.NXDOMAIN)
        cast(asyncio.DatagramTransport, self._transport).sendto(reply.to_wire(), addr)


@asynccontextmanager
async def name_server(zone: Zone, ttl_s: int = 60) -> AsyncIterator[NameServer]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: NameServer(zone, ttl_s), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()
        await asyncio.sleep(0)
