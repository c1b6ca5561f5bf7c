"""The trace of a call: the steps it went through, and why it left each one the way it did.

It is read off the events that the interpreter publishes, so that the trace of a live call (from the
store), of a simulation and of a flow test are the same thing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pbx.events import CallEvent, StepEntered, TurnTaken


@dataclass(frozen=True, slots=True)
class TraceTurn:
    """One step of the path. ``because`` is "" for a step that the caller did not see the end of."""

    step: str
    kind: str
    next: str | None = None
    because: str = ""
    way: str = ""


def trace(happened: Iterable[CallEvent]) -> list[TraceTurn]:
    """The turns in order; the last one may be unfinished."""
    turns: list[TraceTurn] = []
    for event in happened:
        if isinstance(event, StepEntered):
            turns.append(TraceTurn(event.step, event.step_kind))
        elif isinstance(event, TurnTaken):
            entered = turns[-1]
            turns[-1] = TraceTurn(entered.step, entered.kind, event.next, event.because, event.way)
    return turns
