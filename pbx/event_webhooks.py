"""Webhooks: other programs hear of what happens, in the order in which it did, call by call.

The stored events are a log (:mod:`pbx.store.event_log`). The :class:`EventFeeder` follows it for each
webhook of the config and puts what the webhook wants to hear into the outbox, a lane a call; the
:class:`EventCarrier` posts it, signed. What fails is tried again for 24 hours and then kept as a dead
letter, to be sent again by ``pbx outbox --replay``. Neither a restart nor a receiver that is away loses
an event, and one whose answer was lost comes twice, with the same ``Dialtrace-Event-Id``.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from sqlalchemy.exc import DBAPIError

from pbx.clock import Clock
from pbx.config.outgoing import Webhook
from pbx.events import CallEvent
from pbx.httpcalls import WebRequest
from pbx.outbox import Again, Delivered, Hopeless, Outbox, Result
from pbx.signing import HEADER, sign
from pbx.store.encoding import Record
from pbx.store.event_log import MOST_AT_ONCE, EventLog
from pbx.store.outbox import Parcel, Waiting

log = logging.getLogger(__name__)

KIND = "event"
TIMEOUT_S = 15.0
LOOK_S = 10.0
"""How often to look at the log without having heard of anything."""
WRITTEN_S = 0.2
"""After an event is heard, its row takes a moment to be there."""

Webhooks = Callable[[], Mapping[str, Webhook]]
Threaded = Callable[..., Awaitable[Any]]


class EventFeeder:
    """``webhooks`` is asked anew each time: a reload may bring others."""

    def __init__(
        self,
        events: EventLog,
        outbox: Outbox,
        clock: Clock,
        webhooks: Webhooks,
        in_thread: Threaded = asyncio.to_thread,
    ) -> None:
        self._events = events
        self._outbox = outbox
        self._clock = clock
        self._webhooks = webhooks
        self._in_thread = in_thread
        self._heard = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def heard(self, event: CallEvent) -> None:
        """Something happened."""
        if event.stored:
            self._heard.set()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="event feeder")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                while await self.feed() >= MOST_AT_ONCE:
                    pass
            except DBAPIError as error:
                log.error("webhooks wait for the store: %s", error.orig)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._heard.wait()
                    await self._clock.sleep(WRITTEN_S)
            self._heard.clear()

    async def feed(self) -> int:
        """Hand on the next events of each webhook; how many the one that is farthest behind had."""
        most = 0
        for name, webhook in self._webhooks().items():
            wanted = parcels_for(name, webhook)
            most = max(
                most, await self._in_thread(self._events.feed, f"webhook/{name}", wanted, self._clock.now())
            )
        if most:
            self._outbox.kick()
        return most


def parcels_for(name: str, webhook: Webhook) -> Callable[[Record], Iterator[Parcel]]:
    def parcels(event: Record) -> Iterator[Parcel]:
        if any(fnmatchcase(event["kind"], pattern) for pattern in webhook.events):
            lane = f"{KIND}/{name}/{event['call_id'] or event['kind']}"
            yield Parcel(lane, KIND, name, event)

    return parcels


class EventCarrier:
    """Posts events to their webhooks."""

    batch = 1

    def __init__(self, webhooks: Webhooks, http: Any, clock: Clock) -> None:
        self._webhooks = webhooks
        self._http = http
        self._clock = clock

    async def carry(self, parcels: Sequence[Waiting]) -> Sequence[Result]:
        return [await self._carry(parcel) for parcel in parcels]

    async def _carry(self, parcel: Waiting) -> Result:
        webhook = self._webhooks().get(parcel.target)
        if webhook is None:
            return Hopeless("the config has no such webhook any more")
        body = json.dumps(parcel.body, ensure_ascii=False).encode()
        headers = {
            "Content-Type": "application/json",
            **webhook.headers,
            "Dialtrace-Event": parcel.body["kind"],
            "Dialtrace-Event-Id": str(parcel.body["id"]),
            HEADER: sign(webhook.secret, body, self._clock.now()),
        }
        answer = await self._http.send(WebRequest(webhook.url, "POST", headers, body, TIMEOUT_S))
        if answer.ok:
            return Delivered()
        if answer.status == 410:  # Gone: the receiver wants no more of it
            return Hopeless("the receiver says 410 Gone")
        after = answer.headers.get("retry-after", "")
        return Again(answer.in_words, float(after) if after.isascii() and after.isdigit() else 0.0)

    async def given_up(self, parcel: Waiting, problem: str) -> None:
        """It stays as a dead letter; the outbox has said so in the log."""
