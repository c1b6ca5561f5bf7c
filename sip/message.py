"""SIP messages: bytes to :class:`Request` or :class:`Response`, and back (RFC 3261 §7).

Theory of operation. :func:`parse` cuts a message into start line, header lines and body, and checks
only what every later step needs: the start line, that each line is ``name: value``, the length of the
body, and the size caps. Values stay raw text. The typed properties (``via``, ``cseq``, ``from_`` …)
parse on first use and leave the result with the headers, which forget it when theirs is changed. What
else a request must fulfil is :func:`sip.validate.validate`'s business.

The header fields themselves are :mod:`sip.header_list`'s. The
bytes of a head are UTF-8; where they are not (a phone that writes Latin-1 names), Latin-1 is assumed,
so that a caller with an umlaut is not refused. A datagram's octets behind Content-Length are dropped
(§18.3, RFC 4475 §3.1.1.8); framing a stream is ``sip.transport.stream``'s business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from sip.errors import SipError
from sip.header_list import (
    MAX_HEADER_LINE_CHARACTERS,
    MAX_HEADERS,
    Headers,
    canonical,
    checked,
    read_headers,
)
from sip.headers import CSeq, NameAddr, Via, is_token
from sip.status import reason_phrase
from sip.uri import shown

__all__ = [
    "MAX_HEADERS",
    "MAX_HEADER_LINE_CHARACTERS",
    "MAX_MESSAGE_BYTES",
    "Headers",
    "Message",
    "Request",
    "Response",
    "SipError",
    "canonical",
    "parse",
    "reason_phrase",
    "response_to",
]

MAX_MESSAGE_BYTES = 64 * 1024

T = TypeVar("T")

_FROM = partial(NameAddr.parse, header="From")
_TO = partial(NameAddr.parse, header="To")
_CONTACT = partial(NameAddr.parse, header="Contact")

_START_REQUEST = re.compile(r"([A-Za-z0-9\-.!%*_+`'~]{1,64}) ([!#-;=?-~]+) SIP/2\.0", re.IGNORECASE)
_OTHER_VERSION = re.compile(r"SIP/(?!2\.0)[0-9]{1,9}\.[0-9]{1,9}", re.IGNORECASE)
_START_RESPONSE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: (.*))?", re.IGNORECASE)
_CONTENT_LENGTH = re.compile(r"0*([0-9]{1,10})")
_TAG_PARAM = re.compile(r";\s*tag\s*=", re.IGNORECASE)


@dataclass(slots=True)
class _Base:
    """What requests and responses share: headers, typed on demand."""

    headers: Headers
    body: bytes

    @property
    def via(self) -> Via:
        """The top Via."""
        known: Via | None = self.headers.typed.get("via")
        return known if known is not None else self._read("via", Via.parse)

    @property
    def cseq(self) -> CSeq:
        known: CSeq | None = self.headers.typed.get("cseq")
        return known if known is not None else self._read("cseq", CSeq.parse)

    @property
    def from_(self) -> NameAddr:
        known: NameAddr | None = self.headers.typed.get("from")
        return known if known is not None else self._read("from", _FROM)

    @property
    def to(self) -> NameAddr:
        known: NameAddr | None = self.headers.typed.get("to")
        return known if known is not None else self._read("to", _TO)

    @property
    def contact(self) -> NameAddr | None:
        """The first Contact. The ``*`` of a REGISTER is none: ask the headers for it."""
        known: NameAddr | None = self.headers.typed.get("contact")
        if known is not None or self.headers.get("contact", "*") == "*":
            return known
        return self._read("contact", _CONTACT)

    @property
    def call_id(self) -> str:
        return self._require("call-id")

    @property
    def branch(self) -> str | None:
        """The top Via's branch where it identifies the transaction; see :attr:`sip.headers.Via.branch`."""
        return self.via.branch

    @property
    def from_tag(self) -> str | None:
        return self.from_.tag

    @property
    def to_tag(self) -> str | None:
        return self.to.tag

    def _require(self, key: str) -> str:
        value = self.headers.get(key)
        if value is None:
            raise SipError(400, f"Missing header: {key}")
        return value

    def _read(self, key: str, parse_value: Callable[[str], T]) -> T:
        typed = self.headers.typed[key] = parse_value(self._require(key))
        return typed

    def _encode(self, start_line: str) -> bytes:
        parts = [start_line]
        length = str(len(self.body))
        written = False
        for key, name, value in self.headers.entries:
            if key == "content-length":
                if written:
                    continue
                written, value = True, length
            parts.append(f"{name}: {value}")
        if not written:
            parts.append(f"Content-Length: {length}")
        parts.append("\r\n")
        return "\r\n".join(parts).encode() + self.body


@dataclass(slots=True)
class Request(_Base):
    """A request; ``uri`` is the Request-URI as written (:meth:`sip.uri.URI.parse` takes it apart)."""

    method: str
    uri: str

    def __init__(self, method: str, uri: str, headers: Headers, body: bytes = b"") -> None:
        self.method = method
        self.uri = uri
        self.headers = headers
        self.body = body

    def encode(self) -> bytes:
        """The bytes to send; Content-Length is always right."""
        return self._encode(f"{self.method} {self.uri} SIP/2.0")


@dataclass(slots=True)
class Response(_Base):
    """A response."""

    status: int
    reason: str

    def __init__(self, status: int, reason: str, headers: Headers, body: bytes = b"") -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.body = body

    def encode(self) -> bytes:
        """The bytes to send; Content-Length is always right."""
        return self._encode(f"SIP/2.0 {self.status} {self.reason}")


Message = Request | Response


def parse(data: bytes) -> Message:
    """One message from a datagram, or from a stream that has been cut into messages.

    Raises :class:`SipError` and nothing else. Its ``request`` is set for a request that can be answered.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise SipError(513, f"Message Too Large: {len(data)} bytes, at most {MAX_MESSAGE_BYTES}")
    data = data.lstrip(b"\r\n")  # §7.5: a stream's keep-alives
    end = data.find(b"\r\n\r\n")
    head = _decode(data if end < 0 else data[:end])
    start_line, _, header_lines = head.partition("\r\n")
    message, problem = _start(start_line)
    # Even behind a first problem the rest is read, for the Via, From, To … that the answer copies.
    problem = read_headers(message.headers, header_lines) or problem
    if end < 0:
        problem = problem or SipError(400, "Bad Request: no empty line behind the headers")
    try:
        message.body = _body(message.headers, data, end + 4)
    except SipError as error:
        problem = problem or error
    if problem is None:
        return message
    if isinstance(message, Request) and "via" in message.headers:
        problem.request = message
    raise problem


def _decode(head: bytes) -> str:
    try:
        return head.decode()
    except UnicodeDecodeError:
        return head.decode("latin-1")


def _start(line: str) -> tuple[Message, SipError | None]:
    """What the start line says; a request line that is wrong but names a method comes with its problem."""
    if match := _START_REQUEST.fullmatch(line):
        return Request(match[1], match[2], Headers()), None
    if match := _START_RESPONSE.fullmatch(line):
        return Response(int(match[1]), match[2] or "", Headers()), None
    method, _, rest = line.partition(" ")
    if not is_token(method):  # a response of another version or with no status, or no SIP at all
        raise SipError(400, f"Bad start line: {shown(line)}")
    uri, _, version = rest.partition(" ")
    request = Request(method, uri, Headers())
    if uri and _OTHER_VERSION.fullmatch(version):
        return request, SipError(505, f"Version Not Supported: {shown(version)}, not SIP/2.0")
    return request, SipError(400, f"Bad request line: {shown(line)}")


def _body(headers: Headers, data: bytes, start: int) -> bytes:
    """The octets that Content-Length counts; without one, all that there are (§18.3)."""
    lengths = headers.lines("content-length")
    if not lengths:
        return data[start:]
    if len(set(lengths)) > 1:
        raise SipError(400, f"Bad Content-Length: {shown(' and '.join(lengths))} in one message")
    match = _CONTENT_LENGTH.fullmatch(lengths[0])
    if match is None:
        raise SipError(400, f"Bad Content-Length: {shown(lengths[0])}")
    length, present = int(match[1]), max(len(data) - start, 0)
    if length > present:
        raise SipError(400, f"Bad Content-Length: {length}, body {present}")
    return data[start : start + length]


# §12.1: their 101 to 2xx responses carry the Record-Route, from which the caller makes the route set.
_DIALOG_FORMING = frozenset({"INVITE", "SUBSCRIBE", "REFER", "NOTIFY"})
_COPIED_ONCE = frozenset({"from", "to", "call-id", "cseq"})


def response_to(
    request: Request,
    status: int,
    reason: str | None = None,
    *,
    to_tag: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    content_type: str | None = None,
) -> Response:
    """The response to a request (§8.2.6), also to one that could only be read in part.

    ``to_tag`` is added where To has no tag yet, and never to a 100. ``headers`` come behind those copied.
    """
    also = None
    if status == 100:
        also = "timestamp"  # §8.2.6.1
    elif status < 300 and request.method in _DIALOG_FORMING:
        also = "record-route"
    copied = []
    seen = set()
    for entry in request.headers.entries:
        key = entry[0]
        if key == "via" or key == also:
            copied.append(entry)
        elif key in _COPIED_ONCE and key not in seen:
            seen.add(key)
            if key == "to" and to_tag is not None and status != 100 and not _has_tag(entry[2]):
                entry = (key, entry[1], f"{entry[2]};tag={to_tag}")
            copied.append(entry)
    copied += [checked(name, value) for name, value in headers]
    response = Response(status, reason or reason_phrase(status), Headers.of_entries(copied), body)
    if content_type is not None:
        response.headers.set("Content-Type", content_type)
    return response


def _has_tag(to: str) -> bool:
    return _TAG_PARAM.search(to, to.rfind(">") + 1) is not None
