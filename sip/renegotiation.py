"""Changing a session while it lasts: re-INVITE and glare (RFC 3261 §14), UPDATE (RFC 3311), session timers.

One offer is under way at a time, in either direction. Who wants to change the session while another change
is under way is told so: 491 to an offer that crosses one of ours or comes before the ACK to the last
answer, 500 with Retry-After to one that comes while its predecessor waits for an answer (§14.2).

Before the answer to the INVITE, an UPDATE or PRACK may bring another offer (RFC 3311 §5.1, RFC 3262 §5), once
the first has been answered reliably: :meth:`Renegotiation._settled` says whether it has. UPDATE and
re-INVITE also keep the session timer (RFC 4028) going, so that lives here too.
"""

import secrets

from sip.body import SDP, sdp_of
from sip.dialog_user import DialogUser, SessionMisuse, SessionState, SessionTimer
from sip.endpoint import ALLOW, SUPPORTED, Endpoint
from sip.invite import Ended, EndedBy, Identity, Reoffer, ReofferAnswered, ReofferRejected
from sip.matching import ServerTransaction
from sip.message import Request, Response
from sip.session_timer import MIN_INTERVAL_S, Agreed, agreed_by, answering, asking, too_short

REFRESH_AGAIN_S = 5.0
"""So long after a refresh that could not be sent, or was refused, another is tried."""


def takes_update(message: Request | Response) -> bool:
    """Whether its sender takes UPDATE (RFC 3311 §4)."""
    return any(method.upper() == "UPDATE" for method in message.headers.all("Allow"))


class Renegotiation(DialogUser):
    """The offers and answers of a session beside those of its INVITE."""

    def __init__(self, endpoint: Endpoint, identity: Identity | None, sip_call_id: str) -> None:
        super().__init__(endpoint, identity, sip_call_id)
        self._answer: tuple[ServerTransaction, Response] | None = None  # a 2xx without its ACK
        self._answer_interval_s = 0.0
        self._reoffer: ServerTransaction | None = None  # the peer's, until we answer it
        self._offering = False  # a re-INVITE of ours is under way
        self._described = b""  # what we said last of our side
        self._our_offer = b""  # of the re-INVITE that we sent last
        self._kept: Agreed | None = None  # the session timer
        self._peer_updates = False  # whether the peer takes UPDATE

    # --- verbs

    def reoffer(self, sdp: bytes) -> None:
        """Send a re-INVITE with a new offer; ReofferAnswered or ReofferRejected follows."""
        if self.state is SessionState.ENDED:
            return
        if self.state is not SessionState.CONFIRMED or self._offering or self._reoffer:
            raise SessionMisuse("reoffer() while the session is being set up or changed")
        self._described = self._our_offer = sdp
        headers = [
            ("Contact", self._contact(self._next_hop())),
            ("Allow", ALLOW),
            ("Supported", ", ".join(SUPPORTED)),
            *self._asking(),
            ("Content-Type", SDP),
        ]
        self._offering = True
        self._ask("INVITE", headers, sdp, end=self._reoffer_response, failed=self._gone)

    def accept_reoffer(self, sdp: bytes) -> None:
        """Answer the peer's re-INVITE, UPDATE or PRACK. Does nothing if it is no longer pending."""
        pending, self._reoffer = self._reoffer, None
        if pending is None:
            return
        self._described = sdp
        request = pending.request
        headers = [("Contact", self._contact(pending.flow)), ("Allow", ALLOW)]
        if request.method != "PRACK":
            headers += self._answering(request)
        response = self._endpoint.reply(request, 200, headers=headers, body=sdp)
        pending.respond(response)
        if request.method == "INVITE":
            self._await_ack(pending, response)

    def reject_reoffer(self, status: int) -> None:
        """Refuse it; the session goes on as it was."""
        pending, self._reoffer = self._reoffer, None
        if pending is not None:
            pending.respond(self._endpoint.reply(pending.request, status))

    # --- the peer's offers

    def _settled(self, request: Request) -> bool:
        """Whether the INVITE's own offer has been answered for good, in the dialog of ``request``."""
        return self.state is SessionState.CONFIRMED

    def _offer_in_invite_received(self, transaction: ServerTransaction) -> None:
        if too_short(transaction.request):
            self._refuse_interval(transaction)
        elif self._reoffer is not None:
            self._refuse_for_now(transaction)
        elif self._offering or self._answer is not None:
            transaction.respond(self._endpoint.reply(transaction.request, 491))
        elif self.state is SessionState.CONFIRMED:
            self._take_reoffer(transaction)
        else:
            self._refuse_for_now(transaction)

    def _update_received(self, transaction: ServerTransaction) -> None:
        if too_short(transaction.request):
            self._refuse_interval(transaction)
        elif sdp_of(transaction.request) is None:  # only refreshes target and session (RFC 3311 §5.2)
            self._dialog_for(transaction.request).refresh(transaction.request)
            headers = [("Contact", self._contact(transaction.flow)), ("Allow", ALLOW)]
            headers += self._answering(transaction.request)
            transaction.respond(self._endpoint.reply(transaction.request, 200, headers=headers))
        elif self._offering:
            transaction.respond(self._endpoint.reply(transaction.request, 491))
        elif self._reoffer is not None:
            self._refuse_for_now(transaction)
        elif self._settled(transaction.request):
            self._take_reoffer(transaction)
        else:
            self._refuse_early_offer(transaction)

    def _refuse_early_offer(self, transaction: ServerTransaction) -> None:
        """The INVITE's offer, which is ours, is not answered yet (RFC 3311 §5.2)."""
        transaction.respond(self._endpoint.reply(transaction.request, 491))

    def _take_reoffer(self, transaction: ServerTransaction) -> None:
        self._reoffer = transaction
        transaction.on_cancel = lambda: self.reject_reoffer(487)
        self._dialog_for(transaction.request).refresh(transaction.request)
        self.on_event(Reoffer(sdp_of(transaction.request), is_update=transaction.request.method != "INVITE"))

    def _refuse_for_now(self, transaction: ServerTransaction) -> None:
        retry = [("Retry-After", str(secrets.randbelow(11)))]
        transaction.respond(self._endpoint.reply(transaction.request, 500, headers=retry))

    def _refuse_interval(self, transaction: ServerTransaction) -> None:
        headers = [("Min-SE", str(MIN_INTERVAL_S))]
        transaction.respond(self._endpoint.reply(transaction.request, 422, headers=headers))

    def _await_ack(self, transaction: ServerTransaction, response: Response) -> None:
        now = self._endpoint.wire.now()
        self._answer = transaction, response
        self._answer_interval_s = self._endpoint.timers.t1_s
        self._timers.start(SessionTimer.ANSWER_AGAIN, now + self._answer_interval_s)
        self._timers.start(SessionTimer.ACK_WAIT, now + self._endpoint.timers.transaction_timeout_s)

    # --- our offers

    def _reoffer_response(self, response: Response) -> None:
        offering, self._offering = self._offering, False
        if response.status < 300:
            self._acknowledge(response)
            if offering and self.state is SessionState.CONFIRMED:
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
        if self._offering or self._reoffer or self._answer:
            self._timers.start(SessionTimer.GLARE, now + self._glare_s())
        elif self.state is SessionState.CONFIRMED:
            self.reoffer(self._our_offer)

    def _glare_s(self) -> float:
        """§14.1: who did not make the Call-ID tries first."""
        return secrets.randbelow(200) / 100

    def _acknowledge(self, response: Response) -> None:
        """§13.2.2.4: with the INVITE's own credentials."""
        dialog = self._established()
        ack = dialog.request("ACK", cseq=response.cseq.number, headers=self._invite_proofs)
        self._endpoint.acknowledge(ack, self._flow_of(dialog))

    # --- the session timer

    def _asking(self) -> list[tuple[str, str]]:
        """What a request that refreshes the session says of it."""
        return asking(self._kept.interval_s, refresh=self._kept.we_refresh) if self._kept else []

    def _answering(self, request: Request) -> list[tuple[str, str]]:
        """The same of a 2xx of ours, from which the time runs anew."""
        if self.state is SessionState.PROCEEDING:
            return []  # there is no session yet whose time could run
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
        if self._offering or self._reoffer or self._answer or not (self._peer_updates or self._described):
            self._timers.start(SessionTimer.REFRESH, now + REFRESH_AGAIN_S)
        elif self._peer_updates:
            contact = self._contact(self._next_hop())
            headers = [("Contact", contact), ("Supported", ", ".join(SUPPORTED)), *self._asking()]
            self._ask("UPDATE", headers, end=self._refreshed, failed=self._gone)
        else:
            self.reoffer(self._described)

    def _refreshed(self, response: Response) -> None:
        if response.status < 300:
            self._keep(agreed_by(response) or self._kept)
        elif response.status in (408, 481):
            self._end(Ended(EndedBy.REMOTE, response.status, response.reason))
            self._send_bye()
        else:
            self._timers.start(SessionTimer.REFRESH, self._endpoint.wire.now() + REFRESH_AGAIN_S)
