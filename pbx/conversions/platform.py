"""What every platform has in common: what it must say of itself, and what HTTP answers mean to all.

A platform's *item* is plain data that is kept in the outbox: everything about the contact, nothing of the
account. The account's names and secrets are put around it when it is sent, so that a dead letter can be
sent again after its config was set right.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from pbx.conversions.facts import Contact, Known
from pbx.httpcalls import WebAnswer, WebRequest
from pbx.outbox import Again, Hopeless, Result
from pbx.store.outbox import Waiting

Item = dict[str, Any]
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Sale:
    """What is told besides the contact: when it became one, and what it is worth."""

    at_ms: int
    value: float | None
    currency: str


class Split:
    """The request as a whole was refused: in halves, the fault of one keeps nobody else out."""

    def __init__(self, problem: str) -> None:
        self.problem = problem


Verdict = Sequence[Result] | Split


class Platform(Protocol):
    """One account at one platform; made anew when the config is re-read."""

    name: str
    most: int
    """How many conversions a request may hold."""
    largest: int
    """How many bytes a request's body may have."""

    @property
    def events(self) -> Sequence[str]:
        """Which of the config's events it is told."""
        ...

    def item(self, contact: Contact, known: Known, sale: Sale) -> Item | str:
        """What to send; or, in words, why this contact cannot be sent."""
        ...

    def too_old(self, item: Item, now: datetime) -> str:
        """Why the platform would not take it any more, "" while it does."""
        ...

    def expires_ms(self, item: Item) -> int:
        """When it is too old."""
        ...

    def group(self, item: Item) -> str:
        """Only items of one group share a request."""
        ...

    async def request(self, items: Sequence[tuple[str, Item]], now: datetime) -> WebRequest | Result:
        """Each with its event's name; or what is in the way."""
        ...

    def verdict(self, parcels: Sequence[Waiting], answer: WebAnswer, now: datetime) -> Verdict:
        """What became of each."""
        ...


def refused(parcels: Sequence[Waiting], answer: WebAnswer, now: datetime, said: str) -> Verdict:
    """What an answer that is no success means, whoever gave it. ``said``: the platform's own words."""
    problem = f"{answer.in_words}: {said}" if said else answer.in_words
    if answer.status == 413:
        return Split(problem)
    if answer.status in (401, 403):
        # The admin may renew the credentials within the day.
        return [Again(f"our credentials are refused: {problem}", HOUR_S)] * len(parcels)
    if answer.status in (408, 425, 429) or answer.status >= 500 or not answer.status:
        return [Again(problem, answer.retry_after_s(now))] * len(parcels)
    if 300 <= answer.status < 400:
        return [Hopeless(problem)] * len(parcels)
    return Split(problem)


def body_of(answer: WebAnswer) -> dict[str, Any]:
    """The answer's JSON object, empty if it is none."""
    try:
        found = json.loads(answer.body or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def post(url: str, body: Any, headers: dict[str, str] | None = None) -> WebRequest:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return WebRequest(
        url, "POST", {"Content-Type": "application/json", **(headers or {})}, text.encode(), 30.0
    )
