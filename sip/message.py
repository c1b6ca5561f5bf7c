"""SIP messages: bytes to :class:`Request` or :class:`Response`, and back (RFC 3261 §7).

Theory of operation. :func:`parse` cuts a message into start line, header lines and body, and checks
only what every later step needs: the start line, that each line is ``name: value``, the length of the
body, and the size caps. Values stay raw text. The typed properties (``via``, ``cseq``, ``from_`` …)
parse on first use and remember the result beside the text it came from, so that a header set later
is read anew. What else a request must fulfil is :func:`sip.validate.validate`'s business.

Header names are matched by :func:`canonical`: lower case, compact forms (§7.3.3) spelled out. The
bytes of a head are UTF-8; where they are not (a phone that writes Latin-1 names), Latin-1 is assumed,
so that a caller with an umlaut is not refused. A datagram's octets behind Content-Length are dropped
(§18.3, RFC 4475 §3.1.1.8); framing a stream is ``sip.transport.stream``'s business.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar, cast

from sip.errors import SipError
from sip.headers import CSeq, NameAddr, Via, is_token, split_list
from sip.uri import shown

__all__ = [
    "MAX_HEADERS",
    "MAX_HEADER_LINE_CHARACTERS",
    "MAX_MESSAGE_BYTES",
    "REASONS",
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
MAX_HEADER_LINE_CHARACTERS = 8 * 1024
MAX_HEADERS = 256

T = TypeVar("T")

_FROM = partial(NameAddr.parse, header="From")
_TO = partial(NameAddr.parse, header="To")
_CONTACT = partial(NameAddr.parse, header="Contact")

# RFC 3261 §21, with the later RFCs' codes that we send.
REASONS: dict[int, str] = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
}

# §7.3.3 and §20, RFC 3265, 3515, 3841, 3892, 4028, 4474.
_COMPACT = {
    "a": "accept-contact",
    "b": "referred-by",
    "c": "content-type",
    "d": "request-disposition",
    "e": "content-encoding",
    "f": "from",
    "i": "call-id",
    "j": "reject-contact",
    "k": "supported",
    "l": "content-length",
    "m": "contact",
    "o": "event",
    "r": "refer-to",
    "s": "subject",
    "t": "to",
    "u": "allow-events",
    "v": "via",
    "x": "session-expires",
    "y": "identity",
}

# Headers whose value is a comma-separated list (§7.3.1); in all others a comma is just a comma.
# fmt: off
_LISTS = frozenset({
    "accept", "accept-contact", "accept-encoding", "accept-language", "alert-info", "allow",
    "allow-events", "call-info", "contact", "content-encoding", "content-language", "diversion",
    "error-info", "history-info", "in-reply-to", "p-asserted-identity", "p-associated-uri",
    "p-preferred-identity", "path", "proxy-require", "reason", "record-route", "reject-contact", "require",
    "route", "security-client", "security-server", "security-verify", "service-route", "supported",
    "unsupported", "via", "warning",
})
# fmt: on

# Spelled as phones spell them, so that the usual names need neither lower() nor a look at _COMPACT.
# fmt: off
_KNOWN = {name: name.lower() for name in (
    "Via", "From", "To", "Call-ID", "CSeq", "Contact", "Max-Forwards", "Route", "Record-Route", "Allow",
    "Supported", "User-Agent", "Content-Type", "Content-Length", "Accept", "Expires", "Require",
    "Authorization", "Proxy-Authorization", "WWW-Authenticate", "Proxy-Authenticate", "Server",
    "Session-Expires", "Min-SE",
)}
# fmt: on
_KNOWN |= {name: name for name in _KNOWN.values()}

_START_REQUEST = re.compile(r"([A-Za-z0-9\-.!%*_+`'~]{1,64}) ([!#-;=?-~]+) SIP/2\.0", re.IGNORECASE)
_OTHER_VERSION = re.compile(r"SIP/(?!2\.0)[0-9]{1,9}\.[0-9]{1,9}", re.IGNORECASE)
_START_RESPONSE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?: (.*))?", re.IGNORECASE)
_FOLD = re.compile(r"\r\n[ \t]+")
_CONTENT_LENGTH = re.compile(r"0*([0-9]{1,10})")
_TAG_PARAM = re.compile(r";\s*tag\s*=", re.IGNORECASE)


def canonical(name: str) -> str:
    """The name by which a header is found: lower case, in full."""
    known = _KNOWN.get(name)
    if known is not None:
        return known
    lowered = name.lower()
    return _COMPACT.get(lowered, lowered)


class Headers:
    """Header fields in order, found without regard to case or compact form; values are raw text.

    ``get`` and ``all`` give one list element each where the header is a comma-separated list.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self._fields: list[tuple[str, str, str]] = []  # canonical name, name as written, value
        for name, value in fields:
            self.add(name, value)

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value."""
        key = canonical(name)
        for other, _, value in self._fields:
            if other == key:
                return split_list(value)[0] if key in _LISTS and "," in value else value
        return default

    def all(self, name: str) -> list[str]:
        """Every value, in order."""
        key = canonical(name)
        values = [value for other, _, value in self._fields if other == key]
        if key not in _LISTS:
            return values
        return [item for value in values if value for item in split_list(value)]

    def names(self) -> list[str]:
        """The canonical name of each header line, in order."""
        return [key for key, _, _ in self._fields]

    def add(self, name: str, value: str) -> None:
        """Put it last."""
        self._fields.append(_checked(name, value))

    def prepend(self, name: str, value: str) -> None:
        """Put it before all others of its name, as a proxy does with Via; first of all if there is none."""
        entry = _checked(name, value)
        self._fields.insert(self._index(entry[0], 0), entry)

    def set(self, name: str, value: str) -> None:
        """Let it be the only one of its name, where the first of them stood."""
        entry = _checked(name, value)
        index = self._index(entry[0], len(self._fields))
        self.remove(name)
        self._fields.insert(index, entry)

    def replace_first(self, name: str, value: str) -> None:
        """Replace the first value of a list and keep the rest, as for a Via that gains ``received``."""
        entry = _checked(name, value)
        index = self._index(entry[0], -1)
        if index < 0:
            raise KeyError(name)
        old = self._fields[index][2]
        rest = split_list(old)[1:] if entry[0] in _LISTS and "," in old else []
        self._fields[index] = (entry[0], entry[1], ", ".join([value, *rest]))

    def remove(self, name: str) -> None:
        """Drop all of that name; none is no mistake."""
        key = canonical(name)
        self._fields = [entry for entry in self._fields if entry[0] != key]

    def copy(self) -> Headers:
        return self._of(self._fields.copy())

    def lines(self, name: str) -> list[str]:
        """The raw values of that name, one a header line, lists not split."""
        key = canonical(name)
        return [value for other, _, value in self._fields if other == key]

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        key = canonical(name)
        return any(entry[0] == key for entry in self._fields)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name, value) for _, name, value in self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return [(key, value) for key, _, value in self._fields] == [
            (key, value) for key, _, value in other._fields
        ]

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"Headers({list(self)!r})"

    def _index(self, key: str, default: int) -> int:
        return next((index for index, entry in enumerate(self._fields) if entry[0] == key), default)

    @classmethod
    def _of(cls, fields: list[tuple[str, str, str]]) -> Headers:
        headers = cls.__new__(cls)
        headers._fields = fields
        return headers


def _checked(name: str, value: str) -> tuple[str, str, str]:
    """A header of ours: one that would break the line it stands on is a bug, or an attack, caught here."""
    if name not in _KNOWN and not is_token(name):
        raise ValueError(f"{name!r} is no header name")
    if "\n" in value or "\r" in value:
        raise ValueError(f"a line end in header {name}: {value!r}")
    return canonical(name), name, value


@dataclass(slots=True)
class _Base:
    """What requests and responses share: headers, typed on demand."""

    headers: Headers
    body: bytes
    _typed: dict[str, tuple[str, object]] = field(init=False, repr=False, compare=False)

    @property
    def via(self) -> Via:
        """The top Via."""
        return self._read("via", Via.parse)

    @property
    def cseq(self) -> CSeq:
        return self._read("cseq", CSeq.parse)

    @property
    def from_(self) -> NameAddr:
        return self._read("from", _FROM)

    @property
    def to(self) -> NameAddr:
        return self._read("to", _TO)

    @property
    def contact(self) -> NameAddr | None:
        """The first Contact. The ``*`` of a REGISTER is none: ask the headers for it."""
        if self.headers.get("contact", "*") == "*":
            return None
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
        value = self._require(key)
        known = self._typed.get(key)
        if known is not None and known[0] == value:
            return cast(T, known[1])
        typed = parse_value(value)
        self._typed[key] = (value, typed)
        return typed

    def _encode(self, start_line: str) -> bytes:
        parts = [start_line]
        length = str(len(self.body))
        written = False
        for key, name, value in self.headers._fields:
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
        self._typed = {}

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
        self._typed = {}

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
    problem = _read_headers(message.headers, header_lines) or problem
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


def _read_headers(headers: Headers, text: str) -> SipError | None:
    """Add what can be read; the first problem is returned and does not end the reading."""
    if not text:
        return None
    problem = None
    if text[0] in " \t":
        problem = SipError(400, "Bad Request: white space behind the start line")
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    lines = text.split("\r\n")
    if len(lines) > MAX_HEADERS:
        problem = problem or SipError(513, f"Message Too Large: {len(lines)} headers, at most {MAX_HEADERS}")
        del lines[MAX_HEADERS:]
    fields = headers._fields
    for line in lines:
        name, colon, value = line.partition(":")
        key = _KNOWN.get(name)
        if key is None:
            name = name.rstrip(" \t")
            if not colon or not is_token(name):
                # The blank line that ends a datagram without a body may lack its second half.
                if line:
                    problem = problem or SipError(400, f"Bad header line: {shown(line)}")
                continue
            key = canonical(name)
        if len(line) > MAX_HEADER_LINE_CHARACTERS:
            problem = problem or SipError(
                513, f"Message Too Large: {shown(name)} of {len(line)}, at most {MAX_HEADER_LINE_CHARACTERS}"
            )
            continue
        if "\r" in value or "\n" in value:
            problem = problem or SipError(400, f"Bad header line: a lone CR or LF in {shown(line)}")
            continue
        fields.append((key, name, value.strip(" \t")))
    return problem


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
    for entry in request.headers._fields:
        key = entry[0]
        if key == "via" or key == also:
            copied.append(entry)
        elif key in _COPIED_ONCE and key not in seen:
            seen.add(key)
            if key == "to" and to_tag is not None and status != 100 and not _has_tag(entry[2]):
                entry = (key, entry[1], f"{entry[2]};tag={to_tag}")
            copied.append(entry)
    response = Response(status, reason or reason_phrase(status), Headers._of(copied), body)
    for name, value in headers:
        response.headers.add(name, value)
    if content_type is not None:
        response.headers.set("Content-Type", content_type)
    return response


def reason_phrase(status: int) -> str:
    """The usual text for a status; its class's where there is none (§8.1.3.2 treats x00 as its class)."""
    return REASONS.get(status) or REASONS.get(status // 100 * 100, "Unknown")


def _has_tag(to: str) -> bool:
    return _TAG_PARAM.search(to, to.rfind(">") + 1) is not None
