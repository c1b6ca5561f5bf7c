"""What a message must fulfil beyond being readable (RFC 3261 §8.2, §16.3 and §18.1.2; RFC 4475).

:func:`sip.message.parse` refuses only what cannot be used at all. These checks come next, before a
transaction acts on a request or a response: :func:`validate` gives the answer that a request deserves,
:func:`validate_response` the reason to drop a response, and None means that all is well. A request with
a flaw that hurts nobody (an unreadable Date, a missing Max-Forwards or From tag as RFC 2543 clients
send) passes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from sip.errors import SipError
from sip.headers import NameAddr, Via, is_call_id
from sip.message import Request, Response
from sip.uri import SIP_SCHEMES, URI, shown

SDP = "application/sdp"
ACCEPTED_TYPES = (SDP, "multipart/mixed", "multipart/alternative")
MAX_MAX_FORWARDS = 255

_SINGLE = frozenset(
    {"from", "to", "call-id", "cseq", "max-forwards", "content-length", "content-type", "expires"}
)
_CALLABLE_SCHEMES = SIP_SCHEMES | {"tel"}
# Their body, if any, is a session description (§13.2.1, RFC 3311); others' bodies are their users' business.
_CARRY_OFFERS = frozenset({"INVITE", "UPDATE"})
# §8.2.2.3: a Require in these must not be honoured, for they cannot be refused by it.
_ABOVE_REQUIRE = frozenset({"ACK", "CANCEL"})


def validate(request: Request, *, supported: Collection[str] = ()) -> SipError | None:
    """The refusal that a request has earned. ``supported`` are the option tags that Require may name."""
    try:
        _check_common(request)
        _check_request_line(request)
        _check_addresses(request)
        _check_extensions(request, supported)
        _check_body(request)
    except SipError as error:
        error.request = request
        return error
    return None


def validate_response(response: Response) -> SipError | None:
    """Why a response has to be dropped."""
    try:
        _check_common(response)
    except SipError as error:
        return error
    return None


def _check_common(message: Request | Response) -> None:
    names = message.headers.names()
    if len(set(names)) < len(names):
        for name in _repeated(names):
            raise SipError(400, f"Bad Request: more than one {name}")
    if names.count("via") > 1 or "," in (message.headers.lines("via") or ("",))[0]:
        for via in message.headers.all("via")[1:]:  # the top one is read, and remembered, below
            Via.parse(via)
    _ = message.via, message.from_, message.to, message.cseq  # each raises where it is missing or malformed
    if not is_call_id(message.call_id):
        raise SipError(400, f"Bad Call-ID: {shown(message.call_id)}")


def _repeated(names: Sequence[str]) -> Iterator[str]:
    seen = set()
    for key in names:
        if key in _SINGLE:
            if key in seen:
                yield key
            seen.add(key)


def _check_request_line(request: Request) -> None:
    if request.cseq.method != request.method:
        raise SipError(400, f"Bad CSeq: method {request.cseq.method} in a {request.method} request")
    hops = request.headers.get("max-forwards")
    if hops is not None and not _is_hop_count(hops):
        raise SipError(400, f"Bad Max-Forwards: {shown(hops)} is not 0 to {MAX_MAX_FORWARDS}")
    uri = URI.parse(request.uri)
    if uri.scheme not in _CALLABLE_SCHEMES:
        raise SipError(416, f"Unsupported URI Scheme: {uri.scheme}")
    if uri.headers:  # §19.1.1 allows none here
        raise SipError(400, f"Bad Request-URI: headers in {shown(request.uri)}")


def _is_hop_count(text: str) -> bool:
    digits = text.lstrip("0") or "0"
    return text.isascii() and text.isdecimal() and len(digits) <= 3 and int(digits) <= MAX_MAX_FORWARDS


def _check_addresses(request: Request) -> None:
    headers = request.headers
    contacts = headers.all("contact")
    if request.method == "INVITE" and len(contacts) > 1:  # §8.1.1.8
        raise SipError(400, f"Bad Contact: {len(contacts)} in an INVITE, need one")
    _ = request.contact
    for contact in contacts[1:]:
        NameAddr.parse(contact, "Contact")
    if request.method != "REGISTER" and "*" in contacts:  # §10.2.2
        raise SipError(400, f"Bad Contact: * in a {request.method} request")
    for name in ("Route", "Record-Route"):
        for value in headers.all(name):
            NameAddr.parse(value, name)
    if request.method == "REGISTER" and request.to.uri.scheme not in SIP_SCHEMES:  # §10.2
        raise SipError(400, f"Bad To: {request.to.uri.scheme} names no address of record")


def _check_extensions(request: Request, supported: Collection[str]) -> None:
    if request.method in _ABOVE_REQUIRE:
        return
    unknown = [tag for tag in request.headers.all("require") if tag and tag.lower() not in supported]
    if unknown:
        tags = ", ".join(unknown)
        raise SipError(420, f"Bad Extension: {shown(tags)[1:-1]}", headers=[("Unsupported", tags)])


def _check_body(request: Request) -> None:
    if request.method not in _CARRY_OFFERS:
        return
    headers = request.headers
    if "accept" in headers and not any(_admits_sdp(value) for value in headers.all("accept")):
        raise SipError(406, f"Not Acceptable: we can only answer with {SDP}")
    if not request.body or "handling=optional" in (headers.get("content-disposition") or "").lower():
        return
    content_type = (headers.get("content-type") or SDP).partition(";")[0].strip().lower()
    if content_type not in ACCEPTED_TYPES:
        raise SipError(
            415,
            f"Unsupported Media Type: {shown(content_type)}",
            headers=[("Accept", ", ".join(ACCEPTED_TYPES))],
        )
    encodings = [coding for coding in headers.all("content-encoding") if coding.lower() != "identity"]
    if encodings:
        raise SipError(
            415,
            f"Unsupported Media Type: encoded as {shown(encodings[0])}",
            headers=[("Accept-Encoding", "identity")],
        )


def _admits_sdp(media_range: str) -> bool:
    kind = media_range.partition(";")[0].replace(" ", "").lower()
    return kind in (SDP, "application/*", "*/*")
