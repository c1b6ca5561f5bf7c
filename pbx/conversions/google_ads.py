"""Google Ads: offline conversions of clicks, ``customers.uploadClickConversions``.

Read from developers.google.com/google-ads/api: ``docs/conversions/upload-clicks``, the reference of
``ClickConversion``, ``UploadClickConversionsRequest`` and ``ConversionUploadError``, and
``docs/best-practices/partial-failures``:

* a request holds at most 2,000 conversions and always asks for partial failure: each row stands alone;
* a conversion names its click by one of ``gclid``, ``gbraid`` and ``wbraid``, never two of them, and no
  click is older than 90 days;
* ``conversion_date_time`` is written ``yyyy-mm-dd hh:mm:ss+hh:mm`` and lies after the click;
* of one ``order_id`` and conversion action only the first is counted;
* a telephone number or e-mail address is only sent hashed, and only where ``share`` allows it. With such
  an identifier a conversion needs no click (enhanced conversions for leads).

A click that is only some hours old is not known yet (``TOO_RECENT_EVENT``): that row waits by itself.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pbx.config.conversions import GoogleAds
from pbx.conversions.facts import Contact, Known
from pbx.conversions.platform import HOUR_S, Item, Sale, Split, Verdict, body_of, post, refused
from pbx.conversions.privacy import google_email, google_phone
from pbx.httpcalls import WebAnswer, WebRequest
from pbx.httpclient import Sender
from pbx.outbox import Again, Delivered, Hopeless, Result
from pbx.store.encoding import from_ms, to_ms
from pbx.store.outbox import Waiting

OLDEST = timedelta(days=90)
CLICKS = ("gclid", "gbraid", "wbraid")
RECENT_S = 6 * HOUR_S
"""How long a click takes to be known."""

_SENT_BEFORE = frozenset(
    (
        "CLICK_CONVERSION_ALREADY_EXISTS",
        "ORDER_ID_ALREADY_IN_USE",
        "DUPLICATE_ORDER_ID",
        "DUPLICATE_CLICK_CONVERSION_IN_REQUEST",
    )
)
_TOO_EARLY = frozenset(
    ("TOO_RECENT_EVENT", "TOO_RECENT_CLICK", "TOO_RECENT_CONVERSION_ACTION", "CLICK_NOT_FOUND")
)
_PASSING = frozenset(
    ("INTERNAL_ERROR", "TRANSIENT_ERROR", "RESOURCE_EXHAUSTED", "RESOURCE_TEMPORARILY_EXHAUSTED")
)


class AccessToken:
    """The short-lived token that the refresh token buys."""

    def __init__(self, http: Sender) -> None:
        self._http = http
        self._token = ""
        self._until_ms = 0
        self._of = ""

    async def get(self, settings: GoogleAds, now: datetime) -> str | Result:
        """The token, or what is in the way."""
        if self._token and self._of == settings.refresh_token and to_ms(now) < self._until_ms:
            return self._token
        form = {
            "grant_type": "refresh_token",
            "client_id": settings.client_id,
            "client_secret": settings.client_secret,
            "refresh_token": settings.refresh_token,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await self._http.send(
            WebRequest(settings.token_url, "POST", headers, urlencode(form).encode())
        )
        said = body_of(answer)
        if not answer.ok or not isinstance(said.get("access_token"), str):
            problem = f"no access token: {answer.in_words} {said.get('error', '')}".strip()
            patient = HOUR_S if 400 <= answer.status < 500 and answer.status != 429 else 0.0
            return Again(problem, max(patient, answer.retry_after_s(now)))
        lasts_s = min(max(float(said.get("expires_in") or 0) - 60, 0), 12 * HOUR_S)
        self._token, self._of = said["access_token"], settings.refresh_token
        self._until_ms = to_ms(now + timedelta(seconds=lasts_s))
        return self._token

    def forget(self) -> None:
        self._token = ""


class GoogleAdsClicks:
    name = "google_ads"
    most = 2000
    largest = 8_000_000

    def __init__(self, settings: GoogleAds, zone: ZoneInfo, token: AccessToken) -> None:
        self._settings = settings
        self._zone = zone
        self._token = token

    @property
    def events(self) -> Sequence[str]:
        return tuple(self._settings.send)

    def item(self, contact: Contact, known: Known, sale: Sale) -> Item | str:
        click = known.click(*CLICKS)
        persons = self._identifiers(contact)
        if click is None and not persons:
            return "no click on a Google ad is known of this visitor"
        item: Item = {"at_ms": sale.at_ms, "order_id": contact.id}
        if click is not None:
            name, value, clicked_ms = click
            item |= {name: value, "click_ms": clicked_ms, "at_ms": max(sale.at_ms, clicked_ms + 1000)}
        if persons:
            item["persons"] = persons
        if sale.value is not None:
            item |= {"value": sale.value, "currency": sale.currency}
        if known.agreed:
            item["agreed"] = True
        return item

    def _identifiers(self, contact: Contact) -> list[dict[str, str]]:
        found = []
        if "phone" in self._settings.share and contact.phone:
            found.append({"hashedPhoneNumber": google_phone(contact.phone)})
        if "email" in self._settings.share and contact.email:
            found.append({"hashedEmail": google_email(contact.email)})
        return found

    def too_old(self, item: Item, now: datetime) -> str:
        if to_ms(now) < self.expires_ms(item):
            return ""
        return f"Google Ads takes no {'click' if 'click_ms' in item else 'conversion'} older than 90 days"

    def expires_ms(self, item: Item) -> int:
        since_ms: int = item["click_ms"] if "click_ms" in item else item["at_ms"]
        return since_ms + round(OLDEST.total_seconds() * 1000)

    def group(self, item: Item) -> str:
        return ""

    async def request(self, items: Sequence[tuple[str, Item]], now: datetime) -> WebRequest | Result:
        settings = self._settings
        token = await self._token.get(settings, now)
        if not isinstance(token, str):
            return token
        headers = {"Authorization": f"Bearer {token}", "developer-token": settings.developer_token}
        if settings.login_customer_id:
            headers["login-customer-id"] = settings.login_customer_id
        body = {
            "conversions": [self._conversion(event, item) for event, item in items],
            "partialFailure": True,
        }
        account = f"{settings.url}/{settings.api_version}/customers/{settings.customer_id}"
        return post(f"{account}:uploadClickConversions", body, headers)

    def _conversion(self, event: str, item: Item) -> dict[str, Any]:
        action = self._settings.send[event]
        if action.isdigit():
            action = f"customers/{self._settings.customer_id}/conversionActions/{action}"
        conversion: dict[str, Any] = {
            "conversionAction": action,
            "conversionDateTime": date_time(item["at_ms"], self._zone),
            "orderId": item["order_id"],
        }
        conversion |= {name: item[name] for name in CLICKS if name in item}
        if "persons" in item:
            conversion["userIdentifiers"] = item["persons"]
        if "value" in item:
            conversion |= {"conversionValue": item["value"], "currencyCode": item["currency"]}
        if item.get("agreed"):
            conversion["consent"] = {"adUserData": "GRANTED"}
        return conversion

    def verdict(self, parcels: Sequence[Waiting], answer: WebAnswer, now: datetime) -> Verdict:
        said = body_of(answer)
        if not answer.ok:
            return self._refused(parcels, answer, now, said)
        faults = row_faults(said.get("partialFailureError"))
        if faults is None:
            problem = "the answer's partial failure names no rows"
            return [Again(problem, HOUR_S)] * len(parcels)
        return [_of_row(faults.get(place)) for place in range(len(parcels))]

    def _refused(
        self, parcels: Sequence[Waiting], answer: WebAnswer, now: datetime, said: Mapping[str, Any]
    ) -> Verdict:
        error = said.get("error")
        words = str(error.get("message", ""))[:200] if isinstance(error, dict) else ""
        if answer.status == 401:
            self._token.forget()
            if not parcels[0].attempts:  # the token may only have run out
                return [Again(f"{answer.in_words}: {words}")] * len(parcels)
        if b"TOO_MANY_CONVERSIONS_IN_REQUEST" in answer.body:
            return Split(words)
        return refused(parcels, answer, now, words)


def date_time(ms: int, zone: ZoneInfo) -> str:
    """``2026-11-24 07:00:00-05:00``"""
    return from_ms(ms).astimezone(zone).isoformat(sep=" ", timespec="seconds")


def row_faults(error: Any) -> dict[int, tuple[str, str]] | None:
    """By row: the error's name and message. None for a failure that names no row.

    ``details[].errors[]`` each have an ``errorCode`` of one member and a ``location`` whose first element
    is ``conversions`` with the row's index (0 may be left out, as JSON of protocol buffers does).
    """
    if not error:
        return {}
    found: dict[int, tuple[str, str]] = {}
    for detail in error.get("details", ()):
        for fault in detail.get("errors", ()):
            path = fault.get("location", {}).get("fieldPathElements", ())
            place = next((each for each in path if each.get("fieldName") == "conversions"), None)
            if place is not None:
                code = next(iter(fault.get("errorCode", {}).values()), "UNKNOWN")
                found.setdefault(int(place.get("index", 0)), (str(code), str(fault.get("message", ""))))
    return found or None


def _of_row(fault: tuple[str, str] | None) -> Result:
    if fault is None:
        return Delivered()
    code, message = fault
    problem = f"{code}: {message}"[:300]
    if code in _SENT_BEFORE:
        return Delivered()
    if code in _TOO_EARLY:
        return Again(problem, RECENT_S, alone=True)
    if code in _PASSING:
        return Again(problem, alone=True)
    return Hopeless(problem)
