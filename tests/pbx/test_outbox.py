"""The outbox on a virtual clock: order, back-off, patience, dead letters and their replay."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from pbx.clock import VirtualClock
from pbx.outbox import Again, Delivered, Hopeless, Outbox, Result
from pbx.store.database import open_engine
from pbx.store.migrations import migrate
from pbx.store.outbox import OutboxRows, Parcel, Waiting


@pytest.fixture
def engine(tmp_path):
    engine: Engine = open_engine(f"sqlite:///{tmp_path}/pbx.db")
    migrate(engine)
    yield engine
    engine.dispose()


class Carried:
    """A carrier that answers as it is told and remembers what it carried, and when."""

    def __init__(self, clock: VirtualClock, answer: Callable[[Waiting], Result], batch: int = 1) -> None:
        self.batch = batch
        self.carried: list[Any] = []
        self.at_s: list[float] = []
        self.dead: list[Any] = []
        self._clock = clock
        self._answer = answer

    async def carry(self, parcels: Sequence[Waiting]) -> Sequence[Result]:
        self.carried.append([parcel.body for parcel in parcels])
        self.at_s.append(self._clock.monotonic())
        return [self._answer(parcel) for parcel in parcels]

    async def given_up(self, parcel: Waiting, problem: str) -> None:
        self.dead.append((parcel.body, problem))


async def in_place(work: Callable[..., Any], *args: Any) -> Any:
    return work(*args)


def parcel(body: Any, lane: str = "a", **more: Any) -> Parcel:
    return Parcel(lane, "kind", "target", body, **more)


def play(
    engine: Engine,
    scenario: Callable[[Outbox, VirtualClock, Carried], Awaitable[None]],
    answer: Callable[[Waiting], Result] = lambda parcel: Delivered(),
    batch: int = 1,
) -> tuple[Carried, OutboxRows]:
    clock = VirtualClock()
    carrier = Carried(clock, answer, batch)
    rows = OutboxRows(engine)

    async def main() -> None:
        outbox = Outbox(rows, clock, {"kind": carrier}, in_place)
        outbox.start()
        await scenario(outbox, clock, carrier)
        await outbox.close()

    clock.run(main())
    return carrier, rows


def test_a_lane_keeps_its_order_and_others_do_not_wait_for_it(engine: Engine) -> None:
    tries: dict[Any, int] = {}

    def answer(waiting: Waiting) -> Result:
        tries[waiting.body] = tries.get(waiting.body, 0) + 1
        return Again("later") if waiting.body == "a1" and tries["a1"] < 3 else Delivered()

    async def scenario(outbox: Outbox, clock: VirtualClock, carrier: Carried) -> None:
        await outbox.add([parcel("a1"), parcel("a2"), parcel("b1", "b"), parcel("b2", "b")])
        await clock.sleep(60)

    carrier, rows = play(engine, scenario, answer)
    order = [body for (body,) in carrier.carried]
    assert [body for body in order if body.startswith("a")] == ["a1", "a1", "a1", "a2"]
    assert order.index("b2") < order.index("a2")
    assert rows.counts() == {"done": 4}


def test_pauses_double_up_to_an_hour_until_a_day_is_over(engine: Engine) -> None:
    async def scenario(outbox: Outbox, clock: VirtualClock, carrier: Carried) -> None:
        await outbox.add([parcel("x")])
        await clock.sleep(25 * 3600)

    carrier, rows = play(engine, scenario, lambda waiting: Again("no answer"))
    pauses = [round(later - earlier) for earlier, later in zip(carrier.at_s, carrier.at_s[1:], strict=False)]
    assert pauses[:5] == [5, 10, 20, 40, 80]
    assert max(pauses) == 3600
    assert carrier.at_s[-1] == pytest.approx(24 * 3600, abs=1)
    assert carrier.dead == [("x", "no answer")]
    assert [dead.problem for dead in rows.dead()] == ["no answer"]


def test_patience_may_be_shorter(engine: Engine) -> None:
    async def scenario(outbox: Outbox, clock: VirtualClock, carrier: Carried) -> None:
        await outbox.add([parcel("x", patience=timedelta(seconds=12))])
        await clock.sleep(60)

    carrier, _ = play(engine, scenario, lambda waiting: Again("no answer"))
    assert [round(at_s) for at_s in carrier.at_s] == [0, 5, 12]
    assert carrier.dead == [("x", "no answer")]


def test_the_hopeless_is_dead_at_once_and_what_follows_goes_on(engine: Engine) -> None:
    async def scenario(outbox: Outbox, clock: VirtualClock, carrier: Carried) -> None:
        await outbox.add([parcel("bad"), parcel("good")])
        await clock.sleep(1)

    carrier, rows = play(
        engine, scenario, lambda waiting: Hopeless("refused") if waiting.body == "bad" else Delivered()
    )
    assert carrier.carried == [["bad"], ["good"]]
    assert rows.counts() == {"dead": 1, "done": 1}


def test_dead_letters_can_be_replayed(engine: Engine) -> None:
    answers = [Hopeless("refused"), Delivered()]

    async def scenario(outbox: Outbox, clock: VirtualClock, carrier: Carried) -> None:
        await outbox.add([parcel("x")])
        await clock.sleep(1)
        rows = OutboxRows(engine)
        assert rows.replay(clock.now(), target="another") == 0
        assert rows.replay(clock.now(), target="target") == 1
        outbox.kick()
        await clock.sleep(1)

    carrier, rows = play(engine, scenario, lambda waiting: answers.pop(0))
    assert carrier.carried == [["x"], ["x"]]
    assert rows.counts() == {"done": 1}


def test_what_waited_survives_a_restart(engine: Engine) -> None:
    async def first(outbox: Outbox, clock: VirtualClock, carrier: Carried) -> None:
        await outbox.add([parcel("x")])
        await clock.sleep(1)

    play(engine, first, lambda waiting: Again("away"))

    async def second(outbox: Outbox, clock: VirtualClock, carrier: Carried) -> None:
        await clock.sleep(60)

    carrier, _ = play(engine, second)
    assert carrier.carried == [["x"]]


def test_a_batch_takes_what_is_due_in_its_lane(engine: Engine) -> None:
    async def scenario(outbox: Outbox, clock: VirtualClock, carrier: Carried) -> None:
        await outbox.add([parcel(n) for n in range(5)])
        await clock.sleep(30)

    carrier, rows = play(
        engine,
        scenario,
        lambda waiting: Again("once more") if waiting.body == 1 and not waiting.attempts else Delivered(),
        batch=3,
    )
    assert carrier.carried[0] == [0, 1, 2]
    assert rows.counts() == {"done": 5}


def test_of_one_dedupe_only_the_first_is_taken(engine: Engine) -> None:
    rows = OutboxRows(engine)
    now = VirtualClock().now()
    assert rows.add([parcel("x", dedupe="1"), parcel("y", dedupe="1"), parcel("z", dedupe="2")], now) == 2
    assert rows.add([parcel("x", dedupe="1")], now) == 0


def test_a_carrier_that_breaks_is_tried_again(engine: Engine) -> None:
    def answer(waiting: Waiting) -> Result:
        if not waiting.attempts:
            raise RuntimeError("broken")
        return Delivered()

    async def scenario(outbox: Outbox, clock: VirtualClock, carrier: Carried) -> None:
        await outbox.add([parcel("x")])
        await clock.sleep(30)

    carrier, rows = play(engine, scenario, answer)
    assert carrier.carried == [["x"], ["x"]]
    assert rows.counts() == {"done": 1}


def test_where_order_does_not_matter_one_that_waits_holds_up_nobody(engine: Engine) -> None:
    async def scenario(outbox: Outbox, clock: VirtualClock, carrier: Carried) -> None:
        await outbox.add([parcel("slow")])
        await clock.sleep(1)
        await outbox.add([parcel("next")])
        await clock.sleep(1)
        assert carrier.carried == [["slow"], ["next"]]
        await clock.sleep(600)

    def answer(waiting: Waiting) -> Result:
        early = waiting.body == "slow" and not waiting.attempts
        return Again("too early", 300, alone=True) if early else Delivered()

    carrier, rows = play(engine, scenario, answer)
    assert carrier.carried == [["slow"], ["next"], ["slow"]]
    assert rows.counts() == {"done": 2}


def test_what_may_be_taken_once_only_is_remembered_longer_than_the_rest(engine: Engine) -> None:
    rows, now = OutboxRows(engine), VirtualClock().now()
    rows.add([parcel("x", dedupe="1"), parcel("y")], now)
    for waiting in rows.behind(rows.due(now, [], ["kind"], [], 1)[0], now, 2):
        rows.ended(waiting.id, "done", "", now)
    later = now + timedelta(days=60)
    assert rows.forget(later) == 1
    assert rows.add([parcel("x", dedupe="1")], later) == 0
    kept = rows.by_dedupe("1")
    assert kept is not None
    assert kept.body == {}
    assert rows.forget(now + timedelta(days=400)) == 1


def test_a_receiver_that_hangs_leaves_room_for_the_others(engine: Engine) -> None:
    class Hanging(Carried):
        async def carry(self, parcels: Sequence[Waiting]) -> Sequence[Result]:
            if parcels[0].target == "hangs":
                await self._clock.sleep(3600)
            return await super().carry(parcels)

    clock, rows = VirtualClock(), OutboxRows(engine)
    carrier = Hanging(clock, lambda waiting: Delivered())
    hanging = [Parcel(f"h{n}", "kind", "hangs", n) for n in range(100)]
    others = [Parcel(f"o{n}", "kind", "other", "other") for n in range(20)]

    async def main() -> None:
        outbox = Outbox(rows, clock, {"kind": carrier}, in_place)
        outbox.start()
        await outbox.add([*hanging, *others])
        await clock.sleep(10)
        await outbox.close()

    clock.run(main())
    assert carrier.carried == [["other"]] * 20


def test_what_cannot_be_written_down_does_not_go_out_again_at_once(engine: Engine) -> None:
    class ReadOnly(OutboxRows):
        def ended(self, id: int, state: str, problem: str, now: datetime) -> None:
            raise OperationalError("UPDATE", {}, Exception("database or disk is full"))

    clock, rows = VirtualClock(), ReadOnly(engine)
    carrier = Carried(clock, lambda waiting: Delivered())

    async def main() -> None:
        outbox = Outbox(rows, clock, {"kind": carrier}, in_place)
        outbox.start()
        await outbox.add([parcel("x")])
        await clock.sleep(21)
        await outbox.close()

    clock.run(main())
    assert 4 <= len(carrier.carried) <= 5
