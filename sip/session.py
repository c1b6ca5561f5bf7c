"""A session in its established phase, the same for both sides of the INVITE that made it.

RFC 3261 §13.3.1.4 (a 2xx is sent again until its ACK comes), §14 (re-INVITE and glare), §15 (BYE);
RFC 3311 (UPDATE); RFC 6086 (INFO). What makes the sides differ until then is in
:mod:`sip.server_session` and :mod:`sip.client_session`.

Who wants to change the session while another change is under way is told so: 491 to a re-INVITE
that crosses one of ours or comes before the ACK to the last, 500 with Retry-After to one that comes
while its predecessor waits for an answer (§14.2).
"""

import secrets
from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum

from sip.body import SDP, sdp_of
from sip.dialog import Dialog, DialogId
from sip.endpoint import ALLOW, SUPPORTED, Endpoint
from sip.flow import Flow
from sip.invite import (
    Acknowledged,
    Cancelled,
    Ended,
    EndedBy,
    Identity,
    Info,
    Referred,
    Rejected,
    Reoffer,
    ReofferAnswered,
    ReofferRejected,
    SessionEvent,
)
from sip.matching import ClientTransaction, ServerTransaction
from sip.message import Request, Response, SipError
from sip.refer import Referral
from sip.session_timer import MIN_INTERVAL_S, Agreed, agreed_by, answering, asking, too_short
from sip.timers import Deadlines
from sip.transaction import Cause

TERMINAL = (Rejected, Cancelled, Ended)


MOST_TOLD = 64
"""INFO requests that wait for their turn."""

REFRESH_AGAIN_S = 5.0
"""So long after a refresh that could not be sent, or was refused, another is tried."""


class SessionState(Enum):
    PROCEEDING = "not answered yet"
    ANSWERED = "answered, not acknowledged"
    CONFIRMED = "established"
    ENDED = "over"


class SessionTimer(Enum):
    ANSWER_AGAIN = "send the 2xx again"
    ACK_WAIT = "give up waiting for the ACK"
    RELIABLE_AGAIN = "send the reliable provisional response again"  # RFC 3262 §3
    PRACK_WAIT = "give up waiting for the PRACK"
    GLARE = "send the re-INVITE again that crossed the peer's"  # RFC 3261 §14.1
    RING_AGAIN = "send the provisional response again"  # RFC 3261 §13.3.1.1
    REFRESH = "refresh the session"  # RFC 4028
    EXPIRY = "give up a session that nobody refreshed"
    CANCEL_GUARD = "give up waiting for the end of a cancelled INVITE"  # §9.1


class SessionMisuse(Exception):  # noqa: N818 - names the caller's mistake
    """A verb that makes no sense in the state the session is in."""


def ignore(event: SessionEvent) -> None:
    """What an event meets until ``on_event`` is set."""


def takes_update(message: Request | Response) -> bool:
    """Whether its sender takes UPDATE (RFC 3311 §4)."""
    return any(method.upper() == "UPDATE" for method in message.headers.all("Allow"))


class Session:
    """A dialog made by INVITE, and what its user can do with it."""

    def __init__(self, endpoint: Endpoint, identity: Identity | None, sip_call_id: str) -> None:
        self.id = secrets.token_hex(6)
        self.identity = identity
        self.sip_call_id = sip_call_id
        self.state = SessionState.PROCEEDING
        self.on_event: Callable[[SessionEvent], None] = ignore
        self.dialog: Dialog | None = None
        self._endpoint = endpoint
        self._timers = Deadlines(endpoint.queue, self._timer_fired)
        self._answer: tuple[ServerTransaction, Response] | None = None  # a 2xx without its ACK
        self._answer_interval_s = 0.0
        self._bye_waits_for_ack = False
        self._bye_reason: str | None = None
        self._reoffer: ServerTransaction | None = None  # the peer's, until we answer it
        self._our_reoffer: ClientTransaction | None = None
        self._described = b""  # what we said last of our side
        self._our_offer = b""  # of the re-INVITE that we sent last
        self._told: deque[tuple[str, bytes]] = deque()  # by INFO: the first is under way, the others wait
        self._kept: Agreed | None = None  # the session timer
        self._peer_updates = False  # whether the peer takes UPDATE
        self._dialog_ids: set[DialogId] = set()
        endpoint.sessions.add(self)
        endpoint.counters.sessions_started += 1

    # --- verbs

    def bye(self, reason: str | None = None) -> None:
        """End an answered session. Does nothing if it has ended."""
        if self.state is SessionState.ENDED:
            return
        if self.state is SessionState.PROCEEDING:
            raise SessionMisuse("bye() before the session was answered; use reject() or cancel()")
        unacknowledged = self.state is SessionState.ANSWERED
        self._bye_reason = reason
        if unacknowledged:
            self._bye_waits_for_ack = True  # §15: not before the ACK, or until it is given up
        self._end(Ended(EndedBy.LOCAL, None, reason or ""))
        if not unacknowledged:
            self._send_bye()

    def reoffer(self, sdp: bytes) -> None:
        """Send a re-INVITE with a new offer; ReofferAnswered or ReofferRejected follows."""
        if self.state is SessionState.ENDED:
            return
        if self.state is not SessionState.CONFIRMED or self._our_reoffer or self._reoffer:
            raise SessionMisuse("reoffer() while the session is being set up or changed")
        dialog = self._established()
        flow = self._next_hop()
        self._described = self._our_offer = sdp
        headers = [
            ("Contact", self._contact(flow)),
            ("Allow", ALLOW),
            ("Supported", ", ".join(SUPPORTED)),
            *self._asking(),
            ("Content-Type", SDP),
        ]
        request = dialog.request("INVITE", headers=headers, body=sdp)
        self._our_reoffer = self._endpoint.send(
            request, flow, self._reoffer_response, lambda cause: self._gone(cause)
        )

    def accept_reoffer(self, sdp: bytes) -> None:
        """Answer the peer's re-INVITE or UPDATE. Does nothing if it is no longer pending."""
        pending, self._reoffer = self._reoffer, None
        if pending is None:
            return
        self._described = sdp
        request = pending.request
        headers = [("Contact", self._contact(pending.flow)), ("Allow", ALLOW), *self._answering(request)]
        response = self._endpoint.reply(request, 200, headers=headers, body=sdp)
        pending.respond(response)
        if request.method == "INVITE":
            self._await_ack(pending, response)

    def reject_reoffer(self, status: int) -> None:
        """Refuse it; the session goes on as it was."""
        pending, self._reoffer = self._reoffer, None
        if pending is not None:
            pending.respond(self._endpoint.reply(pending.request, status))

    def info(self, content_type: str, body: bytes) -> None:
        """Tell the peer something beside the session, in order: each when the one before was answered. A
        session that is not answered yet, or is over, tells nothing."""
        if self.state in (SessionState.ANSWERED, SessionState.CONFIRMED) and len(self._told) < MOST_TOLD:
            self._told.append((content_type, body))
            if len(self._told) == 1:
                self._send_info()

    # --- what a referral asks of its session

    def contact(self, flow: Flow) -> str:
        return self._contact(flow)

    def reply(self, request: Request, status: int, headers: Sequence[tuple[str, str]] = ()) -> Response:
        return self._endpoint.reply(request, status, headers=headers)

    def notify(self, event: str, state: str, content_type: str, body: bytes) -> None:
        """A NOTIFY in the dialog; a session that is over says nothing more."""
        if self.state is SessionState.ENDED:
            return
        flow = self._next_hop()
        headers = [
            ("Contact", self._contact(flow)),
            ("Event", event),
            ("Subscription-State", state),
            ("Content-Type", content_type),
        ]
        request = self._established().request("NOTIFY", headers=headers, body=body)
        self._endpoint.send(request, flow, lambda response: None, lambda cause: None)

    # --- what the core hands in

    def request_received(self, transaction: ServerTransaction, flow: Flow) -> None:
        """A request in this session's dialog, other than ACK and CANCEL."""
        request = transaction.request
        dialog = self.dialog
        if dialog is None or not dialog.accepts(request):
            transaction.respond(self._endpoint.reply(request, 500, "CSeq Out of Order"))
            return
        if dialog.follows_flow or flow.reliable:
            dialog.flow = flow
        if self.state is SessionState.ENDED and request.method != "BYE":
            transaction.respond(self._endpoint.reply(request, 481))
            return
        match request.method:
            case "BYE":
                self._bye_received(transaction)
            case "INVITE":
                self._reinvite_received(transaction)
            case "UPDATE":
                self._update_received(transaction)
            case "INFO":
                self._info_received(transaction)
            case "OPTIONS":
                headers = [("Allow", ALLOW), ("Accept", SDP)]
                transaction.respond(self._endpoint.reply(request, 200, headers=headers))
            case "PRACK":
                self._prack_received(transaction)
            case "REFER":
                self._refer_received(transaction)
            case _:
                refusal = self._endpoint.reply(request, 405, headers=[("Allow", ALLOW)])
                transaction.respond(refusal)

    def ack_received(self, ack: Request) -> None:
        """The ACK to a 2xx of ours, first or again."""
        if self._answer is None or ack.cseq.number != self._answer[1].cseq.number:
            return
        self._answer = None
        self._timers.stop(SessionTimer.ANSWER_AGAIN, SessionTimer.ACK_WAIT)
        if self._bye_waits_for_ack:
            self._bye_waits_for_ack = False
            self._send_bye()
        elif self.state is SessionState.ANSWERED:
            self.state = SessionState.CONFIRMED
            self.on_event(Acknowledged(sdp_of(ack)))
        elif self.state is SessionState.CONFIRMED and (answer := sdp_of(ack)) is not None:
            self.on_event(Acknowledged(answer))  # to the offer that a re-INVITE without one asked for

    # --- the inside

    def _timer_fired(self, timer: SessionTimer, now: float) -> None:
        if timer is SessionTimer.REFRESH:
            self._refresh(now)
            return
        if timer is SessionTimer.GLARE:
            self._offer_again(now)
            return
        if timer is SessionTimer.EXPIRY:
            self._end(Ended(EndedBy.TIMEOUT, None, "the session was not refreshed"))
            self._send_bye()
            return
        if self._answer is None:
            return
        if timer is SessionTimer.ANSWER_AGAIN:
            transaction, response = self._answer
            self._endpoint.counters.retransmissions_sent += 1
            transaction.respond(response)
            base = self._endpoint.timers
            self._answer_interval_s = min(2 * self._answer_interval_s, base.t2_s)
            self._timers.start(SessionTimer.ANSWER_AGAIN, now + self._answer_interval_s)
        elif timer is SessionTimer.ACK_WAIT:
            self._answer = None
            self._timers.stop(SessionTimer.ANSWER_AGAIN)
            self._bye_waits_for_ack = False
            self._end(Ended(EndedBy.TIMEOUT, None, "no ACK to our answer"))
            self._send_bye()

    # The session timer

    def _asking(self) -> list[tuple[str, str]]:
        """What a request that refreshes the session says of it."""
        return asking(self._kept.interval_s, refresh=self._kept.we_refresh) if self._kept else []

    def _answering(self, request: Request) -> list[tuple[str, str]]:
        """The same of a 2xx of ours, from which the time runs anew."""
        headers, agreed = answering(request)
        self._keep(agreed)
        return headers

    def _keep(self, agreed: Agreed | None) -> None:
        self._kept = agreed
        self._timers.stop(SessionTimer.REFRESH, SessionTimer.EXPIRY)
        if agreed is not None and self.state is not SessionState.ENDED:
            now = self._endpoint.wire.now()
            self._timers.start(SessionTimer.EXPIRY, now + agreed.over_after_s)
            if agreed.we_refresh:
                self._timers.start(SessionTimer.REFRESH, now + agreed.refresh_after_s)

    def _refresh(self, now: float) -> None:
        if self.state is not SessionState.CONFIRMED:
            return
        if self._our_reoffer or self._reoffer or self._answer or not (self._peer_updates or self._described):
            self._timers.start(SessionTimer.REFRESH, now + REFRESH_AGAIN_S)
        elif self._peer_updates:
            flow = self._next_hop()
            headers = [("Contact", self._contact(flow)), ("Supported", ", ".join(SUPPORTED)), *self._asking()]
            update = self._established().request("UPDATE", headers=headers)
            self._endpoint.send(update, flow, self._refreshed, self._gone)
        else:
            self.reoffer(self._described)

    def _refreshed(self, response: Response) -> None:
        if 200 <= response.status < 300:
            self._keep(agreed_by(response) or self._kept)
        elif response.status in (408, 481):
            self._end(Ended(EndedBy.REMOTE, response.status, response.reason))
            self._send_bye()
        elif response.status >= 300:
            self._timers.start(SessionTimer.REFRESH, self._endpoint.wire.now() + REFRESH_AGAIN_S)

    def _await_ack(self, transaction: ServerTransaction, response: Response) -> None:
        now = self._endpoint.wire.now()
        self._answer = transaction, response
        self._answer_interval_s = self._endpoint.timers.t1_s
        self._timers.start(SessionTimer.ANSWER_AGAIN, now + self._answer_interval_s)
        self._timers.start(SessionTimer.ACK_WAIT, now + self._endpoint.timers.transaction_timeout_s)

    def _bye_received(self, transaction: ServerTransaction) -> None:
        reason = transaction.request.headers.get("Reason") or ""
        transaction.respond(self._endpoint.reply(transaction.request, 200))
        self.reject_reoffer(487)
        self._answer = None
        self._bye_waits_for_ack = False
        self._timers.stop_all()
        self._end(Ended(EndedBy.REMOTE, None, reason))
        self._forget()

    def _reinvite_received(self, transaction: ServerTransaction) -> None:
        if too_short(transaction.request):
            self._refuse_interval(transaction)
        elif self._reoffer is not None:
            self._refuse_for_now(transaction)
        elif self._our_reoffer is not None or self._answer is not None:
            transaction.respond(self._endpoint.reply(transaction.request, 491))
        elif self.state is SessionState.CONFIRMED:
            self._take_reoffer(transaction, is_update=False)
        else:
            self._refuse_for_now(transaction)

    def _refuse_interval(self, transaction: ServerTransaction) -> None:
        headers = [("Min-SE", str(MIN_INTERVAL_S))]
        transaction.respond(self._endpoint.reply(transaction.request, 422, headers=headers))

    def _update_received(self, transaction: ServerTransaction) -> None:
        if too_short(transaction.request):
            self._refuse_interval(transaction)
        elif sdp_of(transaction.request) is None:  # only refreshes target and session (RFC 3311 §5.2)
            self._established().refresh(transaction.request)
            headers = [("Contact", self._contact(transaction.flow)), ("Allow", ALLOW)]
            headers += self._answering(transaction.request)
            transaction.respond(self._endpoint.reply(transaction.request, 200, headers=headers))
        elif self._our_reoffer is not None:
            transaction.respond(self._endpoint.reply(transaction.request, 491))
        elif self._reoffer is not None or self.state is not SessionState.CONFIRMED:
            self._refuse_for_now(transaction)
        else:
            self._take_reoffer(transaction, is_update=True)

    def _take_reoffer(self, transaction: ServerTransaction, *, is_update: bool) -> None:
        self._reoffer = transaction
        transaction.on_cancel = lambda: self.reject_reoffer(487)
        self._established().refresh(transaction.request)
        self.on_event(Reoffer(sdp_of(transaction.request), is_update))

    def _refuse_for_now(self, transaction: ServerTransaction) -> None:
        retry = [("Retry-After", str(secrets.randbelow(11)))]
        transaction.respond(self._endpoint.reply(transaction.request, 500, headers=retry))

    def _info_received(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        transaction.respond(self._endpoint.reply(request, 200))
        self.on_event(Info(request.headers.get("Content-Type") or "", request.body))

    def _send_info(self) -> None:
        content_type, body = self._told[0]
        request = self._established().request("INFO", headers=[("Content-Type", content_type)], body=body)
        self._endpoint.send(request, self._next_hop(), self._info_response, lambda _: self._info_over())

    def _info_response(self, response: Response) -> None:
        if response.status == 481:  # RFC 5057 §5.1: the dialog is gone
            self._told.clear()
            self._end(Ended(EndedBy.REMOTE, response.status, response.reason))
            self._send_bye()
        elif response.status >= 200:
            self._info_over()

    def _info_over(self) -> None:
        self._told.popleft()
        if self._told and self.state in (SessionState.ANSWERED, SessionState.CONFIRMED):
            self._send_info()

    def _prack_received(self, transaction: ServerTransaction) -> None:
        """Only who was called acknowledges to us; see :mod:`sip.server_session`."""
        transaction.respond(self._endpoint.reply(transaction.request, 481))

    def _refer_received(self, transaction: ServerTransaction) -> None:
        try:
            referral = Referral(self, transaction)
        except SipError as error:
            transaction.respond(self._endpoint.reply(transaction.request, error.status, error.reason))
            return
        self.on_event(Referred(referral))
        if referral.pending:  # nobody wants to know
            referral.reject(603)

    def _reoffer_response(self, response: Response) -> None:
        if response.status < 200:
            return
        pending, self._our_reoffer = self._our_reoffer, None
        if response.status < 300:
            self._acknowledge(response)
            if pending is not None and self.state is SessionState.CONFIRMED:
                self._established().refresh(response)
                self._keep(agreed_by(response) or self._kept)
                self.on_event(ReofferAnswered(sdp_of(response)))
        elif response.status in (408, 481):  # §14.1: the dialog is gone
            self._end(Ended(EndedBy.REMOTE, response.status, response.reason))
            self._send_bye()
        elif response.status == 491 and self.state is SessionState.CONFIRMED:
            self._timers.start(SessionTimer.GLARE, self._endpoint.wire.now() + self._glare_s())
        elif self.state is SessionState.CONFIRMED:
            self.on_event(ReofferRejected(response.status, response.reason))

    def _offer_again(self, now: float) -> None:
        if self._our_reoffer or self._reoffer or self._answer:
            self._timers.start(SessionTimer.GLARE, now + self._glare_s())
        elif self.state is SessionState.CONFIRMED:
            self.reoffer(self._our_offer)

    def _glare_s(self) -> float:
        """§14.1: who did not make the Call-ID tries first."""
        return secrets.randbelow(200) / 100

    def _acknowledge(self, response: Response) -> None:
        flow = self._next_hop()
        self._endpoint.acknowledge(self._established().request("ACK", cseq=response.cseq.number), flow)

    def _gone(self, cause: Cause) -> None:
        by = EndedBy.TIMEOUT if cause is Cause.TIMEOUT else EndedBy.TRANSPORT
        self._end(Ended(by, None, f"the peer cannot be reached: {cause.value}"))
        self._forget()

    def _send_bye(self) -> None:
        """The session is over for its user; it stays known until the peer has heard."""
        headers = [("Reason", self._bye_reason)] if self._bye_reason else []
        request = self._established().request("BYE", headers=headers)
        self._endpoint.send(request, self._next_hop(), self._bye_response, lambda _: self._forget())

    def _bye_response(self, response: Response) -> None:
        if response.status >= 200:
            self._forget()

    def _end(self, event: Rejected | Cancelled | Ended) -> None:
        """Deliver the terminal event, once."""
        if self.state is SessionState.ENDED:
            return
        self.state = SessionState.ENDED
        self._timers.stop(SessionTimer.REFRESH, SessionTimer.EXPIRY)
        self._endpoint.counters.sessions_ended += 1
        self.on_event(event)

    def _enter(self, dialog: Dialog) -> None:
        """Requests of this dialog are this session's from now on."""
        self._dialog_ids.add(dialog.id)
        self._endpoint.dialogs[dialog.id] = self

    def _leave_dialogs(self) -> None:
        for dialog_id in self._dialog_ids:
            self._endpoint.dialogs.pop(dialog_id, None)
        self._dialog_ids.clear()

    def _forget(self) -> None:
        """Nothing is left to be said: the dialog does not exist any more."""
        self._timers.close()
        self._leave_dialogs()
        self._endpoint.sessions.discard(self)

    def _established(self) -> Dialog:
        if self.dialog is None:
            raise SessionMisuse("the session has no dialog yet")
        return self.dialog

    def _next_hop(self) -> Flow:
        dialog = self._established()
        return dialog.next_hop(flow_alive=self._endpoint.wire.alive(dialog.flow))

    def _contact(self, flow: Flow) -> str:
        return self._endpoint.contact(flow, self._contact_user())

    def _contact_user(self) -> str:
        return ""
