"""How a call ended, and which of the contract's statuses that makes; shared by live and simulated calls."""

from collections.abc import Sequence
from dataclasses import dataclass

from pbx import events
from pbx.events import CallEvent, CallStatus


@dataclass(slots=True)
class Tally:
    """What a call's events add up to; feed it each of them."""

    rang: bool = False
    talked: bool = False
    message_left: bool = False

    def note(self, event: CallEvent) -> None:
        match event:
            case events.LegStarted(role=role):
                self.rang |= role != "caller"
            case events.AgentConnected():
                self.talked = True
            case events.VoicemailLeft():
                self.message_left = True
            case _:
                pass

    @classmethod
    def of(cls, happened: Sequence[CallEvent]) -> "Tally":
        tally = cls()
        for event in happened:
            tally.note(event)
        return tally


def final_status(tally: Tally, *, caller_left: bool) -> CallStatus:
    """The status of a call that ended without a failure (failures name their own)."""
    if tally.talked:
        return CallStatus.ANSWERED
    if tally.message_left:
        return CallStatus.VOICEMAIL
    if caller_left:
        return CallStatus.ABANDONED
    return CallStatus.MISSED if tally.rang else CallStatus.COMPLETED
