"""Webhooks for events: in order, signed, over outages and restarts, with dead letters that can be replayed."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from pbx.clock import VirtualClock
from pbx.config.outgoing import Webhook
from pbx.event_feeder import EventFeeder
from pbx.event_webhooks import EventCarrier, readers
from pbx.httpcalls import WebAnswer, WebRequest
from pbx.outbox import Outbox
from pbx.signing import HEADER, verify
from pbx.store.database import open_engine
from pbx.store.encoding import Record
from pbx.store.event_log import EventLog
from pbx.store.migrations import migrate
from pbx.store.outbox import OutboxRows, Parcel
from pbx.store.tables import EventRow

HOOK = Webhook(url="https://crm.test/hook", secret="shared", events=["call.*"])
AT = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path):
    engine: Engine = open_engine(f"sqlite:///{tmp_path}/pbx.db")
    migrate(engine)
    yield engine
    engine.dispose()


async def in_place(work: Any, *args: Any) -> Any:
    return work(*args)


def happen(engine: Engine, *events: tuple[int, str, str]) -> None:
    with Session(engine) as session:
        for id, call_id, kind in events:
            session.add(EventRow(id=id, call_id=call_id, at_ms=1000 * id, kind=kind, data='{"more": 1}'))
        session.commit()


class Receiver:
    """Answers as it is told, in turn; the last again and again."""

    def __init__(self, *answers: WebAnswer) -> None:
        self.answers = list(answers)
        self.got: list[WebRequest] = []

    async def send(self, request: WebRequest) -> WebAnswer:
        self.got.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    @property
    def ids(self) -> list[str]:
        return [request.headers["Dialtrace-Event-Id"] for request in self.got]


def run(
    engine: Engine,
    receiver: Receiver,
    for_s: float,
    *later: tuple[int, str, str],
    hooks: Mapping[str, Webhook] | None = None,
) -> VirtualClock:
    clock = VirtualClock(AT)
    hooks = {"crm": HOOK} if hooks is None else hooks

    async def main() -> None:
        outbox = Outbox(OutboxRows(engine), clock, {}, in_place)
        outbox.carriers["event"] = EventCarrier(lambda: hooks, receiver, clock)
        feeder = EventFeeder(EventLog(engine), outbox, clock, lambda: readers(hooks), in_place)
        outbox.start()
        feeder.start()
        await clock.sleep(1)
        happen(engine, *later)
        await clock.sleep(for_s)
        await feeder.close()
        await outbox.close()

    clock.run(main())
    return clock


OK, AWAY = WebAnswer(204), WebAnswer(503)


def test_events_arrive_signed_and_in_order_and_only_those_that_are_wanted(engine: Engine) -> None:
    happen(engine, (1, "old", "call.started"))  # before the webhook was there
    receiver = Receiver(OK)
    later = [
        (2, "a", "call.started"),
        (3, "a", "step.entered"),
        (4, "b", "call.started"),
        (5, "a", "call.ended"),
    ]
    clock = run(engine, receiver, 20, *later)
    assert sorted(receiver.ids) == ["2", "4", "5"]
    assert receiver.ids.index("2") < receiver.ids.index("5")
    (first, *_) = receiver.got
    assert verify("shared", first.headers[HEADER], first.body, clock.now()) == ""
    assert first.headers["Dialtrace-Event"] == "call.started"
    assert b'"call_id": "a"' in first.body
    assert b'"more": 1' in first.body
    assert first.status_only  # whatever else it answers, it has it


def test_a_receiver_that_is_away_hears_everything_later_in_order(engine: Engine) -> None:
    receiver = Receiver(AWAY, AWAY, AWAY, OK)
    run(engine, receiver, 120, (2, "a", "call.started"), (3, "a", "call.ended"))
    assert receiver.ids == ["2", "2", "2", "2", "3"]


def test_a_receiver_may_say_when_to_come_again(engine: Engine) -> None:
    receiver = Receiver(WebAnswer(429, headers={"retry-after": "60"}), OK)
    run(engine, receiver, 50, (2, "a", "call.started"))
    assert receiver.ids == ["2"]


def test_after_a_day_there_is_a_dead_letter_that_can_be_replayed(engine: Engine) -> None:
    run(engine, Receiver(AWAY), timedelta(hours=26).total_seconds(), (2, "a", "call.started"))
    rows = OutboxRows(engine)
    assert [(dead.target, dead.problem) for dead in rows.dead()] == [("crm", "status 503")]
    assert rows.replay(AT, target="crm") == 1
    receiver = Receiver(OK)
    run(engine, receiver, 5)
    assert receiver.ids == ["2"]


def test_what_was_not_delivered_before_a_restart_is_after_it(engine: Engine) -> None:
    run(engine, Receiver(AWAY), 11, (2, "a", "call.started"))
    receiver = Receiver(OK)
    run(engine, receiver, 60, (3, "a", "call.ended"))
    assert receiver.ids == ["2", "3"]


def test_a_webhook_that_was_gone_hears_nothing_of_that_time(engine: Engine) -> None:
    receiver = Receiver(OK)
    run(engine, receiver, 20, (2, "a", "call.started"))
    run(engine, receiver, 20, (3, "b", "call.started"), hooks={})
    run(engine, receiver, 20, (4, "c", "call.started"))
    assert receiver.ids == ["2", "4"]


def test_retry_after_is_seconds_or_a_date_and_never_endless() -> None:
    def asked(text: str) -> float:
        return WebAnswer(429, headers={"retry-after": text}).retry_after_s(AT)

    assert asked("60") == 60
    assert asked("Wed, 25 Nov 2026 00:02:00 GMT") == 120
    assert asked("Wed, 25 Nov 2026 00:02:00 -0000") == 120
    assert asked("Tue, 24 Nov 2026 00:02:00 GMT") == 0
    assert asked("9" * 400) == 24 * 3600
    assert asked("soon") == asked("") == 0


def test_an_event_that_a_reader_fails_on_keeps_it_from_no_other(engine: Engine) -> None:
    log = EventLog(engine)
    log.feed("broken", lambda event: [], AT)

    def broken(event: Record) -> list[Parcel]:
        if event["id"] == 2:
            raise KeyError("unheard of")
        return [Parcel("lane", "event", "crm", event)]

    happen(engine, (2, "a", "call.started"), (3, "a", "call.ended"))
    assert log.feed("broken", broken, AT) == 2
    assert [parcel.body["id"] for parcel in OutboxRows(engine).waiting()] == [3]
