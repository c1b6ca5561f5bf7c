"""The channels of one server: outbox, inbox, texts, webhooks and conversions put together, started, stopped,
and re-configured."""

import asyncio
from collections.abc import Callable, Collection
from functools import partial

from sqlalchemy import Engine

from pbx.attribution.visitors import Visitors
from pbx.channels.chats import Chats
from pbx.channels.inbox import Inbox
from pbx.channels.missed import MissedChats
from pbx.channels.over_sip import TextsBySip, TrunkTexts
from pbx.channels.replies import KIND as REPLY
from pbx.channels.replies import Replies
from pbx.channels.texts import KIND as TEXT
from pbx.channels.texts import NoWay, OutgoingText, TextCarrier, Texts
from pbx.clock import Clock
from pbx.config.site import Site
from pbx.conversions.carrier import ConversionCarrier, kind_of
from pbx.conversions.google_ads import AccessToken
from pbx.conversions.platform import Platform
from pbx.conversions.reader import READER as CONVERSIONS
from pbx.conversions.reader import ConversionReader, platforms
from pbx.event_feeder import EventFeeder, Reader
from pbx.event_webhooks import KIND as EVENT
from pbx.event_webhooks import EventCarrier
from pbx.event_webhooks import readers as webhook_readers
from pbx.events import EventBus
from pbx.httpclient import WebClient
from pbx.outbound_rules import OutboundRules
from pbx.outbox import Outbox
from pbx.routing import SiteRouter
from pbx.store.contacts import Contacts
from pbx.store.event_log import EventLog
from pbx.store.messages import Messages
from pbx.store.outbox import OutboxRows
from sip import Stack


class Channels:
    def __init__(
        self,
        site: Site,
        database: Engine,
        bus: EventBus,
        clock: Clock,
        web: WebClient,
        stack: Stack,
        router: Callable[[], SiteRouter],
        rules: OutboundRules,
        visitors: Callable[[], Visitors | None],
    ) -> None:
        """``router`` is asked anew each time: a reload makes another."""
        self._site = site

        def visitor_of(number: str) -> str | None:
            known = visitors()
            tie = known.tie(number) if known is not None else None
            return tie.visitor if tie is not None else None

        messages = Messages(database)
        self.outbox = Outbox(OutboxRows(database), clock, {})
        self.texts = Texts(
            site.config.texts, messages, self.outbox, clock, bus.publish, visitor_of=visitor_of
        )
        self.chats = Chats()
        self.inbox = Inbox(messages, clock, bus.publish, self._source_of, visitors=visitors)
        services = site.config.channels.services
        self.replies = Replies(services, messages, self.outbox, web, clock, bus.publish)
        self.outbox.carriers[REPLY] = self.replies
        self.missed = MissedChats(
            messages, clock, bus.publish, lambda: self._site.config.channels.missed_after
        )
        bus.subscribe(self.missed.heard)
        over_trunk = TrunkTexts(stack, router)
        self.outbox.carriers[TEXT] = TextCarrier(self.texts, messages, web, over_trunk, clock, bus.publish)
        stack.core.on_text = TextsBySip(
            self.inbox, self.texts, rules, lambda: self._site.config.server.country
        )

        self._database, self._clock = database, clock
        self._google_token = AccessToken(web)
        for name, batch in (("ga4", 100), ("google_ads", 2000), ("meta", 1000)):
            self.outbox.carriers[kind_of(name)] = ConversionCarrier(
                name, batch, partial(self._platform, name), web, clock, self._willing
            )
        self.outbox.carriers[EVENT] = EventCarrier(lambda: self._site.config.webhooks, web, clock)
        self.feeder = EventFeeder(EventLog(database), self.outbox, clock, self._readers)
        bus.subscribe(self.feeder.heard)

    def _readers(self) -> dict[str, Reader]:
        config = self._site.config
        found = webhook_readers(config.webhooks)
        if config.conversions.wanted:
            contacts = Contacts(self._database, config.server.country)
            found[CONVERSIONS] = ConversionReader(
                config.conversions,
                config.reports.currency,
                contacts,
                tuple(self._platforms().values()),
                self._clock.now(),
            )
        return found

    def _platforms(self) -> dict[str, Platform]:
        config = self._site.config
        return platforms(config.conversions, config.server.zone, self._google_token)

    async def _willing(self, visitors: Collection[str]) -> frozenset[str]:
        contacts = Contacts(self._database, self._site.config.server.country)
        return await asyncio.to_thread(contacts.willing, visitors)

    def _platform(self, name: str) -> Platform | None:
        return self._platforms().get(name)

    def start(self) -> None:
        self.outbox.start()
        self.feeder.start()
        self.missed.start()

    async def close(self) -> None:
        await self.missed.close()
        await self.texts.close()
        await self.feeder.close()
        await self.outbox.close()

    def update(self, site: Site) -> None:
        """The config was re-read."""
        self._site = site
        self.texts.ways = site.config.texts
        self.feeder.reconfigured()
        self.replies.services = site.config.channels.services

    def send_text(self, text: OutgoingText) -> str:
        """What is in the way, "" for nothing."""
        try:
            self.texts.send(text)
        except NoWay as problem:
            return str(problem)
        return ""

    def _source_of(self, number: str) -> str:
        known = self._site.number(number)
        return known.source if known is not None else ""
