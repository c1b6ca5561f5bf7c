"""Typed values of the header fields that the stack acts on; each has ``parse()`` and ``str()``.

Theory of operation. A header value is LWS-tolerant text (RFC 3261 §25.1: separators may have white
space around them, a folded line has become one space already). One scanner, :func:`parse_params`,
reads ``;name=value`` lists for all of them. Parameter names are folded to lower case; parameter
*values are kept as written*, quotes included, so that building gives back what was read:
:func:`unquote` and :func:`quote` turn a quoted-string into its text and back.

Sections: From/To/Contact/Route §20, Via §20.42, CSeq §20.16, Replaces RFC 3891 §6.1,
Session-Expires and Min-SE RFC 4028 §4 and §5, Retry-After §20.33, challenges and credentials §25.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from types import MappingProxyType

from sip.errors import SipError
from sip.uri import LONGEST_REMEMBERED, REMEMBERED, URI, shown

Params = Mapping[str, str | None]
NO_PARAMS: Params = MappingProxyType({})

MAGIC_COOKIE = "z9hG4bK"
MAX_CSEQ = 2**31 - 1
MAX_DELTA_SECONDS = 2**32 - 1

TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]+"
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_TOKEN_ONLY = re.compile(TOKEN)
_PARAM = re.compile(rf"\s*;\s*({TOKEN})(?:\s*=\s*({_QUOTED}|[^\s;,\"<>=?]+))?", re.DOTALL)
_AUTH_PARAM = re.compile(rf"\s*({TOKEN})\s*=\s*({_QUOTED}|[^\s,\";]+)\s*(?:,|\Z)", re.DOTALL)
_LIST_SPECIAL = re.compile(r'[,"<>\\]')
_QUOTED_DISPLAY = re.compile(rf"({_QUOTED})\s*<", re.DOTALL)
# The RFC wants tokens; names from trunks hold dots, brackets and accents, which mislead nobody.
_BARE_DISPLAY = re.compile(r"[^\x00-\x1f\"\\,;:<>@]*")
_ADDR_SPEC = re.compile(r"[^<>\s\";,?]+")
_VIA = re.compile(
    rf"\s*SIP\s*/\s*2\.0\s*/\s*({TOKEN})\s+(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_][A-Za-z0-9._-]*)"
    r"(?:\s*:\s*([0-9]{1,5}))?",
    re.IGNORECASE,
)
_CSEQ = re.compile(rf"\s*0*([0-9]{{1,10}})\s+({TOKEN})\s*")
_DELTA = re.compile(r"\s*0*([0-9]{1,10})")
_CALL_ID = re.compile(
    r"[A-Za-z0-9\-.!%*_+`'~()<>:\\\"/\[\]?{}]+(?:@[A-Za-z0-9\-.!%*_+`'~()<>:\\\"/\[\]?{}]+)?"
)
_ESCAPED_CHARACTER = re.compile(r"\\(.)", re.DOTALL)
_TO_ESCAPE = re.compile(r'(["\\\x00-\x08\x0b\x0c\x0e-\x1f\x7f])')


def is_token(text: str) -> bool:
    """Whether the text is a ``token`` of RFC 3261 §25.1."""
    return _TOKEN_ONLY.fullmatch(text) is not None


def is_call_id(text: str) -> bool:
    """Whether the text is a ``callid`` of RFC 3261 §25.1."""
    return _CALL_ID.fullmatch(text) is not None


def quote(text: str) -> str:
    """The text as a quoted-string. Line ends, which none can hold, become spaces."""
    return '"' + _TO_ESCAPE.sub(r"\\\1", text.replace("\r", " ").replace("\n", " ")) + '"'


def unquote(value: str) -> str:
    """The text of a quoted-string; anything else as it is."""
    if len(value) >= 2 and value[0] == '"' and value[-1] == '"':
        return _ESCAPED_CHARACTER.sub(r"\1", value[1:-1])
    return value


def split_list(value: str) -> list[str]:
    """Cut at the commas that stand outside quoted strings and angle brackets."""
    if "," not in value:
        return [value]
    if '"' not in value and "<" not in value:
        return [item.strip() for item in value.split(",")]
    items = []
    start = position = 0
    quoted = bracketed = False
    while match := _LIST_SPECIAL.search(value, position):
        position = match.end()
        special = match[0]
        if quoted:
            if special == "\\":
                position += 1
            elif special == '"':
                quoted = False
        elif special == '"':
            quoted = True
        elif special == "<":
            bracketed = True
        elif special == ">":
            bracketed = False
        elif special == "," and not bracketed:
            items.append(value[start : match.start()].strip())
            start = position
    items.append(value[start:].strip())
    return items


def parse_params(text: str, position: int, header: str) -> Params:
    """Read ``;name[=value]…`` from the position to the end of the text, which holds nothing else."""
    if position == len(text):
        return NO_PARAMS
    params: dict[str, str | None] = {}
    while position < len(text):
        match = _PARAM.match(text, position)
        if match is None:
            if text[position:].isspace():
                break
            raise SipError(400, f"Bad {header}: {shown(text[position:].strip())}")
        name = match[1].lower()
        if name in params:
            raise SipError(400, f"Bad {header}: parameter {name} twice")
        params[name] = match[2]
        position = match.end()
    return MappingProxyType(params)


def params_text(params: Params) -> str:
    """The parameters as they are written behind a value."""
    if not params:
        return ""
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in params.items())


@dataclass(frozen=True, slots=True)
class NameAddr:
    """From, To, Contact, Route and their like: ``"display" <uri>;params``. Always built with brackets."""

    display: str
    uri: URI
    params: Params = field(default_factory=lambda: NO_PARAMS, hash=False)

    @classmethod
    def parse(cls, text: str, header: str = "address") -> NameAddr:
        """Read a name-addr, or an addr-spec, whose parameters then are the header's (§20.10)."""
        return _name_addr(text, header) if len(text) <= LONGEST_REMEMBERED else cls._parse(text, header)

    @classmethod
    def _parse(cls, text: str, header: str) -> NameAddr:
        if text.startswith("<"):
            display, start = "", 0
        elif text.startswith('"'):
            quoted = _QUOTED_DISPLAY.match(text)
            if quoted is None:
                raise SipError(400, f"Bad {header}: {shown(text)}")
            display, start = unquote(quoted[1]), quoted.end() - 1
        else:
            start = text.find("<")
            if start < 0:
                return cls._parse_addr_spec(text, header)
            display = text[:start].strip()
            if not _BARE_DISPLAY.fullmatch(display):
                raise SipError(400, f"Bad {header}: display name {shown(display)} needs quotes")
        end = text.find(">", start)
        if end < 0:
            raise SipError(400, f"Bad {header}: no > in {shown(text)}")
        return cls(display, URI.parse(text[start + 1 : end]), parse_params(text, end + 1, header))

    @classmethod
    def _parse_addr_spec(cls, text: str, header: str) -> NameAddr:
        match = _ADDR_SPEC.match(text)
        if match is None:
            raise SipError(400, f"Bad {header}: {shown(text)}")
        return cls("", URI.parse(match[0]), parse_params(text, match.end(), header))

    @property
    def tag(self) -> str | None:
        return self.params.get("tag")

    def with_tag(self, tag: str) -> NameAddr:
        """The same address with that tag, in place of any it had."""
        return NameAddr(self.display, self.uri, MappingProxyType({**self.params, "tag": tag}))

    def __str__(self) -> str:
        name = f"{quote(self.display)} " if self.display else ""
        return f"{name}<{self.uri}>{params_text(self.params)}"


_name_addr = lru_cache(maxsize=REMEMBERED)(NameAddr._parse)


@dataclass(frozen=True, slots=True)
class Via:
    """``SIP/2.0/transport host:port;params``; ``transport`` in upper case, ``host`` without brackets."""

    transport: str
    host: str
    port: int | None = None
    params: Params = field(default_factory=lambda: NO_PARAMS, hash=False)

    @classmethod
    def parse(cls, text: str) -> Via:
        match = _VIA.match(text)
        if match is None:
            raise SipError(400, f"Bad Via: {shown(text)}")
        host = match[2]
        port = None if match[3] is None else int(match[3])
        if port is not None and port > 65535:
            raise SipError(400, f"Bad Via: port {port} is over 65535")
        return cls(
            match[1].upper(),
            host[1:-1] if host[0] == "[" else host,
            port,
            parse_params(text, match.end(), "Via"),
        )

    @property
    def branch(self) -> str | None:
        """The branch if it identifies a transaction, that is, begins with the cookie and goes on.

        None for an RFC 2543 client's, to be matched as RFC 3261 §17.2.3 says, and for a bare cookie
        (RFC 4475 §3.2.1); as written, it is in ``params``.
        """
        branch = self.params.get("branch")
        if branch is None or len(branch) <= len(MAGIC_COOKIE) or not branch.startswith(MAGIC_COOKIE):
            return None
        return branch

    @property
    def sent_by(self) -> str:
        """``host[:port]``, in lower case, for matching transactions."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host.lower() if self.port is None else f"{host.lower()}:{self.port}"

    def with_params(self, **params: str | None) -> Via:
        """The same Via with these parameters added or replaced: ``received``, ``rport``, ``branch``."""
        return Via(self.transport, self.host, self.port, MappingProxyType({**self.params, **params}))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"SIP/2.0/{self.transport} {host}{port}{params_text(self.params)}"


@dataclass(frozen=True, slots=True)
class CSeq:
    """``number method``; the number is below 2**31 (§8.1.1.5)."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        return _cseq(text) if len(text) <= LONGEST_REMEMBERED else cls._parse(text)

    @classmethod
    def _parse(cls, text: str) -> CSeq:
        match = _CSEQ.fullmatch(text)
        if match is None:
            raise SipError(400, f"Bad CSeq: {shown(text)}")
        number = int(match[1])
        if number > MAX_CSEQ:
            raise SipError(400, f"Bad CSeq: {number} is over {MAX_CSEQ}")
        return cls(number, match[2])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


_cseq = lru_cache(maxsize=REMEMBERED)(CSeq._parse)


@dataclass(frozen=True, slots=True)
class Replaces:
    """The dialog that an INVITE takes over (RFC 3891)."""

    call_id: str
    to_tag: str
    from_tag: str
    early_only: bool = False

    @classmethod
    def parse(cls, text: str) -> Replaces:
        call_id, semicolon, _ = text.partition(";")
        params = parse_params(text, len(call_id), "Replaces") if semicolon else NO_PARAMS
        to_tag, from_tag = params.get("to-tag"), params.get("from-tag")
        if not is_call_id(call_id.strip()) or to_tag is None or from_tag is None:
            raise SipError(400, f"Bad Replaces: {shown(text)} needs a Call-ID, to-tag and from-tag")
        return cls(call_id.strip(), to_tag, from_tag, "early-only" in params)

    def __str__(self) -> str:
        early = ";early-only" if self.early_only else ""
        return f"{self.call_id};to-tag={self.to_tag};from-tag={self.from_tag}{early}"


class Refresher(Enum):
    """Who refreshes a session (RFC 4028 §4)."""

    UAC = "uac"
    UAS = "uas"


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """``Session-Expires: seconds;refresher=…`` (RFC 4028 §4)."""

    interval_s: int
    refresher: Refresher | None = None

    @classmethod
    def parse(cls, text: str) -> SessionExpires:
        interval_s, position = _delta_seconds(text, "Session-Expires")
        refresher = parse_params(text, position, "Session-Expires").get("refresher")
        if refresher is None:
            return cls(interval_s)
        try:
            return cls(interval_s, Refresher(refresher.lower()))
        except ValueError:
            raise SipError(
                400, f"Bad Session-Expires: refresher {shown(refresher)} is not uac or uas"
            ) from None

    def __str__(self) -> str:
        return f"{self.interval_s}" + (f";refresher={self.refresher.value}" if self.refresher else "")


def parse_delta_seconds(text: str, header: str) -> int:
    """Expires, Min-Expires, Min-SE, Retry-After: seconds, behind which a comment or parameters may stand.

    A number over 2**32 - 1 is taken as that (§20.19 leaves the limit; RFC 4475 §3.1.2.4 asks for sense).
    """
    return _delta_seconds(text, header)[0]


def _delta_seconds(text: str, header: str) -> tuple[int, int]:
    match = _DELTA.match(text)
    if match is None:
        raise SipError(400, f"Bad {header}: {shown(text)} is not a number of seconds")
    end = match.end()
    overlong = end < len(text) and text[end].isdecimal()
    while end < len(text) and text[end].isdecimal():
        end += 1
    return (MAX_DELTA_SECONDS if overlong else min(int(match[1]), MAX_DELTA_SECONDS)), end


@dataclass(frozen=True, slots=True)
class Challenge:
    """``WWW-Authenticate`` or ``Proxy-Authenticate``: a scheme in lower case and its parameters, unquoted."""

    scheme: str
    params: Mapping[str, str] = field(hash=False)

    @classmethod
    def parse(cls, text: str) -> Challenge:
        return cls(*_parse_auth(text))

    def __str__(self) -> str:
        return _auth_text(self.scheme, self.params)


@dataclass(frozen=True, slots=True)
class Credentials:
    """``Authorization`` or ``Proxy-Authorization``: the same shape as a challenge."""

    scheme: str
    params: Mapping[str, str] = field(hash=False)

    @classmethod
    def parse(cls, text: str) -> Credentials:
        return cls(*_parse_auth(text))

    def __str__(self) -> str:
        return _auth_text(self.scheme, self.params)


# RFC 7616 §3.3 and §3.4 and RFC 3261 §25.1: these are written bare, all others quoted.
_BARE = frozenset({"algorithm", "stale", "nc"})


def _parse_auth(text: str) -> tuple[str, Mapping[str, str]]:
    scheme, _, rest = text.strip().partition(" ")
    if not is_token(scheme):
        raise SipError(400, f"Bad authorization scheme: {shown(scheme)}")
    params = {}
    for name, value in _auth_params(rest):
        if name in params:
            raise SipError(400, f"Bad authorization: parameter {name} twice")
        params[name] = value
    return scheme.lower(), MappingProxyType(params)


def _auth_params(text: str) -> Iterator[tuple[str, str]]:
    position = 0
    while match := _AUTH_PARAM.match(text, position):
        yield match[1].lower(), unquote(match[2])
        position = match.end()
    if text[position:].strip(" \t,"):
        raise SipError(400, "Bad authorization: not a list of name=value")


def _auth_text(scheme: str, params: Mapping[str, str]) -> str:
    # A server's qop is a quoted list, a client's choice is bare (RFC 7616 §3.4).
    bare_qop = "response" in params
    written = (
        f"{name}={value}" if name in _BARE or (name == "qop" and bare_qop) else f"{name}={quote(value)}"
        for name, value in params.items()
    )
    return f"{scheme.capitalize()} {', '.join(written)}"
