"""Texts by SIP: MESSAGE outside a dialog (RFC 3428), one request a text, nothing before and nothing after.

A text that comes in is handed to the application as a :class:`TextReceived`, which answers for it:
200 when it is delivered (§7), 202 when it is kept to be delivered later, a refusal otherwise. The
transaction waits for that as any other does, so whoever takes a text must answer soon. Only plain text
is taken; anything else gets 415 with what we would have liked (§5.1, RFC 3261 §21.4.13).

A request outside a dialog must not be longer than ``MOST_OVER_UDP`` bytes over UDP, where nothing holds
back who sends too much (§8).
"""

from collections.abc import Callable
from email.message import Message

from sip.endpoint import Endpoint
from sip.invite import Identity
from sip.matching import ServerTransaction
from sip.message import Request
from sip.uri import URI

PLAIN = "text/plain"
MOST_OVER_UDP = 1300


class TextReceived:
    """A text from a trunk or an agent; :meth:`respond` must be called once."""

    def __init__(
        self, endpoint: Endpoint, transaction: ServerTransaction, identity: Identity, to_tag: str
    ) -> None:
        self.identity = identity
        self._endpoint = endpoint
        self._transaction = transaction
        self._to_tag = to_tag
        self._answered = False
        request = transaction.request
        self.to = URI.parse(request.uri).user or ""
        self.from_ = request.from_.uri.user or ""
        self.text = text_of(request)
        self.call_id = request.call_id

    def respond(self, status: int) -> None:
        if not self._answered:
            self._answered = True
            request = self._transaction.request
            self._transaction.respond(self._endpoint.reply(request, status, to_tag=self._to_tag))


OnText = Callable[[TextReceived], None]


def is_plain(request: Request) -> bool:
    """Whether the body is text that we can show (no type at all is text, by RFC 3428's own examples)."""
    written = request.headers.get("Content-Type") or PLAIN
    return written.partition(";")[0].strip().lower() == PLAIN


def text_of(request: Request) -> str:
    """The text, in the charset that its type names; UTF-8 if it names none, or one that nobody knows."""
    declared = Message()
    declared["Content-Type"] = request.headers.get("Content-Type") or PLAIN
    charset = declared.get_content_charset("utf-8")
    try:
        return request.body.decode(charset, "replace")
    except LookupError:
        return request.body.decode("utf-8", "replace")
