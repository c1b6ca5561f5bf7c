"""Callers who leave, keep their place, and are called back."""

import asyncio
from datetime import timedelta

import pytest

from pbx import events
from pbx.flows.control import AgentTarget, CallerGone, DialOutcome, Target
from pbx.flows.simulated import ANSWERS, Reaction, Script, SimulatedCall
from pbx.flows.simulated_callback import SimulatedCallback
from pbx.flows.steps.callback import Callback
from pbx.queues import Asking, QueueEnd
from pbx.queues.callbacks import Promise
from tests.pbx.flows.worlds import facts, flow, surroundings
from tests.pbx.queues.office import BUSY, Office, queue

NUMBER = "+12125557788"
KEY = Asking(keys=frozenset("2"))


class CallingBack(Office):
    """``reacts`` is asked for customers, too, by their number."""

    def open(self) -> None:
        super().open()
        self.ring = SimulatedCallback(self._of, 30.0)
        self.line.callbacks.open(self.ring, self.clock, self.happened.append)

    def _of(self, target: Target) -> Reaction:
        return self.reacts(target.agent if isinstance(target, AgentTarget) else target.number)

    async def leaves(self, call_id: str, name: str = "sales", *, at: float = 0, number: str = NUMBER) -> None:
        """Waits, presses 2 after a second, and is promised a callback."""
        await asyncio.sleep(at)
        call = SimulatedCall(
            facts(call_id, caller=number), self.clock, self.happened.append, Script(press=["2"])
        )
        result = await self.line.wait(name, call, KEY)
        assert result.end is QueueEnd.KEY
        with self.line.promise(name, call, number, None) as place:
            self.results[call_id] = place

    async def settled(self) -> None:
        await asyncio.sleep(10)
        await self.line.callbacks.settled()

    def ends(self) -> list[tuple[str, str]]:
        return [(e.call_id, e.end) for e in self.happened if isinstance(e, events.CallbackEnded)]


def test_who_is_called_back_keeps_the_place():
    office = CallingBack({"sales": queue("alice")}, agents=("alice",))
    office.run(
        lambda: office.call("talks", talks=60),
        lambda: office.leaves("leaves", at=4),
        lambda: office.call("behind", at=7),
        office.settled,
    )
    assert office.results["leaves"] == 1
    assert office.ring.rang == ["alice", NUMBER]
    assert office.ends() == [("leaves", "talked")]
    # alice is free at 63 s, talks to who left for 3 + 3 + 30 s, and only then to who came behind
    assert [(call, round(at)) for call, _, at in office.rings()] == [("talks", 0), ("behind", 99)]


def test_a_customer_who_does_not_answer_is_tried_again_and_then_given_up():
    office = CallingBack(
        {"sales": queue("alice", callback_tries=2, callback_every="1m", ring_timeout="10s", wrap_up="5s")},
        agents=("alice",),
        reacts=lambda who: BUSY if who == NUMBER else ANSWERS,
    )
    office.run(lambda: office.call("talks", talks=10), lambda: office.leaves("leaves", at=1), office.settled)
    tried = [e for e in office.happened if isinstance(e, events.CallbackTried)]
    assert [each.how for each in tried] == ["no_customer", "no_customer"]
    assert (tried[1].at - tried[0].at).total_seconds() == pytest.approx(60, abs=1)
    assert office.ends() == [("leaves", "failed")]


def test_an_agent_who_does_not_answer_costs_the_customer_nothing():
    moods = iter([BUSY, ANSWERS])
    office = CallingBack(
        {"sales": queue("alice", callback_tries=1, autopause=5)},
        agents=("alice",),
        reacts=lambda who: ANSWERS if who == NUMBER or office.clock.monotonic() < 5 else next(moods),
    )
    office.run(lambda: office.call("talks", talks=10), lambda: office.leaves("leaves", at=1), office.settled)
    assert office.ring.rang == ["alice", "alice", NUMBER]
    assert office.ends() == [("leaves", "talked")]


def test_a_promise_that_nobody_can_keep_expires():
    office = CallingBack({"sales": queue("alice", callback_keep="10m")}, away={"alice"})
    office.run(lambda: office.leaves("leaves"), office.settled)
    assert office.ends() == [("leaves", "expired")]
    assert office.clock.monotonic() == pytest.approx(600, abs=2)


def test_nobody_is_called_while_the_promise_is_still_being_spoken():
    office = CallingBack({"sales": queue("alice")}, agents=("alice",))

    async def slow() -> None:
        call = SimulatedCall(facts("one"), office.clock, office.happened.append, Script())
        with office.line.promise("sales", call, NUMBER, None):
            await asyncio.sleep(20)
            assert office.ring.rang == []

    office.run(slow, office.settled)
    assert office.ring.rang == ["alice", NUMBER]


def test_a_number_is_promised_once():
    office = CallingBack({"sales": queue("alice")}, away={"alice"})

    async def twice() -> None:
        await office.leaves("one")
        await office.leaves("two")
        assert office.line.waiting("sales") == 0  # within the moment in which they hang up
        await asyncio.sleep(5)
        assert office.line.waiting("sales") == 1
        await office.line.callbacks.close()

    office.run(twice)
    assert [e.call_id for e in office.happened if isinstance(e, events.CallbackPromised)] == ["one"]


def test_ring_all_rings_one_agent_who_waits_for_the_customer():
    office = CallingBack(
        {"sales": queue("alice", "bob")}, reacts=lambda who: Reaction(DialOutcome.ANSWERED, 2)
    )

    async def scenario() -> None:
        held = office.board.ringing(["alice", "bob"])
        leaving = asyncio.create_task(office.leaves("leaves"))
        await asyncio.sleep(20)
        held.release()
        await leaving
        await office.settled()

    office.run(scenario)
    assert office.ring.rang == ["alice", NUMBER]
    assert office.board.available("alice")


def test_a_stop_leaves_promises_for_the_next_start_and_one_taken_up_is_kept():
    office = CallingBack({"sales": queue("alice")}, agents=("alice",))

    async def restart() -> None:
        office.board.pause("alice", "", "web")
        await office.leaves("leaves")
        await asyncio.sleep(60)
        office.line.callbacks.stop()
        await asyncio.sleep(0)
        assert office.line.waiting("sales") == 0
        assert office.ends() == []
        office.open()  # as a new server would
        promise = Promise(
            "leaves", "sales", NUMBER, None, "radio", 0, office.clock.now() - timedelta(minutes=1)
        )
        office.line.take_up(promise, office.clock)
        await office.settled()

    office.run(restart)
    assert office.ends() == [("leaves", "talked")]


# --- the step ----------------------------------------------------------------------------------------


def step(values: str = "", **script: object):
    """A call that comes to the step; its turn, what was heard, and what happened."""
    office = CallingBack({"sales": queue("alice")}, away={"alice"})
    caller = str(script.pop("caller", NUMBER))

    async def main():
        office.open()
        around = surroundings(office.clock)
        around = type(around)(**{**{f: getattr(around, f) for f in around.__slots__}, "queues": office.line})
        call = SimulatedCall(
            facts("one", caller=caller), office.clock, office.happened.append, Script(**script)
        )
        it = flow(f"it: {{callback: sales, otherwise: other{values}}}").steps["it"]
        assert isinstance(it, Callback)
        try:
            turn = await it.run(call, around, 0)
        except CallerGone:
            turn = None
        await office.line.callbacks.close()
        return turn, call.heard

    return (*office.clock.run(main()), office.happened)


def test_coming_to_the_step_is_consent_enough():
    turn, _, happened = step()
    assert (turn.next, turn.way) == (None, "promised")
    assert turn.because == "(212) 555-7788 is called back, as number 1 in line"
    assert [e.number for e in happened if isinstance(e, events.CallbackPromised)] == [NUMBER]


def test_an_offer_is_accepted_with_1():
    more = ', offer: "Press 1.", confirm: "You are number {place}.", next: bye'
    turn, heard, _ = step(more, press=["1"])
    assert (turn.next, heard) == ("bye", ["Press 1.", "You are number 1."])
    turn, heard, happened = step(more, press=["2"])
    assert (turn.next, turn.because) == ("other", "the caller pressed 2: no callback")
    assert not [e for e in happened if isinstance(e, events.CallbackPromised)]
    assert step(more)[0].because == "the caller pressed nothing: no callback"


def test_who_withholds_the_number_cannot_be_called_back():
    turn, _, _ = step(caller="")
    assert (turn.next, turn.because) == ("other", "there is no number to call back")


def test_who_hangs_up_in_the_confirmation_is_called_back_all_the_same():
    turn, _, happened = step(', confirm: "Thank you, goodbye."', hang_up_after_s=0.1)
    assert turn is None
    assert [e.number for e in happened if isinstance(e, events.CallbackPromised)] == [NUMBER]
