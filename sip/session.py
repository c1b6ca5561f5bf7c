"""A session in its established phase, the same for both sides of the INVITE that made it.

RFC 3261 §13.3.1.4 (a 2xx is sent again until its ACK comes), §15 (BYE); RFC 6086 (INFO). What makes the
sides differ until then is in :mod:`sip.server_session` and :mod:`sip.client_session`; how a session is
changed while it lasts, in :mod:`sip.renegotiation`.
"""

from collections import deque
from collections.abc import Sequence

from sip.body import SDP, sdp_of
from sip.dialog_user import SessionMisuse, SessionState, SessionTimer
from sip.endpoint import ALLOW, Endpoint
from sip.flow import Flow
from sip.invite import Acknowledged, Cancelled, Ended, EndedBy, Identity, Info, Referred, Rejected
from sip.matching import ServerTransaction
from sip.message import Request, Response, SipError
from sip.refer import Referral
from sip.renegotiation import Renegotiation

TERMINAL = (Rejected, Cancelled, Ended)

MOST_TOLD = 64
"""INFO requests that wait for their turn."""


class Session(Renegotiation):
    """A dialog made by INVITE, and what its user can do with it."""

    def __init__(self, endpoint: Endpoint, identity: Identity | None, sip_call_id: str) -> None:
        super().__init__(endpoint, identity, sip_call_id)
        self._told: deque[tuple[str, bytes]] = deque()  # by INFO: the first is under way, the others wait

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
        headers = [
            ("Contact", self._contact(self._next_hop())),
            ("Event", event),
            ("Subscription-State", state),
            ("Content-Type", content_type),
        ]
        self._ask("NOTIFY", headers, body)

    # --- what the core hands in

    def request_received(self, transaction: ServerTransaction, flow: Flow) -> None:
        """A request in this session's dialog, other than ACK and CANCEL."""
        request = transaction.request
        dialog = self._dialog_for(request)
        if not dialog.accepts(request):
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
                self._offer_in_invite_received(transaction)
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

    def _bye_received(self, transaction: ServerTransaction) -> None:
        reason = transaction.request.headers.get("Reason") or ""
        transaction.respond(self._endpoint.reply(transaction.request, 200))
        self.reject_reoffer(487)
        self._answer = None
        self._bye_waits_for_ack = False
        self._timers.stop_all()
        self._end(Ended(EndedBy.REMOTE, None, reason))
        self._forget()

    def _info_received(self, transaction: ServerTransaction) -> None:
        request = transaction.request
        transaction.respond(self._endpoint.reply(request, 200))
        self.on_event(Info(request.headers.get("Content-Type") or "", request.body))

    def _send_info(self) -> None:
        content_type, body = self._told[0]
        headers = [("Content-Type", content_type)]
        self._ask("INFO", headers, body, end=self._info_response, failed=lambda _: self._info_over())

    def _info_response(self, response: Response) -> None:
        if response.status == 481:  # RFC 5057 §5.1: the dialog is gone
            self._told.clear()
            self._end(Ended(EndedBy.REMOTE, response.status, response.reason))
            self._send_bye()
        else:
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
