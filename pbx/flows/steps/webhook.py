"""``webhook: URL`` asks another program over HTTP; its answer becomes values of the call.

``{name}`` in path, query, headers and body is what the call knows. ``body`` is sent as JSON; without it
the call's id, numbers, source, flow and values are. Each try has its ``timeout``; no answer, 408, 429
and 5xx are tried again. ``secret`` signs the request (see Webhooks and signatures in the admin's page).

The step's value is ``success``, ``failure`` or ``timeout``; ``step.status`` is the HTTP status. Of a
JSON answer every text, number and truth value is kept, ``{"customer": {"tier": "gold"}}`` as
``step.customer.tier``; with ``keep`` only those that it names. ``next`` is for a 2xx.
"""

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal
from urllib.parse import quote, urlsplit

from pydantic import Field, field_validator

from pbx.config.fields import SomeTime, parse_duration, seconds
from pbx.flows.control import CallControl, noted
from pbx.flows.filling import filled
from pbx.flows.step import HIDDEN, Exit, Step, Turn
from pbx.httpcalls import TIMEOUT, WebAnswer, WebRequest
from pbx.signing import HEADER, sign

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

SUCCESS, FAILURE = "success", "failure"
_WAYS = {SUCCESS: (SUCCESS,), FAILURE: (FAILURE, SUCCESS), TIMEOUT: (TIMEOUT, FAILURE, SUCCESS)}
"""The exits that each takes: the first of them that the step has."""
MOST_VALUES = 50
LONGEST_VALUE = 1000
_SECRET = re.compile(
    r"pass(word|wd|phrase)|secret|token|api.?key|card|cvv|cvc|\bpin\b|ssn|iban", re.IGNORECASE
)
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 8.0


class Webhook(Step):
    """The caller hears what they heard before: music, or nothing; the call need not be answered."""

    kind: ClassVar[str] = "webhook"
    gives: ClassVar[tuple[str, ...]] = ("", "status", "*")
    example: ClassVar[str] = """
crm:
  webhook: "https://crm.example.com/callers/{caller}"
  method: POST
  headers: {Authorization: "Bearer a-token"}
  body: {number: "{caller}", came_from: "{source}"}
  timeout: 3s
  retries: 1
  secret: "a long secret"
  keep: {tier: customer.tier, name: customer.name}
  on_failure: menu
  on_timeout: menu
  next: greet
"""

    webhook: str = Field(description="The URL; `{name}` in its path or query is what the call knows.")
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = Field("POST", description="The HTTP method.")
    headers: dict[str, str] = Field(default_factory=dict, description="Further headers.")
    body: dict[str, Any] | None = Field(
        None, description="Sent as JSON, with `{name}` filled in; without it the call's facts are sent."
    )
    timeout: SomeTime = Field(parse_duration("5s"), description="How long each try may take.")
    retries: int = Field(1, ge=0, le=5, description="How often to try again, after 0.5, 1, 2 … s.")
    secret: str | None = Field(None, min_length=1, description="Signs the request; see Signatures.")
    keep: dict[str, str] | None = Field(
        None, description="Which fields of the answer become values: their names, and where they stand."
    )
    on_failure: str | None = Field(
        None, description="Where to go when the answer was no success; `next` if not given."
    )
    on_timeout: str | None = Field(
        None, description="Where to go when no answer came in time; `on_failure` if not given."
    )

    @field_validator("webhook")
    @classmethod
    def _url(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{value!r} is no URL; write https://host/path")
        if "{" in parts.netloc:
            raise ValueError("a value may stand in the path or the query, not in the host")
        return value

    @property
    def detail(self) -> str:
        return f"{self.method} {urlsplit(self.webhook).hostname}"

    def exits(self) -> list[Exit]:
        ways = [Exit("success", self.next, ("next",))]
        if self.on_failure is not None:
            ways.append(Exit("failure", self.on_failure, ("on_failure",)))
        if self.on_timeout is not None:
            ways.append(Exit("timeout", self.on_timeout, ("on_timeout",)))
        return ways

    def templates(self) -> list[tuple[tuple[str | int, ...], str]]:
        headers = [(("headers", name), value) for name, value in self.headers.items()]
        return [(("webhook",), self.webhook), *headers, *_texts(self.body, ("body",))]

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        request = await self._request(call, around)
        tries = self.retries + 1
        with noted(f"waiting for {request.host}"):
            for attempt in range(1, tries + 1):
                began = call.clock.monotonic()
                answer = await call.fetch(around.step, request)
                took_s = call.clock.monotonic() - began
                call.webhook_answered(around.step, answer, blotted(answer_fields(answer)), took_s)
                if not _worth_another_try(answer) or attempt == tries:
                    break
                pause_s = min(FIRST_PAUSE_S * 2 ** (attempt - 1), LONGEST_PAUSE_S)
                await call.until(call.clock.sleep(pause_s))
        return self._turn(answer, attempt)

    async def _request(self, call: CallControl, around: "Surroundings") -> WebRequest:
        body = b""
        headers = {name: await filled(value, call, around) for name, value in self.headers.items()}
        headers["Idempotency-Key"] = f"{call.facts.call_id}/{around.step}"
        if self.method != "GET":
            data = _facts(call) if self.body is None else await _filled(self.body, call, around)
            body = json.dumps(data, ensure_ascii=False).encode()
            headers = {"Content-Type": "application/json", **headers}
        if self.secret is not None:
            headers[HEADER] = sign(self.secret, body, call.clock.now())
        url = await filled(self.webhook, call, around, quote=lambda value: quote(value, safe=""))
        return WebRequest(url, self.method, headers, body, seconds(self.timeout))

    def _turn(self, answer: WebAnswer, attempts: int) -> Turn:
        tried = f"after {attempts} tries" if attempts > 1 else "at once"
        because = f"{urlsplit(self.webhook).hostname}: {answer.in_words}, {tried}"
        details = {"status": str(answer.status), **self._kept(answer)}
        value = SUCCESS if answer.ok else TIMEOUT if answer.problem == TIMEOUT else FAILURE
        ways = {way.label: way.target for way in self.exits()}
        way = next(each for each in _WAYS[value] if each in ways)
        return Turn(ways[way], because, value=value, details=details, way=way)

    def tells(self) -> tuple[str, ...]:
        return self.gives if self.keep is None else ("", "status", *self.keep)

    def _kept(self, answer: WebAnswer) -> Mapping[str, str]:
        found = answer_fields(answer)
        if self.keep is not None:
            return {name: found[place] for name, place in self.keep.items() if place in found}
        return dict(list(found.items())[:MOST_VALUES])


def answer_fields(answer: WebAnswer) -> dict[str, str]:
    """Every text, number and truth value of a JSON answer, by its dotted place; nothing of any other."""
    try:
        return dict(_leaves(json.loads(answer.body)))
    except ValueError:
        return {}


def blotted(fields: Mapping[str, str]) -> dict[str, str]:
    """As much of an answer as goes on record: so many fields as a flow may use, and no secrets."""
    kept = itertools.islice(fields.items(), MOST_VALUES)
    return {place: HIDDEN if _SECRET.search(place) else value for place, value in kept}


def _worth_another_try(answer: WebAnswer) -> bool:
    return not answer.ok and (answer.status == 0 or answer.status >= 500 or answer.status in (408, 429))


def _facts(call: CallControl) -> dict[str, Any]:
    facts = call.facts
    return {
        "call_id": facts.call_id,
        "from": facts.caller,
        "to": facts.did,
        "source": facts.source,
        "flow": facts.flow,
        "values": dict(call.values),
    }


async def _filled(data: Any, call: CallControl, around: "Surroundings") -> Any:
    match data:
        case str():
            return await filled(data, call, around)
        case dict():
            return {key: await _filled(value, call, around) for key, value in data.items()}
        case list():
            return [await _filled(value, call, around) for value in data]
        case _:
            return data


def _texts(data: Any, loc: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text of a body, with its key path."""
    match data:
        case str():
            yield loc, data
        case dict():
            for key, value in data.items():
                yield from _texts(value, (*loc, key))
        case list():
            for index, value in enumerate(data):
                yield from _texts(value, (*loc, index))
        case _:
            pass


def _leaves(data: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every text, number and truth value of a JSON document, by its dotted place."""
    match data:
        case dict():
            for key, value in data.items():
                yield from _leaves(value, f"{place}.{key}" if place else str(key))
        case list():
            for index, value in enumerate(data):
                yield from _leaves(value, f"{place}.{index}" if place else str(index))
        case bool():
            yield place, "true" if data else "false"
        case str() | int() | float():
            yield place or "body", str(data)[:LONGEST_VALUE]
        case _:
            pass
