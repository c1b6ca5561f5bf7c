"""Who is rung: one rule a strategy, each a pure function of the agents who are free.

A rule gets the free members in the order of the file and what it may remember, and returns who is
rung now. All but ring-all ring one at a time, and prefer those whom this caller has not rung yet: an
agent who let it ring is not rung again while somebody else is free.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from pbx.config.queues import Strategy


@dataclass(frozen=True, slots=True)
class Candidate:
    """A free member, as the rules see them."""

    agent: str
    rung: int = 0  # how often for this caller
    idle_since: float = 0.0  # when their last talk ended; the smaller, the longer idle
    calls: int = 0  # taken for this queue today
    talk_s: float = 0.0  # talked for this queue today
    weight: float = 1.0
    level: int = 0  # of the skills that this caller needs, summed


@dataclass(slots=True)
class Memory:
    """What a queue remembers from one caller to the next."""

    last: str = ""  # who was rung last
    members: Sequence[str] = ()
    random: Random = field(default_factory=lambda: Random(0))


Rule = Callable[[Sequence[Candidate], Memory], list[str]]


def ring_all(free: Sequence[Candidate], _memory: Memory) -> list[str]:
    """Everybody; the first to answer talks."""
    return [each.agent for each in free]


def longest_idle(free: Sequence[Candidate], _memory: Memory) -> list[str]:
    """Whose last talk ended longest ago."""
    return _first(free, lambda each: (each.rung, each.idle_since))


def round_robin(free: Sequence[Candidate], memory: Memory) -> list[str]:
    """The next in the order of the file after the one who was rung last, whoever called then."""
    order = list(memory.members)
    after = order.index(memory.last) + 1 if memory.last in order else 0
    turn = {agent: place for place, agent in enumerate([*order[after:], *order[:after]])}
    return _first(free, lambda each: (each.rung, turn.get(each.agent, len(turn))))


def top_down(free: Sequence[Candidate], _memory: Memory) -> list[str]:
    """The first in the order of the file."""
    return _first(free, lambda each: (each.rung,))


def fewest_calls(free: Sequence[Candidate], _memory: Memory) -> list[str]:
    """Who took the fewest calls of this queue today; of several, the longest idle."""
    return _first(free, lambda each: (each.rung, each.calls, each.idle_since))


def least_talk_time(free: Sequence[Candidate], _memory: Memory) -> list[str]:
    """Who talked least for this queue today; of several, the longest idle."""
    return _first(free, lambda each: (each.rung, each.talk_s, each.idle_since))


def weighted_random(free: Sequence[Candidate], memory: Memory) -> list[str]:
    """By lot: an agent of weight 3 is drawn three times as often as one of weight 1."""
    rung = min(each.rung for each in free)
    fresh = [each for each in free if each.rung == rung]
    (drawn,) = memory.random.choices(fresh, [each.weight for each in fresh])
    return [drawn.agent]


def skills(free: Sequence[Candidate], _memory: Memory) -> list[str]:
    """Who has most of the skills that the caller needs, by level; of several, the longest idle."""
    return _first(free, lambda each: (each.rung, -each.level, each.idle_since))


def _first(free: Sequence[Candidate], key: Callable[[Candidate], tuple[float, ...]]) -> list[str]:
    return [min(free, key=key).agent]


RULES: Mapping[Strategy, Rule] = {
    Strategy.RING_ALL: ring_all,
    Strategy.LONGEST_IDLE: longest_idle,
    Strategy.ROUND_ROBIN: round_robin,
    Strategy.TOP_DOWN: top_down,
    Strategy.FEWEST_CALLS: fewest_calls,
    Strategy.LEAST_TALK_TIME: least_talk_time,
    Strategy.WEIGHTED_RANDOM: weighted_random,
    Strategy.SKILLS: skills,
}
