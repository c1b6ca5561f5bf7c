"""The header fields of one message: kept in order as text, found by any of their spellings (RFC 3261 §7.3).

Theory of operation. Each line becomes an :data:`Entry`: the name by which it is found, the name as it was
written, and the value as text. :func:`canonical` makes the first: lower case, compact forms (§7.3.3)
spelled out. Nothing here knows what a value means, but for the headers that are comma-separated lists:
those are cut into one value each when they are asked for, and not before.

A message is asked for its headers dozens of times on its way through the stack, and changed once or not
at all. So the first value of each name is kept in a table, made at the first question and dropped at a
change; beside it is room for what the message has made of the values (:attr:`Headers.typed`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from sip.errors import SipError
from sip.headers import is_token, split_list
from sip.uri import shown

MAX_HEADER_LINE_CHARACTERS = 8 * 1024
MAX_HEADERS = 256

Entry = tuple[str, str, str]  # canonical name, name as written, value

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

_FOLD = re.compile(r"\r\n[ \t]+")


def canonical(name: str) -> str:
    """The name by which a header is found: lower case, in full."""
    known = _KNOWN.get(name)
    if known is not None:
        return known
    lowered = name.lower()
    return _COMPACT.get(lowered, lowered)


class Headers:
    """Header fields in order, found without regard to case or compact form; values are raw text.

    ``get`` and ``all`` give one list element each where the header is a comma-separated list. Whoever
    changes ``entries`` otherwise than by a method must do so before anything is asked.
    """

    __slots__ = ("_first_lines", "entries", "typed")

    def __init__(self, fields: Iterable[tuple[str, str]] = ()) -> None:
        self.entries: list[Entry] = []
        self._first_lines: dict[str, str] | None = None  # by canonical name
        self.typed: dict[str, Any] = {}
        """What somebody has made of a header's first value, by canonical name; gone when it changes."""
        for name, value in fields:
            self.add(name, value)

    def get(self, name: str, default: str | None = None) -> str | None:
        """The first value."""
        key = _KNOWN.get(name) or canonical(name)
        value = (self._first_lines or self._table()).get(key)
        if value is None:
            return default
        return split_list(value)[0] if "," in value and key in _LISTS else value

    def all(self, name: str) -> list[str]:
        """Every value, in order."""
        key = _KNOWN.get(name) or canonical(name)
        first = (self._first_lines or self._table()).get(key)
        if first is None:
            return []
        values = [value for other, _, value in self.entries if other == key]
        if key not in _LISTS:
            return values
        return [item for value in values if value for item in split_list(value)]

    def names(self) -> list[str]:
        """The canonical name of each header line, in order."""
        return [key for key, _, _ in self.entries]

    def add(self, name: str, value: str) -> None:
        """Put it last."""
        entry = checked(name, value)
        self.entries.append(entry)
        self._forget(entry[0])

    def prepend(self, name: str, value: str) -> None:
        """Put it before all others of its name, as a proxy does with Via; first of all if there is none."""
        entry = checked(name, value)
        self.entries.insert(self._index(entry[0], 0), entry)
        self._forget(entry[0])

    def set(self, name: str, value: str) -> None:
        """Let it be the only one of its name, where the first of them stood."""
        entry = checked(name, value)
        index = self._index(entry[0], len(self.entries))
        if index < len(self.entries):
            self.remove(name)
        self.entries.insert(index, entry)
        self._forget(entry[0])

    def replace_first(self, name: str, value: str) -> None:
        """Replace the first value of a list and keep the rest, as for a Via that gains ``received``."""
        entry = checked(name, value)
        index = self._index(entry[0], -1)
        if index < 0:
            raise KeyError(name)
        old = self.entries[index][2]
        rest = split_list(old)[1:] if entry[0] in _LISTS and "," in old else []
        self.entries[index] = (entry[0], entry[1], ", ".join([value, *rest]))
        self._forget(entry[0])

    def remove(self, name: str) -> None:
        """Drop all of that name; none is no mistake."""
        key = canonical(name)
        self.entries = [entry for entry in self.entries if entry[0] != key]
        self._forget(key)

    def copy(self) -> Headers:
        return self.of_entries(self.entries.copy())

    def lines(self, name: str) -> list[str]:
        """The raw values of that name, one a header line, lists not split."""
        key = canonical(name)
        return [value for other, _, value in self.entries if other == key]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and canonical(name) in (self._first_lines or self._table())

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return ((name, value) for _, name, value in self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Headers):
            return NotImplemented
        return [(key, value) for key, _, value in self.entries] == [
            (key, value) for key, _, value in other.entries
        ]

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"Headers({list(self)!r})"

    def _table(self) -> dict[str, str]:
        table = self._first_lines = {key: value for key, _, value in reversed(self.entries)}
        return table

    def _forget(self, key: str) -> None:
        self._first_lines = None
        self.typed.pop(key, None)

    def _index(self, key: str, default: int) -> int:
        return next((index for index, entry in enumerate(self.entries) if entry[0] == key), default)

    @classmethod
    def of_entries(cls, entries: list[Entry]) -> Headers:
        headers = cls.__new__(cls)
        headers.entries = entries
        headers._first_lines = None
        headers.typed = {}
        return headers


def checked(name: str, value: str) -> Entry:
    """A header of ours: one that would break the line it stands on is a bug, or an attack, caught here."""
    key = _KNOWN.get(name)
    if key is None:
        if not is_token(name):
            raise ValueError(f"{name!r} is no header name")
        key = canonical(name)
    if "\n" in value or "\r" in value:
        raise ValueError(f"a line end in header {name}: {value!r}")
    return key, name, value


def read_headers(headers: Headers, text: str) -> SipError | None:
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
    entries = headers.entries
    # A line too long, or with half a line end in it, is rare: one look at the whole text spares the others.
    ends = len(lines) - 1
    suspect = len(text) > MAX_HEADER_LINE_CHARACTERS or text.count("\r") != ends or text.count("\n") != ends
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
        if suspect and len(line) > MAX_HEADER_LINE_CHARACTERS:
            problem = problem or SipError(
                513, f"Message Too Large: {shown(name)} of {len(line)}, at most {MAX_HEADER_LINE_CHARACTERS}"
            )
            continue
        if suspect and ("\r" in value or "\n" in value):
            problem = problem or SipError(400, f"Bad header line: a lone CR or LF in {shown(line)}")
            continue
        entries.append((key, name, value.strip(" \t")))
    return problem
