"""One SIP message as it was sent or received, without what nobody else may read."""

import base64
import re
from dataclasses import dataclass
from typing import Any

_CALL_ID = re.compile(rb"^(?:call-id|i)[ \t]*:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
_MAY_HOLD_SECRETS = (b"authorization", b"a=crypto", b"application/dtmf")
_CREDENTIALS = re.compile(
    rb"^((?:proxy-)?authorization[ \t]*:[ \t]*\w+)[^\r\n]*(?:\r\n[ \t][^\r\n]*)*",
    re.IGNORECASE | re.MULTILINE,
)
_KEY = re.compile(rb"^(a=crypto:\S+ \S+ inline:)(\S+)", re.MULTILINE)
_SIGNAL = re.compile(rb"^(signal[ \t]*=[ \t]*)(\S+)", re.IGNORECASE | re.MULTILINE)
_BARE_DIGITS = re.compile(rb"(\r\n\r\n\s*)([0-9A-D*#,]+)(\s*)\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Traced:
    """``at`` is in seconds since 1970; addresses are ``host:port``."""

    at: float
    out: bool
    transport: str
    local: str
    remote: str
    data: bytes

    @property
    def source(self) -> str:
        return self.local if self.out else self.remote

    @property
    def target(self) -> str:
        return self.remote if self.out else self.local

    def to_json(self) -> dict[str, Any]:
        """Octets as the characters of those numbers: nearly all are text, and so compress as text does."""
        text = self.data.decode("latin-1")
        return {"at": self.at, "out": self.out, "transport": self.transport, "local": self.local,
                "remote": self.remote, "text": text}  # fmt: skip

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Traced":
        fields = dict(value)
        text = fields.pop("text", None)
        if text is None:  # as earlier versions wrote it
            return cls(**{**fields, "data": base64.b64decode(fields["data"])})
        return cls(**fields, data=text.encode("latin-1"))


def sip_call_id(data: bytes) -> str:
    """The Call-ID of a message, "" where there is none."""
    start = data.find(b"\r\nCall-ID: ") + 11  # as nearly everybody writes it
    if start > 11 and (value := data[start : data.find(b"\r", start)].split(None, 1)):
        return value[0].decode("utf-8", "replace")
    found = _CALL_ID.search(data)
    return found[1].decode("utf-8", "replace") if found else ""


def redacted(data: bytes) -> bytes:
    """Without digest credentials, SRTP keys and keys pressed; bodies keep their length."""
    lowered = data.lower()
    if not any(word in lowered for word in _MAY_HOLD_SECRETS):
        return data
    data = _CREDENTIALS.sub(rb"\1 [redacted]", data)
    data = _KEY.sub(_starred, data)
    if b"application/dtmf" in lowered:
        data = _BARE_DIGITS.sub(lambda m: m[1] + b"*" * len(m[2]) + m[3], _SIGNAL.sub(_starred, data))
    return data


def _starred(match: re.Match[bytes]) -> bytes:
    return match[1] + b"*" * len(match[2])
