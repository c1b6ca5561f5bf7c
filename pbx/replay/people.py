"""What is supposed of people who did not show it: the rules, in one place, and in words.

A replay never guesses at random: the same calls through the same flows give the same answer.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median

from pbx.flows.control import DialOutcome
from pbx.flows.simulated import Reaction
from pbx.replay.recorded import RecordedCall, Ring, Talk

USUAL_TALK_S = 120.0
USUAL_MESSAGE_S = 20.0
LATER_S = 3.0

RULES = (
    "Each phone does again what it did in that call. One that was not rung in it then, and is free now,"
    " answers after its usual time if it answered at least half of the calls it was rung for in the period,"
    " and else rings out. One that stopped ringing because somebody else was faster answers later than that."
    " Who talks is busy, unless their phone showed in the period that it takes a second call.",
    "A caller who hung up unserved waits again as long as they did, counted from when somebody first rang or"
    " a queue was joined. How long the others would have waited nobody knows: they wait as long as the flow"
    " lets them, an hour at most.",
    "A talk lasts as long as it did; one that there was none of, the period's median. Callers press the same"
    " keys in the same steps, in a step that there was not those of one that is gone, and else nothing.",
    "A webhook answers what it answered then; one that was not asked is a success without a value. Callbacks"
    " take no more of the agents' time than they did.",
    "Agents are there, away or paused as they were then. Calls that are not replayed keep their agents busy.",
)


@dataclass(frozen=True, slots=True)
class Habit:
    """How somebody usually takes a call."""

    answers: bool
    after_s: float


@dataclass(slots=True)
class People:
    """Everybody's habits, from what they showed in the period."""

    habits: dict[str, Habit] = field(default_factory=dict)
    second_calls: set[str] = field(default_factory=set)
    """Whose phone rings while they talk."""
    talk_s: float = USUAL_TALK_S
    message_s: float = USUAL_MESSAGE_S

    @classmethod
    def of(cls, calls: Iterable[RecordedCall]) -> "People":
        rings: dict[str, list[Ring]] = defaultdict(list)
        talks: list[float] = []
        messages: list[float] = []
        calls = list(calls)
        for call in calls:
            for ring in call.rings:
                rings[ring.target].append(ring)
            talks += [talk.seconds for talk in call.talks]
            messages += [call.message_s] if call.message_s is not None else []
        return cls(
            {target: _habit(shown) for target, shown in rings.items()},
            _who_takes_second_calls(calls),
            median(talks) if talks else USUAL_TALK_S,
            median(messages) if messages else USUAL_MESSAGE_S,
        )

    def usual(self, target: str) -> Reaction:
        """What they do when they are rung for a call that did not ring them then."""
        habit = self.habits.get(target, Habit(True, 5.0))
        if not habit.answers:
            return Reaction(DialOutcome.NO_ANSWER)
        return Reaction(DialOutcome.ANSWERED, habit.after_s)

    def again(self, ring: Ring) -> Reaction:
        """What they do when they are rung as they were then."""
        if ring.outcome is not None:
            return Reaction(ring.outcome, ring.after_s)
        usual = self.usual(ring.target)
        return Reaction(usual.outcome, max(usual.after_s, ring.after_s + LATER_S))


_BUSY = (DialOutcome.BUSY, DialOutcome.DECLINED, DialOutcome.UNREACHABLE)


def _who_takes_second_calls(calls: Iterable[RecordedCall]) -> set[str]:
    calls = list(calls)
    talks: dict[str, list[Talk]] = defaultdict(list)
    for call in calls:
        for talk in call.talks:
            talks[talk.who].append(talk)
    return {
        ring.target
        for call in calls
        for ring in call.rings
        if ring.outcome not in _BUSY and any(talk.since < ring.at < talk.until for talk in talks[ring.target])
    }


def _habit(shown: list[Ring]) -> Habit:
    told = [ring for ring in shown if ring.outcome is not None]
    answered = [ring.after_s for ring in told if ring.outcome is DialOutcome.ANSWERED]
    usual_s = median(answered) if answered else 5.0
    return Habit(2 * len(answered) >= len(told), usual_s)
