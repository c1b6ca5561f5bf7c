"""What every session needs of the stack: its transactions, timers, dialogs and our own addresses."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sip.body import SDP
from sip.counters import Counters
from sip.dialog import DialogId
from sip.flow import Flow
from sip.headers import MAGIC_COOKIE
from sip.matching import ClientTransaction, TransactionLayer
from sip.message import Request, Response, response_to
from sip.timers import TimerQueue, Timers
from sip.transaction import Cause
from sip.uri import escaped_user
from sip.wire import Wire

if TYPE_CHECKING:
    from sip.session import Session

ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, REFER, PRACK, MESSAGE, REGISTER"

SUPPORTED = ("replaces", "timer", "100rel")
"""Option tags that a request may require of us."""

MAX_DATAGRAM_BYTES = 1300  # RFC 3261 §18.1.1, where the path's MTU is not known


def new_tag() -> str:
    """A tag, or the unguessable part of a branch or Call-ID (RFC 3261 §19.3)."""
    return secrets.token_hex(8)


class Endpoint:
    """The shared ground under all sessions of one stack."""

    def __init__(self, wire: Wire, timers: Timers, user_agent: str) -> None:
        self.wire = wire
        self.timers = timers
        self.user_agent = user_agent
        self.counters = Counters()
        self.queue = TimerQueue(wire.wake)
        self.transactions = TransactionLayer(wire, self.queue, timers, self.counters)
        self.dialogs: dict[DialogId, Session] = {}
        self.incoming: dict[tuple[str, str, int], Session] = {}  # by Call-ID, From tag, CSeq
        self.sessions: set[Session] = set()
        self.may_move: Callable[[Flow], bool] = lambda flow: True  # whether TCP may be tried for UDP
        self.on_unreachable: Callable[[Flow], None] = lambda flow: None  # no answer there, or 503

    def send(
        self,
        request: Request,
        flow: Flow,
        on_response: Callable[[Response], None],
        on_failure: Callable[[Cause], None],
    ) -> ClientTransaction:
        """Send a request in a transaction of its own.

        One too large for a datagram goes over TCP, and by UDP after all where that is refused (RFC 3261
        §18.1.1); but never to a phone behind NAT, which only its own flow reaches.
        """
        self._complete(request, flow)
        if flow.reliable or len(request.encode()) <= MAX_DATAGRAM_BYTES or not self.may_move(flow):
            return self.transactions.request(request, flow, on_response, on_failure)
        tcp = replace(flow, transport="tcp", connection=0)
        large = Request(request.method, request.uri, request.headers.copy(), request.body)
        large.headers.remove("Via")
        large.headers.remove("User-Agent")
        self._complete(large, tcp)
        return self.transactions.request(large, tcp, on_response, on_failure, instead=(request, flow))

    def acknowledge(self, ack: Request, flow: Flow) -> bytes:
        """Send an ACK to a 2xx; returned as sent, for the 2xx that come again."""
        self._complete(ack, flow)
        data = ack.encode()
        self.counters.requests_sent += 1
        self.wire.send(flow, data)
        return data

    def contact(self, flow: Flow, user: str) -> str:
        transport = "" if flow.transport == "udp" else f";transport={flow.transport}"
        at = f"{escaped_user(user)}@" if user else ""
        return f"<sip:{at}{self.wire.local(flow)}{transport}>"

    def reply(
        self,
        request: Request,
        status: int,
        reason: str | None = None,
        *,
        to_tag: str | None = None,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Response:
        """A response in our name; the body, if any, is SDP."""
        return response_to(
            request,
            status,
            reason,
            to_tag=to_tag,
            headers=[*headers, ("Server", self.user_agent)],
            body=body,
            content_type=SDP if body else None,
        )

    def _complete(self, request: Request, flow: Flow) -> None:
        via = f"SIP/2.0/{flow.transport.upper()} {self.wire.local(flow)}"
        alias = ";alias" if flow.transport == "tls" else ""  # RFC 5923
        request.headers.prepend("Via", f"{via};branch={MAGIC_COOKIE}{new_tag()};rport{alias}")
        request.headers.add("User-Agent", self.user_agent)
