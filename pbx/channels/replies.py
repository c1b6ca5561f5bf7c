"""Answers to other services' messages: a social message goes back the way it came.

``channels.services.NAME.reply`` maps the service's interface for sending, as ``texts`` does a provider's. An
answer is a row and a parcel in one transaction; the outbox carries it, in order for each conversation.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from pbx import events
from pbx.channels.texts import Http, failure, of_http, request
from pbx.clock import Clock
from pbx.config.channels import Service
from pbx.outbox import Delivered, Hopeless, Outbox, Result
from pbx.store.messages import Message, Messages, State
from pbx.store.outbox import Parcel, Waiting

KIND = "reply"
PATIENCE = timedelta(hours=24)

Threaded = Callable[..., Awaitable[Any]]


class Replies:
    """``services`` is replaced when the config is re-read. Also the outbox's carrier of its parcels."""

    batch = 1

    def __init__(
        self,
        services: Mapping[str, Service],
        messages: Messages,
        outbox: Outbox,
        http: Http,
        clock: Clock,
        publish: Callable[[events.CallEvent], None],
        in_thread: Threaded = asyncio.to_thread,
    ) -> None:
        self.services = services
        self._messages = messages
        self._outbox = outbox
        self._http = http
        self._clock = clock
        self._publish = publish
        self._in_thread = in_thread

    def possible(self, message: Message) -> bool:
        """Whether what came in can be answered the way it came."""
        service = self.services.get(message.via)
        return service is not None and service.reply is not None and bool(message.from_)

    async def send(self, to: Message, text: str, agent: str) -> Message:
        """Answer what came in. Raises DBAPIError: then nothing was kept, and nothing is sent."""
        reply = Message(
            channel=to.channel,
            thread=to.thread,
            via=to.via,
            from_=to.to,
            to=to.from_,
            text=text,
            state=State.QUEUED,
            created=self._clock.now(),
            agent=agent,
            visitor=to.visitor,
            source=to.source,
        )
        body = {"message_id": reply.id, "from": reply.from_, "to": reply.to, "text": text}
        body |= {"call_id": "", "channel": str(to.channel)}
        parcel = Parcel(reply.thread, KIND, reply.via, body, patience=PATIENCE)
        await self._in_thread(self._messages.add, reply, [parcel])
        self._outbox.kick()
        return reply

    async def carry(self, parcels: Sequence[Waiting]) -> Sequence[Result]:
        return [await self._carry(parcel) for parcel in parcels]

    async def _carry(self, parcel: Waiting) -> Result:
        service = self.services.get(parcel.target)
        if service is None or service.reply is None:
            return Hopeless("the config has no such way any more")
        answer = await self._http.send(request(service.reply, parcel.body, self._clock))
        result, provider_id = of_http(answer, service.reply.message_id)
        if isinstance(result, Delivered):
            now = self._clock.now()
            await self._in_thread(self._messages.sent, parcel.body["message_id"], provider_id, now)
            self._publish(
                events.MessageSent(
                    call_id="",
                    at=now,
                    message_id=parcel.body["message_id"],
                    channel=parcel.body["channel"],
                    via=parcel.target,
                    to=parcel.body["to"],
                )
            )
        return result

    async def given_up(self, parcel: Waiting, problem: str) -> None:
        await self._in_thread(self._messages.failed, parcel.body["message_id"], problem)
        self._publish(failure(self._clock, parcel.body, parcel.target, problem))
