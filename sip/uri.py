"""URIs as SIP uses them: ``sip``, ``sips`` and ``tel`` taken apart, every other scheme kept whole.

Theory of operation. In a SIP URI the only ``@`` outside an escape ends the userinfo (RFC 3261 §25.1
lets neither a parameter nor a header hold one), so that the text is cut there first; the user part
may then hold ``;``, ``?`` and ``/`` without being mistaken for parameters. Escapes are undone while
parsing and put back, where the place needs them, while building: a :class:`URI` holds plain text.

Two URIs are equal as RFC 3261 §19.1.4 (``tel``: RFC 3966 §4) says. That relation is not transitive:
a parameter that only one side carries is mostly ignored. Compare ``str()`` for identity.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import quote, unquote

from sip.errors import SipError

SIP_SCHEMES = frozenset({"sip", "sips"})

REMEMBERED = 2048
"""So many URIs are kept as read, for a call's messages name the same few again and again."""
LONGEST_REMEMBERED = 200
"""Characters; longer ones are not kept, so that nobody fills the memory with them."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_ESCAPED = "%[0-9A-Fa-f]{2}"
_USER = re.compile(rf"(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/#]|{_ESCAPED})+")
_PASSWORD = re.compile(rf"(?:[A-Za-z0-9\-_.!~*'()&=+$,]|{_ESCAPED})*")
_HOSTPORT = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_](?:[A-Za-z0-9._-]*))(?::([0-9]{1,5}))?")
_PARAM = re.compile(
    rf";((?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$]|{_ESCAPED})+)(?:=((?:[A-Za-z0-9\-_.!~*'()\[\]/:&+$]|{_ESCAPED})+))?"
)
_HEADER = re.compile(
    rf"((?:[A-Za-z0-9\-_.!~*'()\[\]/?:+$]|{_ESCAPED})+)=((?:[A-Za-z0-9\-_.!~*'()\[\]/?:+$]|{_ESCAPED})*)"
)
# Nearly every URI on the wire has no escape, password, parameter or header, and needs one look only.
_PLAIN = re.compile(
    r"(sips?):(?:([A-Za-z0-9\-_.!~*'()&=+$,]+)@)?([A-Za-z0-9_][A-Za-z0-9._-]*)(?::([0-9]{1,4}))?"
)
_OPAQUE = re.compile(r"[!#-;=?-~]+")
_TEL = re.compile(rf"((?:\+?[0-9A-Fa-f*#().\-]|{_ESCAPED})+)")
_TEL_SEPARATORS = str.maketrans("", "", "-.()")

# What may stand unescaped in each place when building (quote() itself keeps letters, digits, "_.-~").
_USER_SAFE = "!*'()&=+$,;?/"
_PASSWORD_SAFE = "!*'()&=+$,"
_PARAM_SAFE = "!*'()[]/:&+$"
_HEADER_SAFE = "!*'()[]/?:+$"

# RFC 3261 §19.1.4: on one side only, these never match; any other parameter is then ignored.
_NEVER_ALONE = ("user", "ttl", "method", "maddr")

_NONE: Mapping[str, str | None] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class URI:
    """``scheme:user:password@host:port;params?headers``, everything unescaped.

    ``host`` is bare, also for IPv6 (no brackets). ``tel:`` has its number in ``user`` and no host. Any
    other scheme has all its text in ``opaque``.
    """

    scheme: str
    user: str | None = None
    password: str | None = None
    host: str = ""
    port: int | None = None
    params: Mapping[str, str | None] = field(default_factory=lambda: _NONE)
    headers: tuple[tuple[str, str], ...] = ()
    opaque: str = ""

    @classmethod
    def parse(cls, text: str) -> URI:
        """Raise :class:`SipError` 400 for text that is no URI; an unknown scheme is no mistake here."""
        return _uri(text) if len(text) <= LONGEST_REMEMBERED else cls._parse(text)

    @classmethod
    def _parse(cls, text: str) -> URI:
        plain = _PLAIN.fullmatch(text)
        if plain is not None:
            scheme, user, host, port = plain.groups()
            return cls(scheme, user, None, host, int(port) if port else None, _NONE)
        match = _SCHEME.match(text)
        if match is None:
            raise SipError(400, f"Bad URI: no scheme in {shown(text)}")
        scheme = match[1].lower()
        rest = text[match.end() :]
        if scheme in SIP_SCHEMES:
            return _parse_sip(scheme, rest, text)
        if scheme == "tel":
            return _parse_tel(rest, text)
        if not _OPAQUE.fullmatch(rest):
            raise SipError(400, f"Bad URI: {shown(text)}")
        return cls(scheme, opaque=rest)

    @property
    def hostport(self) -> str:
        """``host[:port]``, with brackets around an IPv6 address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    def __str__(self) -> str:
        if self.opaque:
            return f"{self.scheme}:{self.opaque}"
        parts = [self.scheme, ":"]
        if self.user is not None:
            parts.append(escaped_user(self.user))
            if self.password is not None:
                parts += (":", quote(self.password, safe=_PASSWORD_SAFE))
            if self.scheme != "tel":
                parts.append("@")
        parts.append(self.hostport)
        for name, value in self.params.items():
            parts += (";", quote(name, safe=_PARAM_SAFE))
            if value is not None:
                parts += ("=", quote(value, safe=_PARAM_SAFE))
        if self.headers:
            pairs = (f"{quote(n, safe=_HEADER_SAFE)}={quote(v, safe=_HEADER_SAFE)}" for n, v in self.headers)
            parts += ("?", "&".join(pairs))
        return "".join(parts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, URI):
            return NotImplemented
        return (
            self._compared() == other._compared()
            and _params_match(self.params, other.params)
            and _headers_compared(self.headers) == _headers_compared(other.headers)
        )

    def __hash__(self) -> int:
        return hash(self._compared())

    def _compared(self) -> tuple[str, str | None, str | None, str, int | None, str]:
        user = self.user
        if self.scheme == "tel" and user is not None:
            user = user.translate(_TEL_SEPARATORS).lower()
        return self.scheme, user, self.password, self.host.lower(), self.port, self.opaque


_uri = lru_cache(maxsize=REMEMBERED)(URI._parse)


def _parse_sip(scheme: str, rest: str, whole: str) -> URI:
    user = password = None
    userinfo, at, hostpart = rest.partition("@")
    if at:
        user, password = _parse_userinfo(userinfo, whole)
    else:
        hostpart = rest
    match = _HOSTPORT.match(hostpart)
    if match is None:
        raise SipError(400, f"Bad URI: no host in {shown(whole)}")
    host = match[1]
    if host[0] == "[":
        host = host[1:-1]
    position = match.end()
    port = None if match[2] is None else int(match[2])
    if port is not None and port > 65535:
        raise SipError(400, f"Bad URI: port {port} is over 65535 in {shown(whole)}")
    params, position = _parse_params(hostpart, position, whole)
    headers: tuple[tuple[str, str], ...] = ()
    if position < len(hostpart):
        if hostpart[position] != "?":
            raise SipError(400, f"Bad URI: {shown(hostpart[position:])} after the host in {shown(whole)}")
        headers = _parse_headers(hostpart[position + 1 :], whole)
    return URI(scheme, user, password, host, port, params, headers)


def _parse_userinfo(userinfo: str, whole: str) -> tuple[str, str | None]:
    raw_user, colon, raw_password = userinfo.partition(":")
    if not _USER.fullmatch(raw_user) or not _PASSWORD.fullmatch(raw_password):
        raise SipError(400, f"Bad URI: userinfo {shown(userinfo)} in {shown(whole)}")
    return _unescape(raw_user, whole), _unescape(raw_password, whole) if colon else None


def _parse_tel(rest: str, whole: str) -> URI:
    match = _TEL.match(rest)
    if match is None:
        raise SipError(400, f"Bad URI: no number in {shown(whole)}")
    params, position = _parse_params(rest, match.end(), whole)
    if position != len(rest):
        raise SipError(400, f"Bad URI: {shown(rest[position:])} after the number in {shown(whole)}")
    return URI("tel", _unescape(match[1], whole), params=params)


def _parse_params(text: str, position: int, whole: str) -> tuple[Mapping[str, str | None], int]:
    params: dict[str, str | None] = {}
    while match := _PARAM.match(text, position):
        name = _unescape(match[1], whole).lower()
        if name in params:
            raise SipError(400, f"Bad URI: parameter {name} twice in {shown(whole)}")
        params[name] = None if match[2] is None else _unescape(match[2], whole)
        position = match.end()
    return MappingProxyType(params) if params else _NONE, position


def _parse_headers(text: str, whole: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for pair in text.split("&"):
        match = _HEADER.fullmatch(pair)
        if match is None:
            raise SipError(400, f"Bad URI: header {shown(pair)} in {shown(whole)}")
        pairs.append((_unescape(match[1], whole), _unescape(match[2], whole)))
    return tuple(pairs)


def _unescape(text: str, whole: str) -> str:
    if "%" not in text:
        return text
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise SipError(400, f"Bad URI: escapes that are not UTF-8 in {shown(whole)}") from None


def _params_match(ours: Mapping[str, str | None], theirs: Mapping[str, str | None]) -> bool:
    for name in ours.keys() & theirs.keys():
        if (ours[name] or "").lower() != (theirs[name] or "").lower():
            return False
    return all((name in ours) == (name in theirs) for name in _NEVER_ALONE)


def _headers_compared(headers: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    return sorted((name.lower(), value) for name, value in headers)


def escaped_user(user: str) -> str:
    """A user part as it is written in a URI."""
    return quote(user, safe=_USER_SAFE)


def shown(text: str) -> str:
    """The text as an error shows it: quoted, bounded, with nothing that could break a line."""
    return ascii(text if len(text) <= 80 else text[:77] + "...")
