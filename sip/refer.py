"""REFER: somebody in a dialog asks us to call another (RFC 3515), to transfer their peer (RFC 5589).

The request is answered 202, and what becomes of it is told by NOTIFY in the same dialog, as the status
line of the call that is being made (a ``message/sipfrag``, RFC 3420); a final status ends the
subscription. ``Refer-Sub: false`` (RFC 4488) wants no NOTIFY. A ``Replaces`` in the URI of Refer-To
names the dialog that the new call takes over (RFC 3891): an attended transfer.
"""

from typing import TYPE_CHECKING

from sip.endpoint import ALLOW
from sip.errors import SipError
from sip.headers import NameAddr, Replaces
from sip.matching import ServerTransaction
from sip.message import Request
from sip.status import reason_phrase
from sip.uri import URI

if TYPE_CHECKING:
    from sip.session import Session

SIPFRAG = "message/sipfrag;version=2.0"
LIFETIME_S = 180


class Referral:
    """A REFER that waits for :meth:`accept` or :meth:`reject`; raises SipError 400 if it is none."""

    def __init__(self, session: "Session", transaction: ServerTransaction) -> None:
        request = transaction.request
        self.uri = _refer_to(request)
        self.replaces = _replaces(self.uri)
        self._session = session
        self._transaction: ServerTransaction | None = transaction
        self._event = f"refer;id={request.cseq.number}"
        self._silent = (request.headers.get("Refer-Sub") or "").strip().lower() == "false"
        self._over = False

    @property
    def user(self) -> str:
        """Whom to call."""
        return self.uri.user or ""

    @property
    def pending(self) -> bool:
        return self._transaction is not None

    def accept(self) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is None:
            return
        headers = [("Contact", self._session.contact(transaction.flow)), ("Allow", ALLOW)]
        if self._silent:
            headers.append(("Refer-Sub", "false"))
        transaction.respond(self._session.reply(transaction.request, 202, headers=headers))
        self.tell(100)

    def reject(self, status: int) -> None:
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            transaction.respond(self._session.reply(transaction.request, status))
        self._over = True

    def tell(self, status: int) -> None:
        """How the call that is being made goes on; from 200 on, how it ended. Nothing after that."""
        if self._over or self._silent:
            return
        self._over = status >= 200
        state = "terminated;reason=noresource" if self._over else f"active;expires={LIFETIME_S}"
        body = f"SIP/2.0 {status} {reason_phrase(status)}\r\n".encode()
        self._session.notify(self._event, state, SIPFRAG, body)


def _refer_to(request: Request) -> URI:
    values = request.headers.all("Refer-To")
    if len(values) != 1:
        raise SipError(400, f"Bad Request: {len(values)} Refer-To, one is wanted")
    return NameAddr.parse(values[0], header="Refer-To").uri


def _replaces(uri: URI) -> Replaces | None:
    for name, value in uri.headers:
        if name.lower() == "replaces":
            return Replaces.parse(value)
    return None
