"""Meta's Conversions API.

Read from developers.facebook.com/docs/marketing-api/conversions-api: ``using-the-api``,
``parameters/server-event``, ``parameters/customer-information-parameters``, ``parameters/fbp-and-fbc``:

* a request holds at most 1,000 events; one that is wrong has the whole request refused;
* ``event_time`` is at most 7 days ago;
* of one ``event_name`` and ``event_id`` the first of pixel and server is counted;
* ``action_source`` is the truth: ``phone_call`` for a call; ``website`` wants the browser's user agent and
  the page;
* ``user_data`` names the person by something: the click (``fbc``: ``fb.1.``, the time, the fbclid), the
  browser (``fbp``), and, hashed, only where ``share`` allows it, the number (``ph``) and address (``em``).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pbx.config.conversions import MetaPixel
from pbx.conversions.facts import Contact, Known
from pbx.conversions.platform import HOUR_S, Item, Sale, Verdict, body_of, post, refused
from pbx.conversions.privacy import meta_email, meta_phone
from pbx.httpcalls import WebAnswer, WebRequest
from pbx.outbox import Again, Delivered, Hopeless, Result
from pbx.store.encoding import to_ms
from pbx.store.outbox import Waiting

OLDEST = timedelta(days=7)
ACTIONS: Mapping[str, str] = {
    "calls": "phone_call",
    "forms": "website",
    "chats": "chat",
    "texts": "other",
    "social": "other",
    "leads": "system_generated",
}
_PASSING = frozenset((1, 2, 4, 17, 32, 341, 368, 613, 80004, 80014))
"""Codes of errors that pass: service away, too many calls."""
_CREDENTIALS = frozenset((3, 10, 102, 190, 200))


class MetaConversions:
    name = "meta"
    most = 1000
    largest = 8_000_000

    def __init__(self, settings: MetaPixel) -> None:
        self._settings = settings

    @property
    def events(self) -> Sequence[str]:
        return tuple(self._settings.send)

    def item(self, contact: Contact, known: Known, sale: Sale) -> Item | str:
        person = self._person(contact, known)
        if not person:
            return "no click on Meta and none of its cookies are known of this visitor"
        action = ACTIONS[contact.of]
        event: dict[str, Any] = {
            "event_time": sale.at_ms // 1000,
            "event_id": contact.id,
            "action_source": action,
            "user_data": person,
        }
        if action == "website":
            page = contact.landing_page or next((each.page for each in known.arrivals), "")
            agent = known.ids.get("agent", "")
            if not page or not agent:
                return "Meta takes a website's event only with page and browser, and they are not known"
            event["event_source_url"] = page
            person["client_user_agent"] = agent
        if sale.value is not None:
            event["custom_data"] = {"value": sale.value, "currency": sale.currency}
        return event

    def _person(self, contact: Contact, known: Known) -> dict[str, Any]:
        person: dict[str, Any] = {}
        if click := known.click("fbclid"):
            _, value, clicked_ms = click
            person["fbc"] = f"fb.1.{clicked_ms}.{value}"
        elif "fbc" in known.ids:
            person["fbc"] = known.ids["fbc"]
        if "fbp" in known.ids:
            person["fbp"] = known.ids["fbp"]
        if "phone" in self._settings.share and contact.phone:
            person["ph"] = [meta_phone(contact.phone)]
        if "email" in self._settings.share and contact.email:
            person["em"] = [meta_email(contact.email)]
        return person

    def too_old(self, item: Item, now: datetime) -> str:
        return "Meta takes nothing older than 7 days" if to_ms(now) >= self.expires_ms(item) else ""

    def expires_ms(self, item: Item) -> int:
        return int(item["event_time"]) * 1000 + round(OLDEST.total_seconds() * 1000)

    def group(self, item: Item) -> str:
        return ""

    async def request(self, items: Sequence[tuple[str, Item]], now: datetime) -> WebRequest | Result:
        settings = self._settings
        body: dict[str, Any] = {
            "data": [{"event_name": settings.send[event], **item} for event, item in items],
            "access_token": settings.access_token,
        }
        if settings.test_event_code:
            body["test_event_code"] = settings.test_event_code
        return post(f"{settings.url}/{settings.api_version}/{settings.pixel_id}/events", body)

    def verdict(self, parcels: Sequence[Waiting], answer: WebAnswer, now: datetime) -> Verdict:
        said = body_of(answer)
        if answer.ok:
            received = said.get("events_received", len(parcels))
            if received != len(parcels):
                return [Hopeless(f"Meta took {received} of {len(parcels)} events")] * len(parcels)
            return [Delivered()] * len(parcels)
        error = said.get("error")
        if not isinstance(error, dict):
            return refused(parcels, answer, now, "")
        words = f"{error.get('code')}: {error.get('error_user_msg') or error.get('message', '')}"[:300]
        if error.get("code") in _CREDENTIALS:
            return [Again(f"our credentials are refused: {words}", HOUR_S)] * len(parcels)
        if error.get("is_transient") or error.get("code") in _PASSING:
            return [Again(words, answer.retry_after_s(now))] * len(parcels)
        return refused(parcels, answer, now, words)
