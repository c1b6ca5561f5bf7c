"""What an INVITE's life reports to its user, and who is at the other end.

A session, whichever side sent the INVITE, reports through ``on_event``. Exactly one of the events is
terminal: :class:`Rejected`, :class:`Cancelled` or :class:`Ended`; nothing follows it. A verb of our
own that ends the session (``reject``, ``cancel``, ``bye``) delivers the terminal event before it
returns, while the messages that it takes to tell the peer, and their retransmissions, go on behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sip.refer import Referral

__all__ = [
    "Acknowledged",
    "Answered",
    "Cancelled",
    "EarlyAnswered",
    "Ended",
    "EndedBy",
    "FromAgent",
    "FromTrunk",
    "Identity",
    "Info",
    "Provisional",
    "Referred",
    "Rejected",
    "Reoffer",
    "ReofferAnswered",
    "ReofferRejected",
    "SessionEvent",
]


@dataclass(frozen=True, slots=True)
class FromTrunk:
    """The peer is a trunk: its address is one that the trunk's calls come from."""

    name: str


@dataclass(frozen=True, slots=True)
class FromAgent:
    """The peer is an agent, who sends from where they are registered or, if ``authenticated``, has
    proved to know the password in this very request: to be asked for where a call costs money."""

    owner: str
    authenticated: bool = False


Identity = FromTrunk | FromAgent


class EndedBy(StrEnum):
    REMOTE = "remote"
    LOCAL = "local"
    TIMEOUT = "timeout"  # the peer stopped answering: no ACK, no response in a dialog
    TRANSPORT = "transport"


@dataclass(frozen=True, slots=True)
class Provisional:
    """A 101 to 199 came; ``sdp`` is early media's answer."""

    status: int
    reason: str
    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class Answered:
    """The call we made was answered. ``sdp`` is None only if the peer sent none at all."""

    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class EarlyAnswered:
    """A PRACK brought the answer to the offer in our provisional response (RFC 3262 §5)."""

    sdp: bytes


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The ACK to our answer came; ``sdp`` is the peer's answer where we made the offer."""

    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A final response other than 2xx. 408: no answer at all; 503: could not be sent."""

    status: int
    reason: str
    headers: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Given up by whoever sent the INVITE before it was answered."""


@dataclass(frozen=True, slots=True)
class Ended:
    """An answered call is over. ``reason`` is the peer's Reason header (RFC 3326) or our own words."""

    by: EndedBy
    status: int | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Reoffer:
    """A re-INVITE, UPDATE or PRACK wants another session description; ``sdp`` None asks us for an offer.

    To be answered by ``accept_reoffer`` or ``reject_reoffer``.
    """

    sdp: bytes | None
    is_update: bool = False


@dataclass(frozen=True, slots=True)
class ReofferAnswered:
    """The peer took our re-INVITE."""

    sdp: bytes | None


@dataclass(frozen=True, slots=True)
class ReofferRejected:
    """The peer did not take our re-INVITE; the session goes on as it was."""

    status: int
    reason: str


@dataclass(frozen=True, slots=True)
class Info:
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Referred:
    """The peer asks for somebody else to be called; refused unless it is accepted before the event's
    handler returns."""

    referral: "Referral"


SessionEvent = (
    Provisional
    | Answered
    | EarlyAnswered
    | Acknowledged
    | Rejected
    | Cancelled
    | Ended
    | Reoffer
    | ReofferAnswered
    | ReofferRejected
    | Info
    | Referred
)
