"""The UAS side of an INVITE (RFC 3261 §13.3): a call that came in, until it is answered or over."""

import secrets
from collections.abc import Sequence

from sip.body import sdp_of
from sip.dialog import Dialog
from sip.dialog_user import SessionMisuse, SessionState, SessionTimer
from sip.endpoint import ALLOW, SUPPORTED, Endpoint, new_tag
from sip.flow import Flow
from sip.headers import Replaces
from sip.invite import Cancelled, EarlyAnswered, Ended, EndedBy, FromAgent, Identity, Rejected
from sip.matching import ServerTransaction
from sip.message import Request, Response, SipError
from sip.proofs import proofs_of
from sip.reliable import TAG, acknowledges, requires, supports
from sip.renegotiation import takes_update
from sip.session import Session
from sip.transaction import Cause
from sip.uri import URI


def replaces(request: Request) -> Replaces | None:
    """The dialog that this INVITE takes over (RFC 3891). Raises SipError 400 for one that cannot be."""
    values = request.headers.all("Replaces")
    if len(values) > 1:
        raise SipError(400, "Bad Request: more than one Replaces")
    return Replaces.parse(values[0]) if values else None


RING_AGAIN_S = 60.0  # §13.3.1.1: every minute, so that no proxy's Timer C ends a caller who waits


class ServerSession(Session):
    """An INVITE that we were sent. Its handler must ``answer`` or ``reject`` it in the end."""

    def __init__(
        self,
        endpoint: Endpoint,
        transaction: ServerTransaction,
        flow: Flow,
        identity: Identity,
        credentials: tuple[str, str] | None = None,
    ) -> None:
        """``credentials``: ours, for a caller who challenges what we send in the dialog."""
        request = transaction.request
        super().__init__(endpoint, identity, request.call_id)
        self._proofs = proofs_of(credentials)
        self.request: Request = request
        self.source = flow.remote
        self.did = URI.parse(request.uri).user or ""  # the number called
        self.offer = sdp_of(request)
        self.replaces = replaces(request)
        self._peer_updates = takes_update(request)
        self._transaction = transaction
        self._local_tag = new_tag()
        self._provisional: Response | None = None
        self._rseq = secrets.randbelow(2**16)
        self._unacknowledged: Response | None = None  # a reliable provisional response without its PRACK
        self._reliable_interval_s = 0.0
        self._next_reliable: Response | None = None
        self._answer_waits: bytes | None = None
        self.answered_early = False  # the INVITE's offer, or ours, by a reliable provisional response
        self.dialog = Dialog.of_server(
            request, self._local_tag, flow, follows_flow=isinstance(identity, FromAgent)
        )
        self._enter(self.dialog)
        self._incoming = request.call_id, request.from_tag or "", request.cseq.number
        endpoint.incoming[self._incoming] = self
        transaction.on_cancel = self._cancelled
        transaction.on_failure = self._transaction_failed

    # --- verbs

    @property
    def wants_early_offer(self) -> bool:
        """Whether our first provisional response must carry an offer (RFC 3262 §5)."""
        return self.offer is None and requires(self.request)

    @property
    def takes_early_offer(self) -> bool:
        """Whether it may: an offer is answered in the PRACK."""
        return self.offer is None and supports(self.request)

    def ring(self, sdp: bytes | None = None, *, status: int | None = None) -> None:
        """180 Ringing, or with a description for early media 183 Session Progress."""
        if self.state is not SessionState.PROCEEDING:
            return
        self._described = sdp or self._described
        body = b"" if sdp is None or self.answered_early else sdp
        self._provisional = self._reply(status or (183 if sdp else 180), body)
        if not (requires(self.request) or (sdp and supports(self.request))):
            self._transaction.respond(self._provisional)
        elif self._unacknowledged is None:
            self._send_reliably(self._provisional)
        else:
            self._next_reliable = self._provisional
        self._ring_again_later()

    def answer(self, sdp: bytes) -> None:
        """200 OK with our answer, or our offer if the INVITE had none. Nothing if it is over already."""
        if self.state is SessionState.ENDED:
            return
        if self.state is not SessionState.PROCEEDING:
            raise SessionMisuse("answer() after the session was answered")
        if self._unacknowledged is not None and self._unacknowledged.body:
            self._answer_waits = sdp  # RFC 3262 §3: not before the PRACK
            return
        self._unacknowledged = None
        self._timers.stop(SessionTimer.RELIABLE_AGAIN, SessionTimer.PRACK_WAIT)
        self.state = SessionState.ANSWERED
        self._timers.stop(SessionTimer.RING_AGAIN)
        if self.answered_early:
            sdp = self._described  # what the last offer before the answer was answered with
        self._described = sdp
        response = self._reply(200, sdp, self._answering(self.request))
        self._transaction.respond(response)
        self._await_ack(self._transaction, response)

    def reject(self, status: int, reason: str | None = None, headers: Sequence[tuple[str, str]] = ()) -> None:
        """A final response from 300 to 699. Nothing if it is over already."""
        if self.state is SessionState.ENDED:
            return
        if self.state is not SessionState.PROCEEDING:
            raise SessionMisuse("reject() after the session was answered; use bye()")
        response = self._refuse(status, reason, headers)
        self._end(Rejected(status, response.reason, tuple(headers)))

    def bye(self, reason: str | None = None) -> None:
        if self.state is SessionState.PROCEEDING and self._answer_waits is not None:
            self.reject(480)  # the 200 still waits for a PRACK
        else:
            super().bye(reason)

    # --- reliable provisional responses

    def _send_reliably(self, response: Response) -> None:
        self._rseq += 1
        response.headers.add("Require", TAG)
        response.headers.add("RSeq", str(self._rseq))
        self._unacknowledged = response
        self._reliable_interval_s = self._endpoint.timers.t1_s
        self._transaction.respond(response)
        now = self._endpoint.wire.now()
        self._timers.start(SessionTimer.RELIABLE_AGAIN, now + self._reliable_interval_s)
        self._timers.start(SessionTimer.PRACK_WAIT, now + self._endpoint.timers.transaction_timeout_s)

    def _prack_received(self, transaction: ServerTransaction) -> None:
        """§5: it answers an offer of ours; or, once the INVITE's offer is answered, makes another."""
        request, described = transaction.request, sdp_of(transaction.request)
        reliable = self._unacknowledged
        if reliable is None or not acknowledges(request, self._rseq, self.request):
            transaction.respond(self._endpoint.reply(request, 481))
            return
        self._unacknowledged = None
        self._timers.stop(SessionTimer.RELIABLE_AGAIN, SessionTimer.PRACK_WAIT)
        is_answer = self.offer is None and not self.answered_early
        self.answered_early |= bool(reliable.body)
        if described is None or is_answer:
            transaction.respond(self._endpoint.reply(request, 200))
            if described is not None:
                self.on_event(EarlyAnswered(described))
        elif self.answered_early:
            self._take_reoffer(transaction)
        else:
            transaction.respond(self._endpoint.reply(request, 488))
        self._go_on()

    def _go_on(self) -> None:
        """Whatever waited for the PRACK."""
        waiting, self._next_reliable = self._next_reliable, None
        if self._answer_waits is not None:
            self.answer(self._answer_waits)
        elif waiting is not None and self.state is SessionState.PROCEEDING:
            self._send_reliably(waiting)

    def _settled(self, request: Request) -> bool:
        return self.answered_early or super()._settled(request)

    def _refuse_early_offer(self, transaction: ServerTransaction) -> None:
        """RFC 3311 §5.2: 500 while their offer waits for our answer, 491 while ours waits for theirs."""
        if self.offer is None:
            transaction.respond(self._endpoint.reply(transaction.request, 491))
        else:
            self._refuse_for_now(transaction)

    # --- the inside

    def _cancelled(self) -> None:
        if self.state is SessionState.PROCEEDING:
            self._refuse(487)
            self._end(Cancelled())

    def _bye_received(self, transaction: ServerTransaction) -> None:
        if self.state is SessionState.PROCEEDING:  # §15: a caller may end even an early dialog so
            transaction.respond(self._endpoint.reply(transaction.request, 200))
            self._cancelled()
        else:
            super()._bye_received(transaction)

    def _transaction_failed(self, cause: Cause) -> None:
        """The caller's connection broke before we answered. (Later on, the missing ACK tells.)"""
        if self.state is SessionState.PROCEEDING:
            self._refuse(500)
            self._end(Ended(EndedBy.TRANSPORT, None, f"the caller cannot be reached: {cause.value}"))

    def _timer_fired(self, timer: SessionTimer, now: float) -> None:
        if timer is SessionTimer.RING_AGAIN and self._provisional is not None:
            self.ring(self._provisional.body or None, status=self._provisional.status)
        elif timer is SessionTimer.RELIABLE_AGAIN and self._unacknowledged is not None:
            self._reliable_interval_s *= 2
            self._transaction.respond(self._unacknowledged)
            self._timers.start(SessionTimer.RELIABLE_AGAIN, now + self._reliable_interval_s)
        elif timer is SessionTimer.PRACK_WAIT:
            self._refuse(504)
            self._end(Ended(EndedBy.TIMEOUT, None, "no PRACK to our provisional response"))
        else:
            super()._timer_fired(timer, now)

    def _ring_again_later(self) -> None:
        self._timers.start(SessionTimer.RING_AGAIN, self._endpoint.wire.now() + RING_AGAIN_S)

    def _refuse(
        self, status: int, reason: str | None = None, headers: Sequence[tuple[str, str]] = ()
    ) -> Response:
        response = self._endpoint.reply(self.request, status, reason, to_tag=self._local_tag, headers=headers)
        self._transaction.respond(response)
        self._forget()
        return response

    def _reply(self, status: int, sdp: bytes, more: Sequence[tuple[str, str]] = ()) -> Response:
        contact = self._contact(self._established().flow)
        headers = [("Contact", contact), ("Allow", ALLOW), ("Supported", ", ".join(SUPPORTED)), *more]
        return self._endpoint.reply(self.request, status, to_tag=self._local_tag, headers=headers, body=sdp)

    def _forget(self) -> None:
        super()._forget()
        self._endpoint.incoming.pop(self._incoming, None)

    def _contact_user(self) -> str:
        return self.did
