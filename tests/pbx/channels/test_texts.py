"""Texts out: what a provider is sent, and what becomes of its answer; and over a trunk."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from sqlalchemy import Engine

from pbx import events
from pbx.channels.texts import NoWay, OutgoingText, TextCarrier, Texts, dotted
from pbx.clock import VirtualClock
from pbx.config.texts import Texts as Way
from pbx.httpcalls import WebAnswer, WebRequest
from pbx.outbox import Outbox
from pbx.signing import HEADER, verify
from pbx.store.database import open_engine
from pbx.store.messages import Message, Messages, State
from pbx.store.migrations import migrate
from pbx.store.outbox import OutboxRows

JSON_WAY = Way(
    from_="+12125550100",
    url="https://sms.test/send",
    headers={"Authorization": "Bearer key"},
    body={"from": "{from}", "to": ["{to}"], "text": "{text}", "ref": "{id}"},
    secret="shared",
    message_id="data.0.id",
)
FORM_WAY = Way(from_="+12125550100", url="https://sms.test/send", form={"To": "{to}", "Body": "{text}"})
TRUNK_WAY = Way(from_="+12125550100", trunk="carrier")
TAKEN = WebAnswer(201, b'{"data": [{"id": "SM1"}]}')


@pytest.fixture
def engine(tmp_path):
    engine: Engine = open_engine(f"sqlite:///{tmp_path}/pbx.db")
    migrate(engine)
    yield engine
    engine.dispose()


async def in_place(work: Callable[..., Any], *args: Any) -> Any:
    return work(*args)


class FarEnd:
    """A provider and a carrier that answer as they are told, in turn; the last again and again."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.requests: list[WebRequest] = []
        self.messages: list[tuple[str, ...]] = []

    def _next(self) -> Any:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def send(self, request: WebRequest) -> WebAnswer:
        self.requests.append(request)
        answer: WebAnswer = self._next()
        return answer

    async def message(self, trunk: str, from_: str, to: str, text: str) -> int:
        self.messages.append((trunk, from_, to, text))
        status: int = self._next()
        return status


class Sent:
    """One text, sent by ``way`` to ``far_end``; what happened within ``for_s``."""

    def __init__(
        self, engine: Engine, way: Way, far_end: FarEnd, for_s: float = 10, text: str = "Hi"
    ) -> None:
        self.happened: list[events.CallEvent] = []
        self.clock = VirtualClock()
        self.message: Message
        messages = Messages(engine)

        async def main() -> None:
            outbox = Outbox(OutboxRows(engine), self.clock, {}, in_place)
            publish = self.happened.append
            texts = Texts({"sms": way}, messages, outbox, self.clock, publish, in_place)
            carrier = TextCarrier(texts, messages, far_end, far_end, self.clock, publish, in_place)
            outbox.carriers["text"] = carrier
            outbox.start()
            message = texts.send(OutgoingText("+19735550123", text, call_id="call"))
            await self.clock.sleep(for_s)
            await outbox.close()
            found = messages.one(message.id)
            assert found is not None
            self.message = found

        self.clock.run(main())

    @property
    def kinds(self) -> list[str]:
        return [event.kind for event in self.happened]


def test_a_provider_is_sent_what_the_config_maps_and_its_id_is_kept(engine: Engine) -> None:
    far_end = FarEnd(TAKEN)
    sent = Sent(engine, JSON_WAY, far_end, text='Hi {to} "you"')
    (request,) = far_end.requests
    assert (request.method, request.url) == ("POST", "https://sms.test/send")
    assert json.loads(request.body) == {
        "from": "+12125550100",
        "to": ["+19735550123"],
        "text": 'Hi {to} "you"',
        "ref": sent.message.id,
    }
    assert request.headers["Authorization"] == "Bearer key"
    assert verify("shared", request.headers[HEADER], request.body, sent.clock.now()) == ""
    assert (sent.message.state, sent.message.provider_id) == (State.SENT, "SM1")
    assert sent.kinds == ["message.sent"]
    assert sent.happened[0].call_id == "call"


def test_a_form_is_sent_as_one(engine: Engine) -> None:
    far_end = FarEnd(WebAnswer(200))
    Sent(engine, FORM_WAY, far_end, text="a&b=c")
    assert parse_qs(far_end.requests[0].body.decode()) == {"To": ["+19735550123"], "Body": ["a&b=c"]}


def test_a_provider_that_is_away_is_tried_again_with_the_same_key(engine: Engine) -> None:
    far_end = FarEnd(WebAnswer(503), WebAnswer(problem="timeout"), TAKEN)
    sent = Sent(engine, JSON_WAY, far_end, for_s=30)
    assert len({request.headers["Idempotency-Key"] for request in far_end.requests}) == 1
    assert len(far_end.requests) == 3
    assert sent.message.state is State.SENT


def test_a_refusal_is_an_event_and_no_more_tries(engine: Engine) -> None:
    far_end = FarEnd(WebAnswer(400))
    sent = Sent(engine, JSON_WAY, far_end, for_s=3600)
    assert len(far_end.requests) == 1
    assert (sent.message.state, sent.message.problem) == (
        State.FAILED,
        "the provider refused it: status 400",
    )
    assert sent.kinds == ["message.failed"]


def test_after_an_hour_a_text_is_given_up(engine: Engine) -> None:
    sent = Sent(engine, JSON_WAY, FarEnd(WebAnswer(500)), for_s=timedelta(hours=2).total_seconds())
    assert (sent.kinds, sent.message.state) == (["message.failed"], State.FAILED)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (200, State.SENT),
        (202, State.SENT),
        (404, State.FAILED),
        (513, State.FAILED),
        (0, State.QUEUED),
        (480, State.QUEUED),
    ],
)
def test_over_a_trunk_the_status_says_what_became_of_it(engine: Engine, status: int, state: State) -> None:
    far_end = FarEnd(status)
    sent = Sent(engine, TRUNK_WAY, far_end, for_s=3)
    assert far_end.messages == [("carrier", "+12125550100", "+19735550123", "Hi")]
    assert sent.message.state is state


def test_a_way_that_is_not_there_is_said(engine: Engine) -> None:
    clock = VirtualClock()
    outbox = Outbox(OutboxRows(engine), clock, {}, in_place)

    async def main() -> None:
        texts = Texts({}, Messages(engine), outbox, clock, lambda event: None, in_place)
        with pytest.raises(NoWay, match="not set up"):
            texts.send(OutgoingText("+19735550123", "Hi"))
        with pytest.raises(NoWay, match="no way 'x'"):
            texts.send(OutgoingText("+19735550123", "Hi", via="x"))

    clock.run(main())


@pytest.mark.parametrize(
    ("body", "place", "found"),
    [
        (b'{"a": {"b": [1, {"c": "x"}]}}', "a.b.1.c", "x"),
        (b'{"id": 7}', "id", "7"),
        (b'{"id": null}', "id", ""),
        (b'{"a": []}', "a.0", ""),
        (b"no json", "id", ""),
        (b"[]", "id", ""),
    ],
)
def test_where_an_id_stands(body: bytes, place: str, found: str) -> None:
    assert dotted(body, place) == found


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"form": "From", "text": "Body"}, "does not map from"),
        ({"id": "Sid"}, "does not map from and text"),
        ({"from": "From", "text": "Body"}, ""),
        ({"id": "Sid", "status": "Status"}, ""),
    ],
)
def test_a_mapping_by_which_no_text_could_be_taken_is_a_mistake(fields: dict[str, str], says: str) -> None:
    way = {"from": "+12125550100", "trunk": "carrier"}
    receive = {"signature": {"secret": "s"}, "fields": fields}
    try:
        Way.model_validate({**way, "receive": receive})
        fault = ""
    except ValueError as error:
        fault = str(error)
    assert says in fault
    assert bool(says) == bool(fault)
