"""The resolver against a name server on loopback, and calls that find their way by it."""

import asyncio

from sip.locate import Kind, Naptr, Place, Question, Srv
from sip.transport.dns import DnsResolver, search
from tests.support.dns_server import name_server

ZONE = {
    ("carrier.example", "NAPTR"): ['10 50 "s" "SIP+D2T" "" _sip._tcp.carrier.example.'],
    ("_sip._tcp.carrier.example", "SRV"): ["10 1 5070 a.carrier.example.", "20 1 5071 b.carrier.example."],
    ("a.carrier.example", "A"): ["127.0.0.1"],
    ("b.carrier.example", "A"): ["127.0.0.2"],
}


def run(main) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await main()

    asyncio.run(bounded())


def test_every_kind_of_record_and_none() -> None:
    async def main() -> None:
        async with name_server(ZONE, ttl_s=120) as server:
            resolver = DnsResolver([server.address])
            assert await resolver.ask(Question(Kind.NAPTR, "carrier.example")) == (
                [Naptr(10, 50, "s", "SIP+D2T", "_sip._tcp.carrier.example")],
                120,
            )
            records, _ = await resolver.ask(Question(Kind.SRV, "_sip._tcp.carrier.example"))
            assert set(records) == {
                Srv(10, 1, 5070, "a.carrier.example"),
                Srv(20, 1, 5071, "b.carrier.example"),
            }
            assert (await resolver.ask(Question(Kind.A, "a.carrier.example")))[0] == ["127.0.0.1"]
            for kind in (Kind.SRV, Kind.NAPTR):
                assert (await resolver.ask(Question(kind, "nowhere.invalid")))[0] == ()

    run(main)


def test_answers_are_kept_as_long_as_they_hold() -> None:
    async def main() -> None:
        async with name_server(ZONE, ttl_s=30) as server:
            resolver = DnsResolver([server.address])
            for _ in range(3):
                hops, holds_s = await search(
                    resolver, Place("carrier.example", None, None), transports=("udp", "tcp"), ipv6=False
                )
                assert [f"{hop.transport}:{hop.address}" for hop in hops] == [
                    "tcp:127.0.0.1:5070",
                    "tcp:127.0.0.2:5071",
                ]
                assert 5 <= holds_s <= 30
            assert set(server.asked.values()) == {1}

    run(main)


def test_what_the_dns_does_not_know_the_system_may() -> None:
    async def main() -> None:
        async with name_server({}) as server:
            resolver = DnsResolver([server.address])
            assert "127.0.0.1" in (await resolver.ask(Question(Kind.A, "localhost")))[0]
            hops, holds_s = await search(
                resolver, Place("no-such-host.invalid"), transports=("udp",), ipv6=False
            )
            assert hops == []
            assert holds_s == 60

    run(main)
