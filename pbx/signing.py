"""Signatures of what goes over HTTP between machines that share a secret.

The header ``Dialtrace-Signature: t=1764057600,v1=5257a8…`` carries the time of sending (seconds since
1970) and the hexadecimal HMAC-SHA256 of ``"{t}.{body}"``: who has the secret knows that the body is
ours and unchanged, and, by refusing a time that is minutes off, that it is not sent again by others.
"""

import hashlib
import hmac
from datetime import datetime

HEADER = "Dialtrace-Signature"
TOLERANCE_S = 300.0
LONGEST_TIME = 12
"""Digits of a time."""


def digest(secret: str, at: int, body: bytes) -> str:
    """The HMAC over the time and the body."""
    return hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()


def sign(secret: str, body: bytes, now: datetime) -> str:
    """The header's value."""
    at = int(now.timestamp())
    return f"t={at},v1={digest(secret, at, body)}"


def verify(secret: str, header: str, body: bytes, now: datetime) -> str:
    """What is wrong with a signature; "" if it is good."""
    parts = dict(part.strip().partition("=")[::2] for part in header.split(","))
    at, given = parts.get("t", ""), parts.get("v1", "")
    if not (at.isascii() and at.isdigit() and len(at) <= LONGEST_TIME) or not given:
        return f"the signature is not written as {HEADER}: t=…,v1=…"
    if not hmac.compare_digest(digest(secret, int(at), body).encode(), given.encode()):
        return "the signature does not belong to this body and secret"
    if abs(now.timestamp() - int(at)) > TOLERANCE_S:
        return f"the signature is more than {TOLERANCE_S:g} s old, or of the future"
    return ""
