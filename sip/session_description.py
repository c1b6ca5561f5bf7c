"""SDP as text: :class:`SessionDescription` and :class:`MediaDescription`, parsed and built (RFC 8866).

Theory of operation. A description is ``x=value`` lines in a fixed order (§5). The lines that offer and
answer act on become fields; the others (``i u e p b k r z``) are kept as they are and built in their
place. Parsing is as lenient as phones need: bare LF, a missing ``o=``, ``s=`` or ``t=``, lines out of
order; but a line that is no ``x=value``, or an ``m=`` that cannot be read, is an error and not a guess.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

from sip.errors import SipError
from sip.uri import shown

MAX_LINES = 1000

_MEDIA = re.compile(r"(\S+) +([0-9]{1,5})(?:/([0-9]{1,5}))? +(\S+)((?: +\S+)*) *")
_RTPMAP = re.compile(r"([0-9]{1,3}) +([^\s/]+)/([0-9]{1,9})(?:/([0-9]{1,3}))? *")
_SESSION_ORDER = "iuepcbtrzka"
_MEDIA_ORDER = "icbka"


class Direction(Enum):
    """Which way media flows, as the describing side sees it (§6.7)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def sends(self) -> bool:
        return self in (Direction.SENDRECV, Direction.SENDONLY)

    @property
    def receives(self) -> bool:
        return self in (Direction.SENDRECV, Direction.RECVONLY)

    @classmethod
    def of(cls, *, sends: bool, receives: bool) -> Direction:
        if sends:
            return cls.SENDRECV if receives else cls.SENDONLY
        return cls.RECVONLY if receives else cls.INACTIVE


_DIRECTIONS = {member.value: member for member in Direction}


@dataclass(frozen=True, slots=True)
class Origin:
    """``o=``; the session id and version stay text, for they may be longer than any integer type."""

    username: str
    session_id: str
    version: str
    address: str

    @classmethod
    def parse(cls, text: str) -> Origin:
        words = text.split()
        if len(words) != 6:
            raise SipError(400, f"Bad SDP: o={shown(text)}")
        return cls(words[0], words[1], words[2], words[5])

    def __str__(self) -> str:
        family = "IP6" if ":" in self.address else "IP4"
        return f"{self.username} {self.session_id} {self.version} IN {family} {self.address}"


@dataclass(frozen=True, slots=True)
class RtpMap:
    """``a=rtpmap``: what a payload type stands for (§6.6)."""

    payload_type: int
    encoding: str
    clock_rate_hz: int
    channels: int = 1


Attribute = tuple[str, str | None]


def attribute(attributes: Sequence[Attribute], name: str) -> str | None:
    """The value of the first attribute of that name."""
    return next((value for other, value in attributes if other == name), None)


def direction(attributes: Sequence[Attribute]) -> Direction | None:
    """The direction said among these attributes, if one is."""
    for name, _ in attributes:
        if name in _DIRECTIONS:
            return _DIRECTIONS[name]
    return None


@dataclass(frozen=True, slots=True)
class MediaDescription:
    """One ``m=`` and the lines that belong to it. ``address`` is its own ``c=``, if it has one."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    address: str | None = None
    attributes: tuple[Attribute, ...] = ()
    port_count: int = 1
    other: tuple[tuple[str, str], ...] = ()

    def rtpmaps(self) -> dict[int, RtpMap]:
        """The ``a=rtpmap`` lines that can be read, by payload type."""
        maps = {}
        for name, value in self.attributes:
            if name == "rtpmap" and (match := _RTPMAP.fullmatch(value or "")):
                payload_type = int(match[1])
                maps[payload_type] = RtpMap(payload_type, match[2], int(match[3]), int(match[4] or 1))
        return maps

    def fmtp(self, payload_type: int) -> str | None:
        """The format parameters of a payload type."""
        for name, value in self.attributes:
            if name == "fmtp" and value is not None:
                number, _, parameters = value.partition(" ")
                if number == str(payload_type):
                    return parameters.strip()
        return None

    def _lines(self) -> list[str]:
        count = f"/{self.port_count}" if self.port_count != 1 else ""
        head = f"m={self.kind} {self.port}{count} {self.protocol} {' '.join(self.formats)}"
        return [head, *_block(_MEDIA_ORDER, self.address, self.attributes, self.other)]


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A whole description. ``address`` is the session's ``c=``, which media without one use."""

    origin: Origin
    media: tuple[MediaDescription, ...]
    address: str | None = None
    name: str = "-"
    attributes: tuple[Attribute, ...] = ()
    other: tuple[tuple[str, str], ...] = field(default=(("t", "0 0"),))

    @classmethod
    def parse(cls, data: bytes) -> SessionDescription:
        """Raise :class:`SipError` 400 for what is no SDP."""
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode("latin-1")
        lines = [_line(line) for line in text.replace("\r\n", "\n").split("\n") if line]
        if len(lines) > MAX_LINES:
            raise SipError(400, f"Bad SDP: {len(lines)} lines, at most {MAX_LINES}")
        if not lines or lines[0] != ("v", "0"):
            raise SipError(
                400, f"Bad SDP: it begins with {shown('='.join(lines[0]) if lines else '')}, not v=0"
            )
        starts = [index for index, (kind, _) in enumerate(lines) if kind == "m"]
        head = lines[1 : starts[0]] if starts else lines[1:]
        blocks = [lines[start:end] for start, end in pairwise([*starts, len(lines)])]
        address, attributes, other = _read_block(head)
        named = dict(reversed(other))
        return cls(
            Origin.parse(named["o"]) if "o" in named else Origin("-", "0", "0", address or "0.0.0.0"),
            tuple(_media(block) for block in blocks),
            address,
            named.get("s", "-"),
            attributes,
            tuple(line for line in other if line[0] not in "os"),
        )

    def address_of(self, media: MediaDescription) -> str | None:
        """Where this medium is received."""
        return media.address or self.address

    def direction_of(self, media: MediaDescription) -> Direction:
        """The medium's direction: its own, else the session's, else both ways."""
        return direction(media.attributes) or direction(self.attributes) or Direction.SENDRECV

    def encode(self) -> bytes:
        lines = ["v=0", f"o={self.origin}", f"s={self.name}"]
        lines += _block(_SESSION_ORDER, self.address, self.attributes, self.other)
        for media in self.media:
            lines += media._lines()
        return "".join(f"{line}\r\n" for line in lines).encode()


def _line(line: str) -> tuple[str, str]:
    kind = line[:1]
    if line[1:2] != "=" or not "a" <= kind <= "z":
        raise SipError(400, f"Bad SDP line: {shown(line)}")
    return kind, line[2:]


Block = tuple[str | None, tuple[Attribute, ...], tuple[tuple[str, str], ...]]


def _read_block(lines: list[tuple[str, str]]) -> Block:
    """The address, the attributes and all other lines of the session's or a medium's part."""
    address = None
    attributes: list[Attribute] = []
    other = []
    for kind, value in lines:
        if kind == "c":
            address = address or _connection(value)
        elif kind == "a":
            name, colon, text = value.partition(":")
            attributes.append((name.strip(), text.strip() if colon else None))
        else:
            other.append((kind, value))
    return address, tuple(attributes), tuple(other)


def _connection(value: str) -> str:
    words = value.split()
    if len(words) != 3 or words[0] != "IN" or words[1] not in ("IP4", "IP6"):
        raise SipError(400, f"Bad SDP: c={shown(value)}")
    return words[2].partition("/")[0]


def _media(lines: list[tuple[str, str]]) -> MediaDescription:
    value = lines[0][1]
    match = _MEDIA.fullmatch(value)
    if match is None or int(match[2]) > 65535:
        raise SipError(400, f"Bad SDP: m={shown(value)}")
    address, attributes, other = _read_block(lines[1:])
    return MediaDescription(
        match[1],
        int(match[2]),
        match[4],
        tuple(match[5].split()),
        address,
        attributes,
        int(match[3] or 1),
        other,
    )


def _block(
    order: str,
    address: str | None,
    attributes: Sequence[Attribute],
    other: Sequence[tuple[str, str]],
) -> list[str]:
    lines = list(other)
    if address is not None:
        lines.append(("c", f"IN {'IP6' if ':' in address else 'IP4'} {address}"))
    lines += (("a", name if value is None else f"{name}:{value}") for name, value in attributes)
    lines.sort(key=lambda line: order.find(line[0]) % (len(order) + 1))
    return [f"{kind}={value}" for kind, value in lines]
