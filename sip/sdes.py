"""SRTP keys in SDP: ``a=crypto`` (RFC 4568), for the two suites of RFC 3711's first transform.

::

    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^31

Theory of operation. The offerer lists suites, each with the key that it will *send* with; the answerer
takes one, and says under the same tag with which key it sends (§5.1.2). A key is 30 octets, 16 of master
key and 14 of salt (§6.1). Lines are passed over that ask for what we do not do: a master key identifier in
the packets, several keys, or a session parameter that is not marked as optional (§6.3.7 lets only ``WSH``
be ignored).

A key is never shown: not in a ``repr``, so not in a log, and :func:`without_keys` takes them out of
a message that is kept or shown.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sip.session_description import Attribute, MediaDescription

SUITES = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")
KEY_OCTETS = 30

_LINE = re.compile(
    r"([0-9]{1,9}) +(\S+) +inline:([A-Za-z0-9+/=]+)(?:\|(?:2\^[0-9]{1,2}|[0-9]{1,15}))?((?: +\S+)*)"
)
_SHOWN_KEY = re.compile(rb"(inline:)[A-Za-z0-9+/=]+")


@dataclass(frozen=True, slots=True)
class Crypto:
    """What was agreed: the suite, the key that we send with, and the one that they send with."""

    suite: str
    send_key: bytes = field(repr=False)
    receive_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class CryptoLine:
    """One line that we could use."""

    tag: str
    suite: str
    key: bytes = field(repr=False)

    def attribute(self) -> Attribute:
        return "crypto", f"{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}"


def crypto_lines(media: MediaDescription) -> Iterator[CryptoLine]:
    """The lines of a medium that we could use, in its order."""
    for name, value in media.attributes:
        match = _LINE.fullmatch(value or "") if name == "crypto" else None
        if match is None or match[2].upper() not in SUITES:
            continue
        try:
            key = base64.b64decode(match[3], validate=True)
        except binascii.Error:
            continue
        parameters = match[4].split()
        if len(key) == KEY_OCTETS and all(one.upper().startswith("WSH=") for one in parameters):
            yield CryptoLine(match[1], match[2].upper(), key)


def offered_lines(keys: Sequence[bytes]) -> list[CryptoLine]:
    """What we offer: each suite with a key of its own."""
    lines = zip(SUITES, keys, strict=True)
    return [CryptoLine(str(tag), suite, key) for tag, (suite, key) in enumerate(lines, 1)]


def without_keys(message: bytes) -> bytes:
    """The same text with each key replaced by dots."""
    return _SHOWN_KEY.sub(rb"\1...", message)
