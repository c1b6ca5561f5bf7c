"""What a replay comes to beside what was: figures of both, and each call that changes with its reason."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import mean

from pbx.events import CallStatus
from pbx.replay.recorded import RecordedCall
from pbx.replay.world import Replayed

SHOWN = (
    CallStatus.ANSWERED,
    CallStatus.MISSED,
    CallStatus.VOICEMAIL,
    CallStatus.ABANDONED,
    CallStatus.COMPLETED,
    CallStatus.FAILED,
)


@dataclass(frozen=True, slots=True)
class Figures:
    """Calls by status, and how long those who were answered waited."""

    statuses: Counter[CallStatus]
    mean_wait_s: float | None
    p90_wait_s: float | None

    @classmethod
    def of(cls, calls: Iterable[tuple[CallStatus, float | None]]) -> "Figures":
        calls = list(calls)
        waits = sorted(wait_s for _, wait_s in calls if wait_s is not None)
        return cls(
            Counter(status for status, _ in calls),
            mean(waits) if waits else None,
            waits[min(len(waits) - 1, int(0.9 * len(waits)))] if waits else None,
        )


@dataclass(frozen=True, slots=True)
class Changed:
    """A call that takes another way, ends otherwise or is taken by somebody else."""

    id: str
    at: datetime
    did: str
    caller: str
    before: CallStatus
    after: CallStatus
    agent_before: str
    agent_after: str
    because: str


@dataclass(frozen=True, slots=True)
class Difference:
    """The whole answer."""

    before: Figures
    after: Figures
    changed: tuple[Changed, ...]
    replayed: int


def difference(calls: Sequence[RecordedCall], replayed: Sequence[Replayed]) -> Difference:
    """Compare each call with what became of it this time."""
    again = {each.id: each for each in replayed}
    pairs = [(call, again[call.id]) for call in calls if call.id in again]
    return Difference(
        Figures.of((call.status, call.wait_s) for call, _ in pairs),
        Figures.of((each.status, each.wait_s) for _, each in pairs),
        tuple(_changed(call, each) for call, each in pairs if _differs(call, each)),
        len(pairs),
    )


def _differs(call: RecordedCall, again: Replayed) -> bool:
    return (call.status, call.agent, call.path) != (again.status, again.agent, again.path)


def _changed(call: RecordedCall, again: Replayed) -> Changed:
    return Changed(
        id=call.id,
        at=call.at,
        did=call.did,
        caller=call.caller,
        before=call.status,
        after=again.status,
        agent_before=call.agent,
        agent_after=again.agent,
        because=_because(call, again),
    )


def _because(call: RecordedCall, again: Replayed) -> str:
    """Why: the turn after which the paths part or, on one path, how its last step ended then and now."""
    same = 0
    while same < min(len(call.path), len(again.path)) and call.path[same] == again.path[same]:
        same += 1
    if same < max(len(call.path), len(again.path)):
        if same == 0:
            return f"the flow begins at {again.path[0] if again.path else 'nothing'}"
        step, because = again.turns[same - 1]
        return f"{step}: {because}"
    step, because = again.turns[-1]
    return f"{step}: {because}; then: {call.because}"
