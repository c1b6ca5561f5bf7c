"""From what happens to what is sent: each change of a contact is looked at once more as a whole.

The verdict on every platform and event is kept in words, so that ``pbx conversions`` can say why a call is
not sent as well as what would be.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from pbx.config.conversions import Conversions
from pbx.conversions.carrier import kind_of
from pbx.conversions.facts import Contact, Known
from pbx.conversions.ga4 import GoogleAnalytics
from pbx.conversions.google_ads import AccessToken, GoogleAdsClicks
from pbx.conversions.meta import MetaConversions
from pbx.conversions.platform import Item, Platform, Sale
from pbx.conversions.rules import value_of, why_not
from pbx.store.contacts import Contacts
from pbx.store.encoding import Record, from_ms, to_ms
from pbx.store.outbox import Parcel

READER = "conversions"
NAMES = ("ga4", "google_ads", "meta")
OF_CALLS = frozenset(
    ("call.ended", "call.edited", "call.tagged", "call.scored", "transcript.state", "call.disconnected")
)
"""Events after which a call may be something that it was not before."""


@dataclass(frozen=True, slots=True)
class Considered:
    """An event, and a platform that is told of it: what it would be sent, or why not."""

    platform: str
    event: str
    item: Item | None
    why_not: str = ""


def dedupe_of(platform: str, event: str, order: str) -> str:
    """A contact is sent to a platform as an event once, for ever."""
    return f"{kind_of(platform)}/{event}/{order}"


def platforms(config: Conversions, zone: ZoneInfo, token: AccessToken) -> dict[str, Platform]:
    """Those of the config, ready."""
    found: list[Platform] = []
    if config.ga4 is not None:
        found.append(GoogleAnalytics(config.ga4))
    if config.google_ads is not None:
        found.append(GoogleAdsClicks(config.google_ads, zone, token))
    if config.meta is not None:
        found.append(MetaConversions(config.meta))
    return {each.name: each for each in found}


def consider(
    config: Conversions,
    currency: str,
    platforms: Sequence[Platform],
    contact: Contact,
    known: Known | None,
    at_ms: int,
) -> Iterator[Considered]:
    """Every platform's verdict on every event that it is told of. ``currency``: if the config names none."""
    for platform in platforms:
        for name in platform.events:
            event = config.events[name]
            reason = why_not(event, contact)
            if reason:
                yield Considered(platform.name, name, None, f"it is no {name}: {reason}")
                continue
            reason = _unsure(config, contact, known)
            if reason or known is None:
                yield Considered(platform.name, name, None, reason)
                continue
            item = platform.item(
                contact, known, Sale(at_ms, value_of(event, contact), config.currency or currency)
            )
            if isinstance(item, str):
                yield Considered(platform.name, name, None, item)
            else:
                yield Considered(platform.name, name, item)


def _unsure(config: Conversions, contact: Contact, known: Known | None) -> str:
    if not contact.visitor:
        return "no visitor of the website is known to be behind it"
    if known is None:
        return "the visitor is forgotten"
    if known.refused:
        return "the visitor has refused"
    if contact.probability < config.certainty:
        return f"it is only {contact.probability:.0%} sure that it was this visitor"
    return ""


class ConversionReader:
    """A reader of the event log: see :mod:`pbx.event_feeder`."""

    def __init__(
        self,
        config: Conversions,
        currency: str,
        contacts: Contacts,
        platforms: Sequence[Platform],
        now: datetime,
    ) -> None:
        self._config = config
        self._currency = currency
        self._contacts = contacts
        self._platforms = platforms
        self._by_name = {each.name: each for each in platforms}
        self._now = now

    def __call__(self, event: Record) -> Iterator[Parcel]:
        contact = self._contact(event)
        if contact is None:
            return
        known = self._contacts.known(contact.visitor, contact.at_ms) if contact.visitor else None
        at_ms = to_ms(datetime.fromisoformat(event["at"]))
        for each in consider(self._config, self._currency, self._platforms, contact, known, at_ms):
            if each.item is not None:
                yield self._parcel(each, each.item, contact)

    def _contact(self, event: Record) -> Contact | None:
        if event["kind"] in OF_CALLS and event["call_id"]:
            return self._contacts.call(event["call_id"])
        if event["kind"] == "message.received":
            return self._contacts.message(event["message_id"])
        return None

    def _parcel(self, each: Considered, item: Item, contact: Contact) -> Parcel:
        kind = kind_of(each.platform)
        left = from_ms(self._by_name[each.platform].expires_ms(item)) - self._now
        return Parcel(
            lane=kind,
            kind=kind,
            target=each.platform,
            body={
                "event": each.event,
                "order": contact.id,
                "visitor": contact.visitor,
                "item": item,
            },
            dedupe=dedupe_of(each.platform, each.event, contact.id),
            patience=max(timedelta(0), min(left, self._config.retry)),
        )
