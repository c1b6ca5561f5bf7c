"""Webhooks: other programs hear of what happens, in the order in which it did, call by call.

The stored events are a log (:mod:`pbx.store.event_log`). Each webhook of the config is a reader of it
(:mod:`pbx.event_feeder`), and what the webhook wants to hear goes into the outbox, a lane a call; the
:class:`EventCarrier` posts it, signed. What fails is tried again for 24 hours and then kept as a dead
letter, to be sent again by ``pbx outbox --replay``. Neither a restart nor a receiver that is away loses
an event, and one whose answer was lost comes twice, with the same ``Dialtrace-Event-Id``.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from pbx.clock import Clock
from pbx.config.outgoing import Webhook
from pbx.event_feeder import Reader
from pbx.httpcalls import WebRequest
from pbx.outbox import Again, Delivered, Hopeless, Result
from pbx.signing import HEADER, sign
from pbx.store.encoding import Record
from pbx.store.outbox import Parcel, Waiting

KIND = "event"
TIMEOUT_S = 15.0

Webhooks = Callable[[], Mapping[str, Webhook]]


def readers(webhooks: Mapping[str, Webhook]) -> dict[str, Reader]:
    """Each webhook as a reader of the log."""
    return {f"webhook/{name}": parcels_for(name, webhook) for name, webhook in webhooks.items()}


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
        request = WebRequest(webhook.url, "POST", headers, body, TIMEOUT_S, status_only=True)
        answer = await self._http.send(request)
        if answer.ok:
            return Delivered()
        if answer.status == 410:  # Gone: the receiver wants no more of it
            return Hopeless("the receiver says 410 Gone")
        return Again(answer.in_words, answer.retry_after_s(self._clock.now()))

    async def given_up(self, parcel: Waiting, problem: str) -> None:
        """It stays as a dead letter; the outbox has said so in the log."""
