"""RFC 3263 and RFC 2782 as tables: a place and what the DNS says, against hops in order."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.flow import Address
from sip.locate import MAX_HOPS, Hop, Naptr, Place, Question, Srv, locate

SPOKEN = ("udp", "tcp", "tls")


def hops(place: Place, zone: dict, *, spoken=SPOKEN, ipv6=False, draw=lambda n: 0) -> list[str]:
    return [f"{hop.transport}:{hop.address}" for hop in find(place, zone, spoken, ipv6, draw)]


def find(place, zone, spoken=SPOKEN, ipv6=False, draw=lambda n: 0) -> list[Hop]:
    search = locate(place, transports=spoken, ipv6=ipv6, draw=draw)
    try:
        question = next(search)
        while True:
            assert isinstance(question, Question)
            question = search.send(zone.get((question.kind.value, question.name), ()))
    except StopIteration as end:
        return end.value


ONE = {("A", "x.example"): ["192.0.2.1"], ("AAAA", "x.example"): ["2001:db8::1"]}
SRV = {
    ("SRV", "_sip._udp.x.example"): [Srv(20, 0, 5080, "b.example"), Srv(10, 0, 5070, "a.example")],
    ("SRV", "_sip._tcp.x.example"): [Srv(10, 0, 5071, "a.example")],
    ("SRV", "_sips._tcp.x.example"): [Srv(10, 0, 5061, "a.example")],
    ("A", "a.example"): ["192.0.2.10", "192.0.2.11"],
    ("A", "b.example"): ["192.0.2.20"],
    ("A", "x.example"): ["192.0.2.1"],
}
NAPTR = {
    ("NAPTR", "x.example"): [
        Naptr(50, 50, "s", "SIP+D2U", "_sip._udp.x.example"),
        Naptr(10, 50, "s", "SIPS+D2T", "_sips._tcp.x.example"),
        Naptr(10, 20, "s", "SIP+D2T", "_sip._tcp.x.example"),
        Naptr(1, 1, "s", "SIP+D2S", "_sip._sctp.x.example"),
        Naptr(1, 1, "u", "E2U+sip", ""),
    ]
}


@pytest.mark.parametrize(
    ("place", "zone", "expected"),
    [
        (Place("192.0.2.9"), {}, ["udp:192.0.2.9:5060"]),
        (Place("192.0.2.9", None, "tls"), {}, ["tls:192.0.2.9:5061"]),
        (Place("[2001:db8::9]", 5070, "tcp"), {}, ["tcp:[2001:db8::9]:5070"]),
        (Place("x.example", 5070), ONE, ["udp:192.0.2.1:5070"]),
        (Place("x.example", 5070, "tcp"), SRV, ["tcp:192.0.2.1:5070"]),  # a port asks for no SRV
        (Place("x.example", None, "udp"), SRV, ["udp:192.0.2.10:5070", "udp:192.0.2.11:5070", "udp:192.0.2.20:5080"]),
        (Place("x.example", None, "tls"), SRV, ["tls:192.0.2.10:5061", "tls:192.0.2.11:5061"]),
        (Place("x.example", None, "tls"), ONE, ["tls:192.0.2.1:5061"]),
        (Place("x.example"), ONE, ["udp:192.0.2.1:5060"]),
        (
            Place("x.example"),
            SRV | NAPTR,
            [
                *("tcp:192.0.2.10:5071", "tcp:192.0.2.11:5071", "tls:192.0.2.10:5061", "tls:192.0.2.11:5061"),
                *("udp:192.0.2.10:5070", "udp:192.0.2.11:5070", "udp:192.0.2.20:5080"),
            ],
        ),
        (Place("x.example", None, "udp"), {("SRV", "_sip._udp.x.example"): [Srv(1, 1, 0, ".")]} | ONE, ["udp:192.0.2.1:5060"]),
        (Place("nowhere.example"), {}, []),
    ],
)  # fmt: skip
def test_where_to_go(place, zone, expected) -> None:
    assert hops(place, zone) == expected


def test_only_what_we_speak_and_reach() -> None:
    assert hops(Place("x.example"), SRV | NAPTR, spoken=("udp",)) == [
        "udp:192.0.2.10:5070", "udp:192.0.2.11:5070", "udp:192.0.2.20:5080",
    ]  # fmt: skip
    assert hops(Place("x.example"), ONE, ipv6=True) == ["udp:192.0.2.1:5060", "udp:[2001:db8::1]:5060"]


def test_a_certificate_is_for_the_domain_asked_for() -> None:
    assert {hop.name for hop in find(Place("x.example", None, "tls"), SRV)} == {"x.example"}
    assert find(Place("192.0.2.9"), {}) == [Hop("udp", Address("192.0.2.9", 5060), "192.0.2.9")]


def test_weights_divide_the_first_place_among_equals() -> None:
    """RFC 2782: 3 of 4 calls to the one with three times the weight."""
    random = Random(1)
    zone = {
        ("SRV", "_sip._udp.x.example"): [Srv(1, 30, 1, "192.0.2.1"), Srv(1, 10, 2, "192.0.2.2"), Srv(1, 0, 3, "192.0.2.3")]
    }  # fmt: skip
    firsts = Counter(
        find(Place("x.example", None, "udp"), zone, draw=lambda n: random.randint(0, n))[0].address.port
        for _ in range(4000)
    )
    assert 0.70 < firsts[1] / 4000 < 0.80
    assert 0.18 < firsts[2] / 4000 < 0.30
    assert 0 < firsts[3] < 400


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 65535)), max_size=30), st.randoms())
def test_every_server_has_its_turn_and_priorities_hold(records, random) -> None:
    srv = [Srv(priority, weight, 1 + n, f"192.0.2.{n}") for n, (priority, weight) in enumerate(records)]
    found = find(
        Place("x.example", None, "udp"),
        {("SRV", "_sip._udp.x.example"): srv},
        draw=lambda n: random.randint(0, n),
    )
    ports = [hop.address.port for hop in found]
    assert len(set(ports)) == len(ports) == min(len(srv), MAX_HOPS)
    priorities = [srv[port - 1].priority for port in ports]
    assert priorities == sorted(priorities)
