"""Forking: exactly one winner, and nobody left ringing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sip.b2bua import (
    Answered,
    Bye,
    Cancel,
    Done,
    Expired,
    Fork,
    Gone,
    Mode,
    Outcome,
    Refused,
    Start,
    Won,
)


def test_the_first_to_answer_wins_and_the_others_are_cancelled() -> None:
    fork = Fork(["alice", "bob", "desk"])
    assert fork.start() == [Start("alice"), Start("bob"), Start("desk")]
    assert fork.feed(Refused("desk")) == []
    assert fork.feed(Answered("bob")) == [Won("bob"), Cancel("alice")]
    outcomes = (("alice", Outcome.CANCELLED), ("bob", Outcome.WON), ("desk", Outcome.REFUSED))
    assert fork.feed(Gone("alice")) == [Done(outcomes)]
    assert fork.winner == "bob"


def test_an_answer_that_crosses_the_cancel_is_ended_by_bye() -> None:
    fork = Fork(["alice", "bob"])
    fork.start()
    fork.feed(Answered("bob"))
    assert fork.feed(Answered("alice"))[0] == Bye("alice")
    assert fork.winner == "bob"


def test_in_order_each_rings_after_the_one_before() -> None:
    fork = Fork(["alice", "bob", "desk"], Mode.IN_ORDER)
    assert fork.start() == [Start("alice")]
    assert fork.feed(Expired("alice")) == [Cancel("alice"), Start("bob")]
    assert fork.feed(Gone("alice")) == []
    assert fork.feed(Refused("bob")) == [Start("desk")]
    outcomes = (("alice", Outcome.NO_ANSWER), ("bob", Outcome.REFUSED), ("desk", Outcome.WON))
    assert fork.feed(Answered("desk")) == [Won("desk"), Done(outcomes)]


def test_nobody_is_rung_after_the_caller_left() -> None:
    fork = Fork(["alice", "bob"], Mode.IN_ORDER)
    fork.start()
    assert fork.stop() == [Cancel("alice")]
    outcomes = (("alice", Outcome.CANCELLED), ("bob", Outcome.NOT_TRIED))
    assert fork.feed(Refused("alice")) == [Done(outcomes)]
    assert fork.feed(Refused("alice")) == []


def test_a_fork_of_nobody_is_done_at_once() -> None:
    assert Fork([]).start() == [Done(())]


def test_a_branch_given_twice_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="the same branch twice"):
        Fork(["alice", "alice"])


EVENTS = st.tuples(st.sampled_from([Answered, Refused, Expired, Gone, "stop"]), st.integers(0, 3))


@given(st.sampled_from(list(Mode)), st.lists(EVENTS, max_size=40))
def test_whatever_happens(mode, events) -> None:
    fork = Fork(list(range(4)), mode)
    actions = fork.start()
    stopped_after = None
    for kind, branch in events:
        if kind == "stop":
            actions += fork.stop()
            stopped_after = len(actions) if stopped_after is None else stopped_after
        else:
            actions += fork.feed(kind(branch))
    if stopped_after is None:
        actions += fork.stop()
        stopped_after = len(actions)
    for branch in range(4):
        actions += fork.feed(Gone(branch))

    started = [a.branch for a in actions if isinstance(a, Start)]
    won = [a.branch for a in actions if isinstance(a, Won)]
    cancelled = [a.branch for a in actions if isinstance(a, Cancel)]
    ended = [a.branch for a in actions if isinstance(a, Bye)]
    assert len(won) <= 1
    assert len(set(started)) == len(started)
    assert len(set(cancelled)) == len(cancelled)
    assert set(won).isdisjoint(cancelled)
    assert set(ended) <= set(cancelled)
    assert not any(isinstance(a, Start) for a in actions[stopped_after:])
    first_win = next((i for i, a in enumerate(actions) if isinstance(a, Won)), len(actions))
    assert not any(isinstance(a, Start) for a in actions[first_win:])
    dones = [a for a in actions if isinstance(a, Done)]
    assert dones == actions[-1:]
    outcomes = dict(dones[0].outcomes)
    assert {b for b, o in outcomes.items() if o is Outcome.WON} == set(won)
    assert {b for b, o in outcomes.items() if o is Outcome.NOT_TRIED} == set(range(4)) - set(started)
