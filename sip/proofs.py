"""One account's answers to challenges, whoever on the way asks: a server by 401, a proxy by 407.

Either has a nonce of its own, so either is answered by a :class:`sip.digest.Client` of its own; a request
may need both (RFC 3261 §22.3). Once challenged, every later request carries its proof at once, counted.
"""

from sip import digest
from sip.message import Response

CHALLENGES = 3
"""How many challenges one request answers at most: a proxy's, a server's, and a nonce called stale."""

_FIELDS = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}
FIELDS = tuple(field for _, field in _FIELDS.values())
"""The header fields that carry a proof."""


class Proofs:
    """The credentials of one account, for as many requests as are sent to one place."""

    __slots__ = ("_clients",)

    def __init__(self, username: str, password: str) -> None:
        self._clients = {status: digest.Client(username, password) for status in _FIELDS}

    def challenged(self, response: Response) -> bool:
        """Take a 401 or 407; False if asking again would be refused again."""
        asks, _ = _FIELDS[response.status]
        return self._clients[response.status].challenged(response.headers.all(asks))

    def accepted(self) -> None:
        """What was sent last was not refused for its proof."""
        for client in self._clients.values():
            client.accepted()

    def headers(self, method: str, uri: str, body: bytes = b"") -> list[tuple[str, str]]:
        """What the next request carries; nothing before the first challenge."""
        return [
            (_FIELDS[status][1], proof)
            for status, client in self._clients.items()
            if (proof := client.authorization(method=method, uri=uri, body=body)) is not None
        ]


def proofs_of(credentials: tuple[str, str] | None) -> Proofs | None:
    """``credentials``: user name and password."""
    return Proofs(*credentials) if credentials is not None else None
