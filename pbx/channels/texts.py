"""Texts (SMS) out: kept, handed to the outbox, sent by a provider's HTTP interface or over a trunk.

:class:`Texts` is what flows and agents send with. It returns at once: the text becomes a row and a
parcel in one transaction, and what becomes of it later is an event (``message.sent``,
``message.failed``) and the row's state. A text is worth an hour's patience, no more: tomorrow's
"your plumber is on the way" helps nobody.
"""

import asyncio
import json
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import urlencode

from sqlalchemy.exc import DBAPIError

from pbx import events
from pbx.channels.dotted import found_at
from pbx.clock import Clock
from pbx.config.texts import Sending
from pbx.config.texts import Texts as Way
from pbx.httpcalls import WebAnswer, WebRequest
from pbx.outbox import Again, Delivered, Hopeless, Outbox, Result
from pbx.signing import HEADER, sign
from pbx.store.messages import Channel, Message, Messages, State
from pbx.store.outbox import Parcel, Waiting

log = logging.getLogger(__name__)

KIND = "text"
PATIENCE = timedelta(hours=1)
SEND_TIMEOUT_S = 15.0
_NAME = re.compile(r"\{(from|to|text|id)\}")


@dataclass(frozen=True, slots=True)
class OutgoingText:
    """A text to be sent. ``via`` "" is the first way in the config."""

    to: str  # E.164
    text: str
    via: str = ""
    call_id: str = ""
    agent: str = ""
    visitor: str | None = None


class NoWay(ValueError):  # noqa: N818 - says what is missing
    """The config has no such way to send a text."""


Threaded = Callable[..., Awaitable[Any]]
Publish = Callable[[events.CallEvent], None]


def thread_of(via: str, contact: str) -> str:
    return f"text/{via}/{contact}"


class Texts:
    """``ways`` is replaced when the config is re-read."""

    def __init__(
        self,
        ways: Mapping[str, Way],
        messages: Messages,
        outbox: Outbox,
        clock: Clock,
        publish: Publish,
        in_thread: Threaded = asyncio.to_thread,
        visitor_of: Callable[[str], str | None] = lambda number: None,
    ) -> None:
        """``visitor_of``: the website visitor whose number this is, as far as that is known."""
        self.ways = ways
        self._visitor_of = visitor_of
        self._messages = messages
        self._outbox = outbox
        self._clock = clock
        self._publish = publish
        self._in_thread = in_thread
        self._tasks: set[asyncio.Task[None]] = set()

    def way(self, via: str) -> str:
        """The name of the way that ``via`` means. Raises NoWay."""
        name = via or next(iter(self.ways), "")
        if name not in self.ways:
            raise NoWay(f"there is no way {name!r} to send texts" if name else "texts are not set up")
        return name

    def send(self, text: OutgoingText) -> Message:
        """Hand it over. Raises NoWay."""
        via = self.way(text.via)
        message = Message(
            channel=Channel.TEXT,
            thread=thread_of(via, text.to),
            via=via,
            from_=self.ways[via].from_,
            to=text.to,
            text=text.text,
            state=State.QUEUED,
            created=self._clock.now(),
            call_id=text.call_id,
            agent=text.agent,
            visitor=text.visitor or self._visitor_of(text.to),
        )
        task = asyncio.create_task(self._keep(message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return message

    async def _keep(self, message: Message) -> None:
        body = {"message_id": message.id, "from": message.from_, "to": message.to, "text": message.text}
        body |= {"call_id": message.call_id}
        parcel = Parcel(message.thread, KIND, message.via, body, patience=PATIENCE)
        try:
            await self._in_thread(self._messages.add, message, [parcel])
        except DBAPIError as error:
            log.error("a text could not be kept, and is not sent: %s", error.orig)
            self._publish(failure(self._clock, body, message.via, "the store is away"))
            return
        self._outbox.kick()

    async def close(self) -> None:
        """Wait until what was handed over is safe."""
        await asyncio.gather(*self._tasks, return_exceptions=True)


def failure(clock: Clock, body: Mapping[str, str], via: str, problem: str) -> events.MessageFailed:
    return events.MessageFailed(
        call_id=body["call_id"],
        at=clock.now(),
        message_id=body["message_id"],
        channel=body.get("channel", Channel.TEXT),
        via=via,
        to=body["to"],
        problem=problem,
    )


class Http(Protocol):
    async def send(self, request: WebRequest) -> WebAnswer: ...


class OverTrunk(Protocol):
    """Sends a SIP MESSAGE; its final status, 0 for none."""

    async def message(self, trunk: str, from_: str, to: str, text: str) -> int: ...


class TextCarrier:
    """Takes texts from the outbox to their provider or trunk."""

    batch = 1

    def __init__(
        self,
        texts: Texts,
        messages: Messages,
        http: Http,
        sip: OverTrunk,
        clock: Clock,
        publish: Publish,
        in_thread: Threaded = asyncio.to_thread,
    ) -> None:
        self._texts = texts
        self._messages = messages
        self._http = http
        self._sip = sip
        self._clock = clock
        self._publish = publish
        self._in_thread = in_thread

    async def carry(self, parcels: Sequence[Waiting]) -> Sequence[Result]:
        return [await self._carry(parcel) for parcel in parcels]

    async def _carry(self, parcel: Waiting) -> Result:
        way = self._texts.ways.get(parcel.target)
        if way is None:
            return Hopeless("the config has no such way any more")
        body: dict[str, str] = parcel.body
        if way.trunk is not None:
            result, provider_id = _of_sip(
                await self._sip.message(way.trunk, body["from"], body["to"], body["text"])
            )
        else:
            answer = await self._http.send(request(way, body, self._clock))
            result, provider_id = of_http(answer, way.message_id)
        if isinstance(result, Delivered):
            await self._in_thread(self._messages.sent, body["message_id"], provider_id, self._clock.now())
            self._publish(
                events.MessageSent(
                    call_id=body["call_id"],
                    at=self._clock.now(),
                    message_id=body["message_id"],
                    channel=Channel.TEXT,
                    via=parcel.target,
                    to=body["to"],
                )
            )
        return result

    async def given_up(self, parcel: Waiting, problem: str) -> None:
        await self._in_thread(self._messages.failed, parcel.body["message_id"], problem)
        self._publish(failure(self._clock, parcel.body, parcel.target, problem))


def request(way: Sending, body: Mapping[str, str], clock: Clock) -> WebRequest:
    """The provider's request, as the config maps it."""
    assert way.url is not None
    known = {**body, "id": body["message_id"]}
    headers = dict(way.headers)
    if way.form is not None:
        content = urlencode({name: _fill(value, known) for name, value in way.form.items()}).encode()
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    else:
        content = json.dumps(_fill(way.body, known), ensure_ascii=False).encode()
        headers.setdefault("Content-Type", "application/json")
    headers["Idempotency-Key"] = body["message_id"]
    if way.secret is not None:
        headers[HEADER] = sign(way.secret, content, clock.now())
    return WebRequest(way.url, way.method, headers, content, SEND_TIMEOUT_S)


def _fill(data: Any, known: Mapping[str, str]) -> Any:
    match data:
        case str():
            return _NAME.sub(lambda name: known[name[1]], data)
        case dict():
            return {key: _fill(value, known) for key, value in data.items()}
        case list():
            return [_fill(value, known) for value in data]
        case _:
            return data


def of_http(answer: WebAnswer, place: str) -> tuple[Result, str]:
    """What becomes of a message by the provider's answer, and what the provider calls it."""
    if answer.ok:
        return Delivered(), dotted(answer.body, place)
    if answer.status in (408, 429) or answer.status >= 500 or answer.status == 0:
        return Again(answer.in_words), ""
    return Hopeless(f"the provider refused it: {answer.in_words}"), ""


def _of_sip(status: int) -> tuple[Result, str]:
    """RFC 3428 §7: 200 is delivered, 202 is taken to be delivered later."""
    if 200 <= status < 300:
        return Delivered(), ""
    if status in (0, 408, 480) or (status >= 500 and status != 513):
        return Again(f"SIP status {status}" if status else "no answer"), ""
    return Hopeless(f"the carrier refused it: SIP status {status}"), ""


def dotted(body: bytes, place: str) -> str:
    """What stands at ``data.0.id`` of a JSON document, "" if nothing does."""
    try:
        found = found_at(json.loads(body), place)
    except ValueError:
        return ""
    return str(found) if isinstance(found, str | int) else ""
