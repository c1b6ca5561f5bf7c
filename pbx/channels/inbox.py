"""What comes in on any channel: kept first, then told to everybody.

Each message belongs to a thread (one conversation), and where it can be known to a website visitor and
a source: a text or a message by the number that it went to, a form or a chat by the visitor who sent it, any
of them by a telephone number that a visitor called from, or left, before. That is a contact of the visitor's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pbx import events
from pbx.attribution.visitors import Visitors
from pbx.channels.texts import thread_of
from pbx.clock import Clock
from pbx.store.messages import Channel, Message, Messages, State, cut

Threaded = Callable[..., Awaitable[Any]]


class Inbox:
    """``source_of`` says which source a number of ours belongs to ("" for none)."""

    def __init__(
        self,
        messages: Messages,
        clock: Clock,
        publish: Callable[[events.CallEvent], None],
        source_of: Callable[[str], str],
        in_thread: Threaded = asyncio.to_thread,
        visitors: Callable[[], Visitors | None] = lambda: None,
    ) -> None:
        self.messages = messages
        self.clock = clock
        self._publish = publish
        self._source_of = source_of
        self._in_thread = in_thread
        self._visitors = visitors

    async def text(
        self, *, via: str, from_: str, to: str, text: str, provider_id: str = ""
    ) -> Message | None:
        """A text. None if the provider has sent it before. Raises DBAPIError: then nothing was kept."""
        return await self.take(
            channel=Channel.TEXT,
            thread=thread_of(via, from_),
            via=via,
            from_=from_,
            to=to,
            text=text,
            source=self._source_of(to),
            provider_id=provider_id,
            phone=from_,
        )

    def failed(self, message: Message, problem: str) -> None:
        """A text that was sent did not arrive, as its provider says later."""
        self._publish(
            events.MessageFailed(
                call_id=message.call_id,
                at=self.clock.now(),
                message_id=message.id,
                channel=message.channel,
                via=message.via,
                to=message.to,
                problem=problem,
            )
        )

    async def take(
        self,
        *,
        channel: Channel,
        thread: str,
        via: str,
        from_: str,
        to: str,
        text: str,
        fields: Mapping[str, Any] | None = None,
        visitor: str | None = None,
        source: str = "",
        provider_id: str = "",
        phone: str = "",
        first: bool = True,
    ) -> Message | None:
        """Keep a message that came in and tell of it; ``phone`` (E.164) is its sender's.

        ``first``: it begins a conversation, and so is a contact of the visitor's.
        """
        visitors = self._visitors()
        if visitors is not None and visitor is None and (tie := visitors.tie(phone)) is not None:
            visitor = tie.visitor
        if visitors is not None and visitor is not None:
            source = source or visitors.source_of(visitor)
        message = cut(
            Message(
                channel=channel,
                thread=thread,
                via=via,
                from_=from_,
                to=to,
                text=text,
                state=State.RECEIVED,
                created=self.clock.now(),
                fields=fields or {},
                visitor=visitor,
                source=source,
                provider_id=provider_id,
            )
        )
        if not await self._in_thread(self.messages.add, message):
            return None
        # An id that is none of ours, or that was forgotten, ties nobody.
        if first and visitors is not None and visitor is not None and visitors.knows(visitor, phone):
            visitors.contact(visitor, channel, message.id, message.created, phone)
        self._publish(
            events.MessageReceived(
                call_id="",
                at=message.created,
                message_id=message.id,
                channel=message.channel,
                via=message.via,
                from_=message.from_,
                to=message.to,
                text=message.text,
                source=message.source,
                visitor=message.visitor or "",
            )
        )
        return message
