"""The UAC side of an INVITE (RFC 3261 §13.2): a call that we make, until it is answered or over.

The cases that go wrong elsewhere, and where they are handled here:

* CANCEL waits for a provisional response (§9.1), and gives up on the end of the INVITE after 64*T1.
* A 2xx that crosses our CANCEL, or that comes from a second fork, is acknowledged and then ended by
  BYE; the session's user never hears of it (§13.2.2.4).
* A 2xx that comes again means that our ACK was lost: the same ACK is sent again.
* 401 and 407 are answered with the credentials that were given for the purpose: once, and once more where
  the nonce was stale.
* No answer, a broken transport or 503 is not the end while there is another :class:`Attempt`: the next
  server of the same name, or another trunk (RFC 3263 §4.3).
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sip.body import SDP, sdp_of
from sip.dialog import Dialog
from sip.dialog_user import SessionState, SessionTimer
from sip.endpoint import ALLOW, SUPPORTED, Endpoint, new_tag
from sip.flow import Flow
from sip.headers import NameAddr
from sip.invite import Answered, Cancelled, FromAgent, Identity, Provisional, Rejected, SessionEvent
from sip.matching import ClientTransaction
from sip.message import Headers, Request, Response, SipError
from sip.proofs import CHALLENGES, FIELDS, proofs_of
from sip.reliable import rack, rseq
from sip.renegotiation import takes_update
from sip.session import Session
from sip.session_timer import INTERVAL_S, agreed_by, asking, raised
from sip.transaction import Cause

MAX_EARLY_DIALOGS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteTarget:
    """Whom to call: a Request-URI, and the way to get there.

    For a registered phone, ``flow`` is its binding's and ``owner`` the agent's id; for a trunk's server,
    ``trunk`` is the trunk's name.
    """

    uri: str
    flow: Flow
    owner: str | None = None
    trunk: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One way of making a call: whom to ask, as whom, and with which credentials."""

    target: InviteTarget
    from_: str  # a name-addr without a tag, as is ``to``
    to: str
    headers: Sequence[tuple[str, str]] = ()
    credentials: tuple[str, str] | None = None


class ClientSession(Session):
    """An INVITE that we sent."""

    def __init__(
        self,
        endpoint: Endpoint,
        target: InviteTarget,
        *,
        offer: bytes,
        from_: str,
        to: str,
        headers: Sequence[tuple[str, str]] = (),
        credentials: tuple[str, str] | None = None,
        fallbacks: Sequence[Attempt] = (),
        on_event: Callable[[SessionEvent], None],
    ) -> None:
        identity: Identity | None = FromAgent(target.owner) if target.owner else None
        super().__init__(endpoint, identity, f"{new_tag()}{new_tag()}")
        self.on_event = on_event
        self._attempts_left = list(fallbacks)
        self._offer = self._described = offer
        self._interval_s = INTERVAL_S
        self._from_tag = new_tag()
        self._cancel_wanted = False
        self._cancel_sent = False
        self._early_sdp: dict[str, bytes] = {}  # by the To tag that sent it
        self._early: dict[str, Dialog] = {}
        self._rseqs: dict[str, int] = {}  # by the To tag: the last that we acknowledged
        self._settled_early: set[str] = set()  # To tags that answered our offer reliably
        self._acks: dict[str, tuple[bytes, Flow]] = {}  # by the To tag of the 2xx
        self._transaction: ClientTransaction | None = None
        self._try(
            Attempt(target=target, from_=from_, to=to, headers=headers, credentials=credentials), cseq=1
        )

    def _try(self, attempt: Attempt, cseq: int) -> None:
        self.target = attempt.target
        self._proofs = proofs_of(attempt.credentials)
        self._challenges = 0
        invite = Request("INVITE", attempt.target.uri, Headers(), self._offer)
        for name, value in (
            ("Max-Forwards", "70"),
            ("From", f"{attempt.from_};tag={self._from_tag}"),
            ("To", attempt.to),
            ("Call-ID", self.sip_call_id),
            ("CSeq", f"{cseq} INVITE"),
            ("Contact", self._endpoint.contact(attempt.target.flow, _user_of(attempt.from_))),
            ("Allow", ALLOW),
            ("Supported", ", ".join(SUPPORTED)),
            *asking(self._interval_s, refresh=False),
            ("Content-Type", SDP),
            *attempt.headers,
        ):
            invite.headers.add(name, value)
        self._invite = invite
        self._send_invite()

    def _try_next(self) -> bool:
        """Go on with the next attempt; False if there is none, or nobody waits for it any more."""
        self._endpoint.on_unreachable(self.target.flow)
        if not self._attempts_left or self.state is not SessionState.PROCEEDING:
            return False
        self._leave_dialogs()  # early ones of whoever failed
        self._early.clear()
        self._rseqs.clear()
        self._early_sdp.clear()
        self._settled_early.clear()
        self.dialog = None
        self._try(self._attempts_left.pop(0), self._invite.cseq.number + 1)
        return True

    # --- verbs

    def cancel(self) -> None:
        """Give up a call that is not answered yet. Does nothing if it is over, BYE if it is answered."""
        if self.state in (SessionState.CONFIRMED, SessionState.ANSWERED):
            self.bye()
        if self.state is not SessionState.PROCEEDING:
            return
        self._cancel_wanted = True
        self._end(Cancelled())
        if self._transaction is not None and self._transaction.provisional_received:
            self._send_cancel(self._transaction)

    # --- responses

    def _send_invite(self) -> None:
        self._transaction = self._endpoint.send(
            self._invite, self.target.flow, self._response_received, self._invite_failed
        )

    def _response_received(self, response: Response) -> None:
        if response.status < 200:
            self._provisional_received(response)
        elif response.status < 300:
            self._success_received(response)
        else:
            self._failure_received(response)

    def _provisional_received(self, response: Response) -> None:
        if self._cancel_wanted:
            if self._transaction is not None:
                self._send_cancel(self._transaction)
            return
        if self.state is not SessionState.PROCEEDING:
            return
        tag = response.to_tag
        if tag and response.status > 100:
            self._remember_early(tag, response)
            if not self._acknowledge_provisional(tag, response):
                return
        self.on_event(Provisional(response.status, response.reason, sdp_of(response)))

    def _remember_early(self, tag: str, response: Response) -> None:
        sdp = sdp_of(response)
        if tag not in self._early and len(self._early) < MAX_EARLY_DIALOGS:
            self._early[tag] = self._dialog_of(response)
            self._enter(self._early[tag])
            self.dialog = self.dialog or self._early[tag]
        if sdp and tag in self._early:
            self._early_sdp[tag] = sdp

    def _acknowledge_provisional(self, tag: str, response: Response) -> bool:
        """PRACK, if it is wanted; False if the response came again, or too early (RFC 3262 §4)."""
        number, last = rseq(response), self._rseqs.get(tag)
        dialog = self._early.get(tag)
        if number is None or dialog is None:
            return True
        if last is not None and number != last + 1:
            return False
        self._rseqs[tag] = number
        if sdp_of(response) is not None:
            self._settled_early.add(tag)
        self._ask("PRACK", [("RAck", rack(number, response))], dialog=dialog)
        return True

    def _settled(self, request: Request) -> bool:
        return request.from_tag in self._settled_early or super()._settled(request)

    def _dialog_for(self, request: Request) -> Dialog:
        early = self._early.get(request.from_tag or "") if self.state is SessionState.PROCEEDING else None
        return early or super()._dialog_for(request)

    def _success_received(self, response: Response) -> None:
        tag = response.to_tag or ""
        if tag in self._acks:
            ack, flow = self._acks[tag]
            self._endpoint.counters.retransmissions_sent += 1
            self._endpoint.wire.send(flow, ack)
            return
        if self._proofs is not None:
            self._proofs.accepted()
        dialog = self._early.get(tag) or self._dialog_of(response)
        dialog.refresh(response)
        dialog.routes = self._dialog_of(response).routes  # §13.2.2.4: the 2xx has the last word
        self._acknowledge_success(tag, dialog, response)
        if self.state is SessionState.PROCEEDING:
            self._leave_dialogs()  # the early ones of other forks
            self.dialog = dialog
            self._enter(dialog)
            self.state = SessionState.CONFIRMED
            self._peer_updates = takes_update(response)
            self._keep(agreed_by(response))
            self.on_event(Answered(sdp_of(response) or self._early_sdp.get(tag)))
        elif self._cancel_wanted and len(self._acks) == 1:  # it crossed our CANCEL
            self._timers.stop_all()
            self.dialog = dialog
            self._send_bye()
        else:
            self._end_fork(dialog)

    def _acknowledge_success(self, tag: str, dialog: Dialog, response: Response) -> None:
        flow = self._flow_of(dialog)
        proofs = [(name, value) for name in FIELDS if (value := self._invite.headers.get(name)) is not None]
        ack = dialog.request("ACK", cseq=response.cseq.number, headers=proofs)
        self._acks[tag] = self._endpoint.acknowledge(ack, flow), flow

    def _end_fork(self, dialog: Dialog) -> None:
        """Another fork answered too: §13.2.2.4 wants it acknowledged, and then ended."""
        self._ask("BYE", dialog=dialog)

    def _failure_received(self, response: Response) -> None:
        self._timers.stop_all()
        if (
            response.status in (401, 407)
            and self.state is SessionState.PROCEEDING
            and self._authorize(response)
        ):
            return
        if response.status == 503 and self._try_next():
            return
        if response.status == 422 and self._try_longer(response):
            return
        self._end(Rejected(response.status, response.reason, tuple(response.headers)))
        self._forget()

    def _try_longer(self, response: Response) -> bool:
        """422: the same again with the session interval that they want, once."""
        try:
            wanted_s = raised(response)
        except SipError:
            return False
        if self.state is not SessionState.PROCEEDING or wanted_s <= self._interval_s:
            return False
        self._interval_s = wanted_s
        again = self._again()
        again.headers.set("Session-Expires", str(wanted_s))
        again.headers.set("Min-SE", str(wanted_s))
        self._invite = again
        self._send_invite()
        return True

    def _again(self) -> Request:
        """The same INVITE, to be sent in a transaction of its own."""
        again = Request("INVITE", self._invite.uri, self._invite.headers.copy(), self._invite.body)
        again.headers.remove("Via")
        again.headers.remove("User-Agent")
        again.headers.set("CSeq", f"{self._invite.cseq.number + 1} INVITE")
        return again

    def _glare_s(self) -> float:
        """§14.1: who made the Call-ID waits the longer."""
        return 2.1 + secrets.randbelow(190) / 100

    def _authorize(self, response: Response) -> bool:
        """Send the INVITE again with the credentials asked for; False if we have none, or they are wrong."""
        if self._challenges == CHALLENGES or not self._proves_itself(response):
            return False
        self._challenges += 1
        again = self._again()
        assert self._proofs is not None
        for name, proof in self._proofs.headers("INVITE", again.uri, again.body):
            again.headers.set(name, proof)
        self._invite = again
        self._send_invite()
        return True

    def _invite_failed(self, cause: Cause) -> None:
        if self._try_next():
            return
        if cause is Cause.TIMEOUT:
            self._end(Rejected(408, "Request Timeout"))
        else:
            self._end(Rejected(503, "Service Unavailable"))
        self._forget()

    # --- giving up

    def _send_cancel(self, invite: ClientTransaction) -> None:
        """§9.1: the INVITE's own Via, so that every hop finds its transaction."""
        if self._cancel_sent:
            return
        self._cancel_sent = True
        headers = Headers()
        headers.add("Via", invite.request.headers.get("Via") or "")
        for route in invite.request.headers.all("Route"):
            headers.add("Route", route)
        for name in ("Max-Forwards", "From", "To", "Call-ID"):
            headers.add(name, invite.request.headers.get(name) or "")
        headers.add("CSeq", f"{invite.request.cseq.number} CANCEL")
        cancel = Request("CANCEL", invite.request.uri, headers)
        self._endpoint.transactions.request(cancel, invite.flow, lambda _: None, lambda _: None)
        guard_s = self._endpoint.timers.transaction_timeout_s
        self._timers.start(SessionTimer.CANCEL_GUARD, self._endpoint.wire.now() + guard_s)

    def _timer_fired(self, timer: SessionTimer, now: float) -> None:
        if timer is SessionTimer.CANCEL_GUARD:
            if self._transaction is not None:
                self._transaction.abandon()
            self._forget()
        else:
            super()._timer_fired(timer, now)

    def _dialog_of(self, response: Response) -> Dialog:
        follows_flow = self.target.owner is not None
        return Dialog.of_client(self._invite, response, self.target.flow, follows_flow=follows_flow)

    def _contact_user(self) -> str:
        return _user_of(self._invite.headers.get("From") or "")


def _user_of(name_addr: str) -> str:
    """The user part of the URI in a From, for our Contact."""
    return NameAddr.parse(name_addr, header="From").uri.user or ""
