"""Each strategy's rule, on agents who are free."""

from collections import Counter
from random import Random

import pytest

from pbx.config.queues import Strategy
from pbx.queues.needs import Needs, meets, parse_skill
from pbx.queues.strategies import RULES, Candidate, Memory

FREE = (
    Candidate("alice", idle_since=50, calls=4, talk_s=100, level=1),
    Candidate("bob", idle_since=10, calls=4, talk_s=300, level=5),
    Candidate("carol", idle_since=30, calls=2, talk_s=900, level=5),
)


def pick(strategy: Strategy, free=FREE, memory: Memory | None = None) -> list[str]:
    return RULES[strategy](free, memory or Memory(members=("alice", "bob", "carol")))


@pytest.mark.parametrize(
    ("strategy", "rung"),
    [
        (Strategy.RING_ALL, ["alice", "bob", "carol"]),
        (Strategy.LONGEST_IDLE, ["bob"]),
        (Strategy.ROUND_ROBIN, ["alice"]),
        (Strategy.TOP_DOWN, ["alice"]),
        (Strategy.FEWEST_CALLS, ["carol"]),
        (Strategy.LEAST_TALK_TIME, ["alice"]),
        (Strategy.SKILLS, ["bob"]),
    ],
)
def test_who_is_rung(strategy, rung):
    assert pick(strategy) == rung


@pytest.mark.parametrize("strategy", sorted(set(Strategy) - {Strategy.RING_ALL}))
def test_who_was_rung_for_this_caller_already_comes_last(strategy):
    free = (
        Candidate("alice", rung=1, level=9, idle_since=-1),
        Candidate("bob", calls=9, talk_s=9, weight=0.001),
    )
    assert pick(strategy, free) == ["bob"]


@pytest.mark.parametrize(
    ("last", "next_"), [("alice", "bob"), ("carol", "alice"), ("gone", "alice"), ("", "alice")]
)
def test_round_robin_goes_on_after_the_last(last, next_):
    assert pick(Strategy.ROUND_ROBIN, memory=Memory(last, ("alice", "bob", "carol"))) == [next_]


def test_round_robin_passes_over_who_is_not_free():
    assert pick(Strategy.ROUND_ROBIN, FREE[::2], Memory("alice", ("alice", "bob", "carol"))) == ["carol"]


def test_weights_are_shares_and_a_seed_gives_the_same_draw():
    free = (Candidate("alice", weight=3), Candidate("bob", weight=1))
    memory = Memory(random=Random(7))
    drawn = Counter(pick(Strategy.WEIGHTED_RANDOM, free, memory)[0] for _ in range(4000))
    assert drawn["alice"] == pytest.approx(3000, abs=150)
    again = [pick(Strategy.WEIGHTED_RANDOM, free, Memory(random=Random(5))) for _ in range(2)]
    assert again[0] == again[1]


def test_every_strategy_has_a_rule_with_its_words():
    assert set(RULES) == set(Strategy)
    assert all(rule.__doc__ for rule in RULES.values())


# --- skills ------------------------------------------------------------------------------------------


def test_needs_relax_with_the_wait():
    needs = Needs(((0, {"sales": 3, "spanish": 1}), (30, {"sales": 1}), (60, {})))
    assert [meets({"sales": 1}, needs.after(waited)) for waited in (0, 29.9, 30, 60)] == [
        False,
        False,
        True,
        True,
    ]
    assert meets({}, needs.after(100))
    assert needs.changes_s == (30, 60)


@pytest.mark.parametrize("written", ["", ":3", "sales:", "sales:0", "sales:11", "sales:x", "sales:٣"])
def test_a_skill_is_a_name_with_perhaps_a_level(written):
    assert parse_skill("sales") == ("sales", 1)
    assert parse_skill("sales:3") == ("sales", 3)
    with pytest.raises(ValueError, match="is no skill"):
        parse_skill(written)
