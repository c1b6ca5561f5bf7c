"""How a flow ended, and which of the contract's statuses that makes; shared by live and simulated calls."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from pbx.events import (
    AgentConnected,
    CallbackPromised,
    CallEvent,
    CallStatus,
    LegStarted,
    QueueJoined,
    VoicemailLeft,
)


class EndedBy(StrEnum):
    FLOW = "flow"  # a turn led nowhere, or to hangup
    CALLER = "caller"  # hung up, or the call was ended from outside
    FAILURE = "failure"  # a step could not do its work


class StepFailed(Exception):  # noqa: N818 - a state of the flow, found in a call
    """A step could not do its work, or the flow runs in circles; the message names flow and step.

    Where an exception of something else was the reason, it is the ``__cause__``.
    """


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the interpreter hands back. ``cause`` is a pbx.failures name; ``reason`` what the flow's
    own hanging up gave as one."""

    path: tuple[str, ...]
    ended_by: EndedBy
    cause: str
    failure: StepFailed | None = None
    reason: str = ""


@dataclass(slots=True)
class Tally:
    """What a call's events add up to; feed it each of them."""

    sought: bool = False  # somebody was rung, or waited for in a queue
    talked: bool = False
    message_left: bool = False
    called_back: bool = False  # is going to be

    def note(self, event: CallEvent) -> None:
        match event:
            case LegStarted(role=role):
                self.sought |= role != "caller"
            case QueueJoined():
                self.sought = True
            case AgentConnected():
                self.talked = True
            case VoicemailLeft():
                self.message_left = True
            case CallbackPromised():
                self.called_back = True
            case _:
                pass

    @classmethod
    def of(cls, happened: Iterable[CallEvent]) -> "Tally":
        tally = cls()
        for event in happened:
            tally.note(event)
        return tally


def final_status(tally: Tally, *, caller_left: bool, failed: bool = False) -> CallStatus:
    """The contract's status of a call whose flow is over.

    ``missed`` includes the caller who waited in a queue of which no phone could be rung.
    """
    if failed:
        return CallStatus.FAILED
    if tally.talked:
        return CallStatus.ANSWERED
    if tally.message_left:
        return CallStatus.VOICEMAIL
    if tally.called_back:  # the call that keeps the promise has a status of its own
        return CallStatus.COMPLETED
    if caller_left:
        return CallStatus.ABANDONED
    return CallStatus.MISSED if tally.sought else CallStatus.COMPLETED


def status_of(outcome: Outcome, tally: Tally) -> CallStatus:
    """The same, of an interpreter's outcome."""
    return final_status(
        tally,
        caller_left=outcome.ended_by is EndedBy.CALLER,
        failed=outcome.ended_by is EndedBy.FAILURE,
    )
