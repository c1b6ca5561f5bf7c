"""Texts over a trunk, out and in, and texts that agents write on their softphones (RFC 3428)."""

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy.exc import DBAPIError

from pbx.channels.inbox import Inbox
from pbx.channels.texts import NoWay, OutgoingText, Texts
from pbx.flows.control import NumberTarget
from pbx.numbering import normalise
from pbx.outbound_rules import NotPermitted, OutboundRules
from pbx.routing import SiteRouter
from sip import MOST_OVER_UDP, FromAgent, Stack, TextReceived
from sip.headers import NameAddr
from sip.uri import URI

log = logging.getLogger(__name__)

HEAD_ROOM = 500
"""What the head of a MESSAGE takes of the room that a datagram has."""
TOO_LARGE = 513


class TrunkTexts:
    """Sends a text as MESSAGE over a trunk, by each of its ways until one answers."""

    def __init__(self, stack: Stack, router: Callable[[], SiteRouter]) -> None:
        self._stack = stack
        self._router = router

    async def message(self, trunk: str, from_: str, to: str, text: str) -> int:
        """The final status, 0 for none."""
        router = self._router()
        shown = str(NameAddr("", URI("sip", from_, host=router.exchange.address)))
        status = 0
        for way in router.text_ways(NumberTarget(to, trunk), shown):
            flow = way.target.flow
            if flow.transport == "udp" and len(text.encode()) > MOST_OVER_UDP - HEAD_ROOM:
                return TOO_LARGE
            status = await self._stack.message(
                way.target.uri,
                flow,
                from_=str(NameAddr.parse(way.from_).uri),
                text=text,
                headers=way.headers,
                credentials=way.credentials,
            )
            if status not in (0, 503):
                break
        return status


class TextsBySip:
    """Answers each MESSAGE that comes in: from a trunk into the inbox, from an agent on to its number."""

    def __init__(self, inbox: Inbox, texts: Texts, rules: OutboundRules, country: Callable[[], str]) -> None:
        self._inbox = inbox
        self._texts = texts
        self._rules = rules
        self._country = country
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, text: TextReceived) -> None:
        identity = text.identity
        if isinstance(identity, FromAgent):
            text.respond(self._from_agent(text, identity))
            return
        task = asyncio.create_task(self._from_trunk(text, identity.name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _from_trunk(self, text: TextReceived, trunk: str) -> None:
        """200 only when it is safe (RFC 3428 §7): else the carrier tries again."""
        country = self._country()
        via = next((name for name, way in self._texts.ways.items() if way.trunk == trunk), trunk)
        try:
            await self._inbox.text(
                via=via,
                from_=normalise(text.from_, country) or text.from_,
                to=normalise(text.to, country) or text.to,
                text=text.text,
                provider_id=text.call_id,
            )
        except DBAPIError as error:
            log.error("a text from trunk %s is not safe, and refused: %s", trunk, error.orig)
            text.respond(503)
        else:
            text.respond(200)

    def _from_agent(self, text: TextReceived, agent: FromAgent) -> int:
        """202: it is handed on. Texts cost money, so digest it must be, and a number that may be called."""
        if not agent.authenticated:
            return 403
        number = normalise(text.to, self._country())
        if number is None:
            return 404
        try:
            with self._rules.permit("", agent.owner, number):
                self._texts.send(OutgoingText(number, text.text, agent=agent.owner))
        except NotPermitted:
            return 403
        except NoWay:
            return 480
        return 202
