"""Visitors in the database: what the writer records, what a restart reads, what retention forgets."""

import asyncio
from datetime import timedelta

import pytest

from pbx.attribution.events import ContactMade, LeaseSeen, PageViewed
from pbx.attribution.sources import Arrival
from pbx.clock import VirtualClock
from pbx.store.calls import Calls
from pbx.store.pool_traffic import pool_traffic
from pbx.store.visitors import VisitorStore
from pbx.store.writer import CallWriter
from tests.support.made_calls import NOON, started

ADS = Arrival("ads", "cpc", "Spring", "pipe", "", "gclid=1", "https://acme.example/", "https://google.com/")
DIRECT = Arrival("direct", "none", "", "", "", "", "https://acme.example/x", "")


def ms(moment):
    return round(moment.timestamp() * 1000)


def viewed(visitor, at, arrival=None, session=None, pool="website"):
    return PageViewed(
        at=at, visitor=visitor, session_ms=ms(session or at), page="https://acme.example/", referrer="",
        arrival=arrival, params={"gclid": "1"}, pool=pool, shown="+1" if pool else "", device="desktop Firefox",
    )  # fmt: skip


def lent(visitor, number, at, seen=None, arrival=ADS):
    seen = seen or at
    until = seen + timedelta(minutes=30)
    return LeaseSeen(
        at=seen, visitor=visitor, number=number, pool="website", started_ms=ms(at), seen_ms=ms(seen),
        until_ms=ms(until), arrival=arrival,
    )  # fmt: skip


def contact(visitor, at, phone="", probability=1.0, ref="c1"):
    return ContactMade(at=at, visitor=visitor, channel="call", ref=ref, phone=phone, probability=probability)


@pytest.fixture
def record(url, tmp_path):
    """Write events as a live server does."""

    def record(*events):
        async def write():
            writer = CallWriter(url, tmp_path, VirtualClock(NOON))
            await writer.start()
            for event in events:
                writer.write(event)
            await writer.close()

        asyncio.run(write())

    return record


def test_a_restart_reads_leases_and_phones(engine, record):
    later = NOON + timedelta(minutes=5)
    record(
        lent("ann", "+1", NOON),
        lent("ann", "+1", NOON, later, DIRECT),
        lent("bob", "+2", NOON - timedelta(days=40)),
        contact("ann", NOON, "+12125557788", 0.97),
        contact("bob", NOON, "+12125557789", 0.3),
    )
    store = VisitorStore(engine)
    (lease,) = store.leases(later)
    assert (lease.visitor, lease.number, lease.started_ms, lease.seen_ms) == (
        "ann",
        "+1",
        ms(NOON),
        ms(later),
    )
    assert lease.arrival == DIRECT
    ((phone, tie),) = store.phones()
    assert (phone, tie.visitor, tie.probability) == ("+12125557788", "ann", 0.97)
    assert store.learned() is None


def test_a_calls_journey(engine, record):
    visit, again = NOON - timedelta(days=3), NOON - timedelta(minutes=2)
    record(
        viewed("ann", visit, ADS),
        viewed("ann", visit + timedelta(minutes=1), session=visit),
        contact("ann", visit + timedelta(minutes=2), ref="form"),
        viewed("ann", again, DIRECT),
        viewed("bob", again, ADS),
        started("c1", NOON, visitor="ann", probability=0.98),
        viewed("ann", NOON + timedelta(hours=1), ADS),
    )
    way = Calls(engine).history("c1").journey
    assert [touch.source for touch in way.touches] == ["ads", "direct"]
    assert (way.first.campaign, way.last.campaign, way.lead.source) == ("Spring", "", "ads")
    assert (way.pages, way.visits, way.calls_before) == (3, 2, 0)
    timeline = VisitorStore(engine).timeline("ann")
    assert (len(timeline.touches), len(timeline.contacts)) == (4, 1)
    assert timeline.visitor.device == "desktop Firefox"
    assert VisitorStore(engine).timeline("nobody") is None


def test_a_call_without_a_visitor_has_no_journey(engine, record):
    record(started("c1", NOON))
    assert Calls(engine).history("c1").journey is None


def test_retention_forgets_visitors_whole(engine, record):
    old = NOON - timedelta(days=500)
    record(
        viewed("ann", old, ADS), lent("ann", "+1", old), contact("ann", old, "+12125557788"),
        viewed("bob", old, ADS), viewed("bob", NOON, DIRECT),
        started("c1", NOON, visitor="ann", campaign="Spring"),
    )  # fmt: skip
    store, before = VisitorStore(engine), NOON - timedelta(days=400)
    assert store.old(before) == 1
    store.forget(before)
    assert store.old(before) == 0
    assert store.timeline("ann") is None
    assert [touch.source for touch in store.timeline("bob").touches] == ["direct"]
    assert store.phones() == []
    history = Calls(engine).history("c1")
    assert (history.journey, history.call.row.campaign) == (None, "Spring")


def test_a_pools_traffic(engine, record):
    hour = NOON.replace(minute=0)
    record(
        *(viewed(f"v{n}", hour + timedelta(minutes=n), ADS) for n in range(5)),
        viewed("dry", hour + timedelta(minutes=9), ADS, pool=""),
        viewed("other", hour, DIRECT, pool=""),
        viewed("early", hour - timedelta(hours=3), ADS),
        lent("v0", "+1", hour, hour + timedelta(minutes=10)),
    )
    found = pool_traffic(engine, "website", ["ads"], hour - timedelta(days=1), hour + timedelta(days=1))
    assert (found.leases, found.turned_away, found.busiest_hour, found.visits) == (1, 1, 6, 7)
    assert found.kept_s == 2400
