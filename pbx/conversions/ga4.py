"""Google Analytics 4, Measurement Protocol.

Read from developers.google.com/analytics/devguides/collection/protocol/ga4: ``sending-events`` and
``reference``, and support.google.com/analytics/answer/9267744 (collection limits):

* a request holds at most 25 events of one ``client_id``, in at most 130 kB;
* an event may be back-dated by at most 72 hours (``timestamp_micros``);
* names have at most 40 characters, an event at most 25 parameters, a parameter's value 100 characters;
* nothing by which Google could know a person: no telephone number, no e-mail address, in no parameter
  (support.google.com/analytics/answer/6366371).

The service answers 204 to whatever it gets, so everything is checked here. An event belongs to a browser:
the client id of its ``_ga`` cookie, or, where Google's tag does not run, one made from the visitor's id.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from urllib.parse import urlencode

from pbx.config.conversions import Ga4
from pbx.conversions.facts import Contact, Known
from pbx.conversions.platform import Item, Sale, Verdict, post, refused
from pbx.conversions.privacy import personal
from pbx.httpcalls import WebAnswer, WebRequest
from pbx.outbox import Delivered, Result
from pbx.store.encoding import to_ms
from pbx.store.outbox import Waiting

OLDEST = timedelta(hours=72)
LONGEST_VALUE = 100
MOST_PARAMETERS = 25


class GoogleAnalytics:
    name = "ga4"
    most = 25
    largest = 130_000

    def __init__(self, settings: Ga4) -> None:
        self._settings = settings

    @property
    def events(self) -> Sequence[str]:
        return tuple(self._settings.send)

    def item(self, contact: Contact, known: Known, sale: Sale) -> Item | str:
        said: dict[str, str | float] = {
            "transaction_id": contact.id,
            "engagement_time_msec": 1,
            "contact": contact.of,
            "call_source": contact.source,
            "call_medium": contact.medium,
            "call_campaign": contact.campaign,
            "call_keyword": contact.keyword,
            "call_landing_page": contact.landing_page,
        }
        if sale.value is not None:
            said |= {"value": sale.value, "currency": sale.currency}
        return {"client": client_id(known), "at_ms": sale.at_ms, "params": parameters(said)}

    def too_old(self, item: Item, now: datetime) -> str:
        return "GA4 takes nothing older than 72 hours" if to_ms(now) >= self.expires_ms(item) else ""

    def expires_ms(self, item: Item) -> int:
        return int(item["at_ms"]) + round(OLDEST.total_seconds() * 1000)

    def group(self, item: Item) -> str:
        return str(item["client"])

    async def request(self, items: Sequence[tuple[str, Item]], now: datetime) -> WebRequest | Result:
        account = {
            "measurement_id": self._settings.measurement_id,
            "api_secret": self._settings.api_secret,
        }
        events = [
            {
                "name": self._settings.send[event],
                "params": item["params"],
                "timestamp_micros": item["at_ms"] * 1000,
            }
            for event, item in items
        ]
        body = {"client_id": items[0][1]["client"], "events": events}
        return post(f"{self._settings.url}/mp/collect?{urlencode(account)}", body)

    def verdict(self, parcels: Sequence[Waiting], answer: WebAnswer, now: datetime) -> Verdict:
        return [Delivered()] * len(parcels) if answer.ok else refused(parcels, answer, now, "")


def client_id(known: Known) -> str:
    """As in Google's cookie: a number, and when the visitor was first seen."""
    return known.ids.get("ga") or f"{int(known.id[:8], 16)}.{known.first_ms // 1000}"


def parameters(said: dict[str, str | float]) -> dict[str, str | float]:
    """What may be said: nothing empty, nothing personal, no text too long."""
    kept: dict[str, str | float] = {}
    for name, value in said.items():
        if isinstance(value, str):
            value = value[:LONGEST_VALUE]
            if not value or (name != "transaction_id" and personal(value)):
                continue
        kept[name] = value
    return dict(list(kept.items())[:MOST_PARAMETERS])
