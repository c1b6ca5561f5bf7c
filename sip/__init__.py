"""SIP for a back-to-back user agent: the public face.

:class:`Stack` speaks UDP and TCP, keeps registrations, refuses strangers and hands each call that
comes in to its handler as a :class:`ServerSession`; :meth:`Stack.invite` makes one that goes out, a
:class:`ClientSession`. What happens in either arrives as the events of :mod:`sip.invite`. Session
descriptions are bytes here; :mod:`sip.sdp` reads and writes them.

The package imports nothing of the application or of the media.
"""

from sip.bans import Ban, Rules
from sip.client_session import Attempt, ClientSession, InviteTarget
from sip.core import Handler, StackConfig
from sip.counters import Counters
from sip.dialog_user import SessionMisuse, SessionState
from sip.flow import Address, Flow
from sip.guard import Limits
from sip.invite import (
    Acknowledged,
    Answered,
    Cancelled,
    Ended,
    EndedBy,
    FromAgent,
    FromTrunk,
    Identity,
    Info,
    Provisional,
    Referred,
    Rejected,
    Reoffer,
    ReofferAnswered,
    ReofferRejected,
    SessionEvent,
)
from sip.message import Request, Response, SipError
from sip.pager import MOST_OVER_UDP, TextReceived
from sip.refer import Referral
from sip.registrar import Binding, Registrar
from sip.server_session import ServerSession
from sip.session import Session
from sip.stack import ListenError, Stack
from sip.timers import Timers
from sip.tls import KeyPair, Tls
from sip.trunk import Account, Trunk
from sip.trunk_line import TrunkLine, TrunkStatus

__all__ = [
    "MOST_OVER_UDP",
    "Account",
    "Acknowledged",
    "Address",
    "Answered",
    "Attempt",
    "Ban",
    "Binding",
    "Cancelled",
    "ClientSession",
    "Counters",
    "Ended",
    "EndedBy",
    "Flow",
    "FromAgent",
    "FromTrunk",
    "Handler",
    "Identity",
    "Info",
    "InviteTarget",
    "KeyPair",
    "Limits",
    "ListenError",
    "Provisional",
    "Referral",
    "Referred",
    "Registrar",
    "Rejected",
    "Reoffer",
    "ReofferAnswered",
    "ReofferRejected",
    "Request",
    "Response",
    "Rules",
    "ServerSession",
    "Session",
    "SessionEvent",
    "SessionMisuse",
    "SessionState",
    "SipError",
    "Stack",
    "StackConfig",
    "TextReceived",
    "Timers",
    "Tls",
    "Trunk",
    "TrunkLine",
    "TrunkStatus",
]
