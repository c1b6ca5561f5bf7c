"""A site that sends conversions, a visitor who clicked, and the platforms that hear of it."""

import asyncio
import json
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import Session

from pbx.clock import VirtualClock
from pbx.config.conversions import Conversions
from pbx.conversions.carrier import ConversionCarrier, kind_of
from pbx.conversions.google_ads import AccessToken
from pbx.conversions.reader import ConversionReader, platforms
from pbx.httpclient import WebClient
from pbx.outbox import Result
from pbx.store.contacts import Contacts
from pbx.store.database import open_engine
from pbx.store.encoding import Record, iso, to_ms
from pbx.store.migrations import migrate
from pbx.store.outbox import Parcel, Waiting
from pbx.store.tables import CallRow, MessageRow, TagRow
from pbx.store.visitor_tables import ContactRow, TouchRow, VisitorIdRow, VisitorRow
from tests.support.ad_platforms import AdPlatforms, ad_platforms

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOW_MS = to_ms(NOW)
HOUR_MS = 3_600_000
VISITOR = "0" * 31 + "1"
ZONE = ZoneInfo("America/New_York")


def settings(url: str = "http://127.0.0.1:9", **changes: Any) -> Conversions:
    """The three platforms behind one URL."""
    events = {
        "lead": {"status": ["answered"], "min_talk": "60s", "value": 40},
        "sale": {"outcome": ["sale"], "value": {"sale": 250}},
        "enquiry": {"of": ["forms", "texts"]},
    }
    given: dict[str, Any] = {
        "events": events,
        "ga4": {
            "measurement_id": "G-ABC123",
            "api_secret": "secret",
            "send": {"lead": "generate_lead", "sale": "purchase"},
            "url": url,
        },
        "google_ads": {
            "customer_id": "123-456-7890",
            "developer_token": "developer",
            "client_id": "client",
            "client_secret": "client-secret",
            "refresh_token": "refresh",
            "send": {"lead": "111", "sale": "222"},
            "url": url,
            "token_url": f"{url}/token",
        },
        "meta": {
            "pixel_id": "1234567",
            "access_token": "token",
            "send": {"lead": "Lead", "sale": "Purchase", "enquiry": "Contact"},
            "url": url,
        },
    }
    for name, change in changes.items():
        given[name] = given[name] | change if isinstance(given.get(name), dict) and change else change
    return Conversions.model_validate(given)


@pytest.fixture
def services():
    with ad_platforms(now=NOW.timestamp) as made:
        yield made


@pytest.fixture
def engine(tmp_path):
    made = open_engine(f"sqlite:///{tmp_path}/pbx.db")
    migrate(made)
    with Session(made) as session:
        session.add(VisitorRow(id=VISITOR, first_ms=NOW_MS - 30 * HOUR_MS, last_ms=NOW_MS))
        session.commit()
    click(made, NOW_MS - 2 * HOUR_MS, gclid="Cj0KCQ")
    yield made
    made.dispose()


def click(engine, at_ms: int, visitor: str = VISITOR, **params: str) -> None:
    with Session(engine) as session:
        session.add(
            TouchRow(
                id=at_ms,
                visitor_id=visitor,
                at_ms=at_ms,
                session_ms=at_ms,
                arrival=1,
                source="google-ads",
                medium="cpc",
                campaign="spring",
                keyword="plumber",
                content="",
                click_id="",
                page="https://www.example.com/offer",
                referrer="",
                params=json.dumps(params),
                pool="website",
                shown="+12125550110",
            )
        )
        session.commit()


def ids(engine, **given: str) -> None:
    with Session(engine) as session:
        for name, value in given.items():
            session.add(VisitorIdRow(visitor_id=VISITOR, name=name, value=value, at_ms=NOW_MS))
        session.commit()


def call(engine, id: str = "call-1", *, tags: Sequence[str] = (), **changes: Any) -> str:
    values: dict[str, Any] = {
        "direction": "inbound",
        "from_number": "+12125550999",
        "to_number": "+12125550110",
        "trunk": "carrier",
        "sip_call_id": "x",
        "flow": "main",
        "source": "google-ads",
        "medium": "cpc",
        "campaign": "spring",
        "keyword": "plumber",
        "landing_page": "https://www.example.com/offer",
        "status": "answered",
        "started_ms": NOW_MS - HOUR_MS,
        "ended_ms": NOW_MS - HOUR_MS + 120_000,
        "talk_ms": 90_000,
        "visitor": VISITOR,
        "probability": 0.97,
    }
    with Session(engine) as session:
        session.add(CallRow(id=id, **(values | changes)))
        session.add_all(TagRow(call_id=id, tag=tag) for tag in tags)
        session.add(
            ContactRow(
                id=values["started_ms"] + hash(id) % 1000,
                visitor_id=VISITOR,
                at_ms=(values | changes)["started_ms"],
                channel="call",
                ref=id,
                phone="",
                probability=1.0,
            )
        )
        session.commit()
    return id


def form(engine, id: str = "form-1", **changes: Any) -> str:
    values: dict[str, Any] = {
        "channel": "form",
        "direction": "in",
        "thread": "t",
        "via": "site",
        "fields": json.dumps({"phone": "(212) 555-0999", "email": "Ann.Lee@Example.com"}),
        "visitor": VISITOR,
        "source": "google-ads",
        "state": "received",
        "created_ms": NOW_MS - HOUR_MS,
    }
    with Session(engine) as session:
        session.add(MessageRow(id=id, **(values | changes)))
        session.commit()
    return id


def ended(id: str, kind: str = "call.ended", at_ms: int = NOW_MS - HOUR_MS + 120_000) -> Record:
    return {"id": 1, "kind": kind, "call_id": id, "at": iso(at_ms)}


def came_in(id: str) -> Record:
    return {
        "id": 1,
        "kind": "message.received",
        "call_id": "",
        "message_id": id,
        "at": iso(NOW_MS - HOUR_MS),
    }


def read(engine, config: Conversions, *events: Record) -> list[Parcel]:
    """What the reader makes of these events."""
    token = AccessToken(WebClient())
    ready = tuple(platforms(config, ZONE, token).values())
    reader = ConversionReader(config, "USD", Contacts(engine, "US"), ready, NOW)
    return [parcel for event in events for parcel in reader(event)]


def waiting(parcel: Parcel, id: int = 1, attempts: int = 0) -> Waiting:
    return Waiting(
        id,
        parcel.lane,
        parcel.kind,
        parcel.target,
        json.loads(json.dumps(parcel.body)),
        attempts,
        NOW,
        NOW + timedelta(days=1),
    )


async def everybody(visitors: Collection[str]) -> frozenset[str]:
    return frozenset(visitors)


def carry(
    config: Conversions, parcels: Sequence[Parcel], *, now: datetime = NOW, times: int = 1, attempts: int = 0
) -> list[Result]:
    """Send parcels of one platform over real HTTP; what became of each the last time."""
    name = parcels[0].target

    async def main() -> list[Result]:
        http, clock = WebClient(), VirtualClock(now)
        token = AccessToken(http)
        carrier = ConversionCarrier(
            name, 2000, lambda: platforms(config, ZONE, token).get(name), http, clock, everybody
        )
        given = [waiting(parcel, number, attempts) for number, parcel in enumerate(parcels)]
        for _ in range(times):
            results = list(await carrier.carry(given))
        await http.close()
        return results

    return asyncio.run(main())


def of(parcels: Sequence[Parcel], name: str) -> list[Parcel]:
    assert all(parcel.lane == parcel.kind == kind_of(parcel.target) for parcel in parcels)
    return [parcel for parcel in parcels if parcel.target == name]


__all__ = ["AdPlatforms"]
