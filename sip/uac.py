"""Requests of ours outside a dialog (RFC 3261 §8.1): REGISTER, OPTIONS and MESSAGE.

A :class:`Series` is a run of requests to one server under one Call-ID, each with a CSeq one higher than
the last (§10.2 asks for it of registrations) and, once the server has challenged us, with credentials
from the start: the nonce's count grows, and a nonce called stale is replaced (RFC 7616 §3.3, §3.4).
"""

from collections.abc import Callable, Sequence

from sip.endpoint import Endpoint, new_tag
from sip.flow import Flow
from sip.message import Headers, Request, Response
from sip.proofs import proofs_of
from sip.transaction import Cause

OnEnd = Callable[[Response | None], None]


class Series:
    """``end`` of each request hears its final response, None if there is none to be had."""

    def __init__(self, endpoint: Endpoint, credentials: tuple[str, str] | None = None) -> None:
        self._endpoint = endpoint
        self._call_id = f"{new_tag()}{new_tag()}"
        self._from_tag = new_tag()
        self._cseq = 0
        self._proofs = proofs_of(credentials)

    def ask(
        self,
        method: str,
        uri: str,
        flow: Flow,
        *,
        from_: str,
        to: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        end: OnEnd,
    ) -> None:
        """Send one request; a challenge is answered once."""

        def send(again: bool) -> None:
            self._cseq += 1
            request = Request(method, uri, Headers(), body)
            for name, value in (
                ("Max-Forwards", "70"),
                ("From", f"<{from_}>;tag={self._from_tag}"),
                ("To", f"<{to}>"),
                ("Call-ID", self._call_id),
                ("CSeq", f"{self._cseq} {method}"),
                *headers,
            ):
                request.headers.add(name, value)
            for name, proof in self._proofs.headers(method, uri, body) if self._proofs else ():
                request.headers.add(name, proof)
            self._endpoint.send(request, flow, lambda response: answered(response, again), failed)

        def answered(response: Response, again: bool) -> None:
            if response.status < 200:
                return
            if response.status in (401, 407) and not again and self._challenged(response):
                send(again=True)
                return
            if self._proofs is not None and response.status not in (401, 407):
                self._proofs.accepted()
            end(response)

        def failed(cause: Cause) -> None:
            end(None)

        send(again=False)

    def _challenged(self, response: Response) -> bool:
        return self._proofs is not None and self._proofs.challenged(response)
