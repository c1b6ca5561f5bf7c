"""What every session has beneath its offers and answers: a state, timers, its dialogs, requests in them,
and an end.

A request of ours within a dialog may be challenged like the INVITE was (RFC 3261 §22): trunks that ask
for a password ask it of a BYE, a re-INVITE or a PRACK too. It is sent again with the proof and a CSeq one
higher, and its user hears of the last answer only.
"""

import secrets
from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING, cast

from sip.dialog import Dialog, DialogId
from sip.endpoint import Endpoint
from sip.flow import Flow
from sip.invite import Cancelled, Ended, EndedBy, Identity, Rejected, SessionEvent
from sip.message import Request, Response
from sip.proofs import CHALLENGES, Proofs
from sip.timers import Deadlines
from sip.transaction import Cause

if TYPE_CHECKING:
    from sip.session import Session


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


def ignore(news: object) -> None:
    """What news meets while nobody wants to know."""


class DialogUser:
    """Whose dialogs and timers a session's are."""

    def __init__(self, endpoint: Endpoint, identity: Identity | None, sip_call_id: str) -> None:
        self.id = secrets.token_hex(6)
        self.identity = identity
        self.sip_call_id = sip_call_id
        self.state = SessionState.PROCEEDING
        self.on_event: Callable[[SessionEvent], None] = ignore
        self.dialog: Dialog | None = None
        self._endpoint = endpoint
        self._timers = Deadlines(endpoint.queue, self._timer_fired)
        self._proofs: Proofs | None = None  # where the peer may challenge us
        self._invite_proofs: Sequence[tuple[str, str]] = ()  # of the re-INVITE sent last, for its ACK
        self._dialog_ids: set[DialogId] = set()
        self._bye_reason: str | None = None
        self._bye_waits_for_ack = False
        endpoint.sessions.add(cast("Session", self))
        endpoint.counters.sessions_started += 1

    def _timer_fired(self, timer: SessionTimer, now: float) -> None:
        raise NotImplementedError

    # Requests of ours

    def _ask(
        self,
        method: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        *,
        dialog: Dialog | None = None,
        end: Callable[[Response], None] = ignore,
        failed: Callable[[Cause], None] = ignore,
    ) -> None:
        """Send a request in the dialog; ``end`` hears its final response."""
        dialog = dialog or self._established()
        flow = self._flow_of(dialog)
        challenges = 0

        def ask() -> None:
            request = dialog.request(method, headers=headers, body=body)
            proofs = self._proofs.headers(method, request.uri, body) if self._proofs is not None else []
            for field, proof in proofs:
                request.headers.add(field, proof)
            if method == "INVITE":
                self._invite_proofs = proofs
            self._endpoint.send(request, flow, answered, failed)

        def answered(response: Response) -> None:
            nonlocal challenges
            if response.status < 200:
                return
            challenged = response.status in (401, 407)
            if challenged and challenges < CHALLENGES and self._proves_itself(response):
                challenges += 1
                ask()
                return
            if self._proofs is not None and not challenged:
                self._proofs.accepted()
            end(response)

        ask()

    def _proves_itself(self, challenge: Response) -> bool:
        return self._proofs is not None and self._proofs.challenged(challenge)

    # The end

    def _gone(self, cause: Cause) -> None:
        by = EndedBy.TIMEOUT if cause is Cause.TIMEOUT else EndedBy.TRANSPORT
        self._end(Ended(by, None, f"the peer cannot be reached: {cause.value}"))
        self._forget()

    def _send_bye(self) -> None:
        """The session is over for its user; it stays known until the peer has heard."""
        headers = [("Reason", self._bye_reason)] if self._bye_reason else []
        self._ask("BYE", headers, end=lambda _: self._forget(), failed=lambda _: self._forget())

    def _end(self, event: Rejected | Cancelled | Ended) -> None:
        """Deliver the terminal event, once."""
        if self.state is SessionState.ENDED:
            return
        self.state = SessionState.ENDED
        self._timers.stop(SessionTimer.REFRESH, SessionTimer.EXPIRY)
        self._endpoint.counters.sessions_ended += 1
        on_event, self.on_event = self.on_event, ignore  # nothing follows, so nobody need be held
        on_event(event)

    def _forget(self) -> None:
        """Nothing is left to be said: the dialog does not exist any more."""
        self._timers.close()
        self._leave_dialogs()
        self._endpoint.sessions.discard(cast("Session", self))

    # The dialog

    def _enter(self, dialog: Dialog) -> None:
        """Requests of this dialog are this session's from now on."""
        self._dialog_ids.add(dialog.id)
        self._endpoint.dialogs[dialog.id] = cast("Session", self)

    def _leave_dialogs(self) -> None:
        for dialog_id in self._dialog_ids:
            self._endpoint.dialogs.pop(dialog_id, None)
        self._dialog_ids.clear()

    def _established(self) -> Dialog:
        if self.dialog is None:
            raise SessionMisuse("the session has no dialog yet")
        return self.dialog

    def _dialog_for(self, request: Request) -> Dialog:
        """The dialog that a request came in: before the answer there may be several (§12.1)."""
        return self._established()

    def _flow_of(self, dialog: Dialog) -> Flow:
        return dialog.next_hop(flow_alive=self._endpoint.wire.alive(dialog.flow))

    def _next_hop(self) -> Flow:
        return self._flow_of(self._established())

    def _contact(self, flow: Flow) -> str:
        return self._endpoint.contact(flow, self._contact_user())

    def _contact_user(self) -> str:
        return ""
