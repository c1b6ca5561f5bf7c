"""What a 3xx response says: where else the call may be taken (RFC 3261 §8.1.3.4, §21.3), and why."""

from collections.abc import Iterable

from sip.errors import SipError
from sip.headers import NameAddr, unquote
from sip.message import Headers
from sip.uri import URI

FOLLOWED = (300, 301, 302)
"""305 would have us use a proxy of the answerer's choice, and 380 is no redirection of the call."""
REASONS = frozenset(
    {
        "unknown", "user-busy", "no-answer", "unavailable", "unconditional", "time-of-day",
        "do-not-disturb", "deflection", "follow-me", "out-of-service", "away",
    }
)  # fmt: skip


def contacts(fields: Iterable[tuple[str, str]]) -> list[URI]:
    """The Contacts of a response, those preferred first (q, §20.10); what cannot be read is left out."""
    addresses = _addresses(fields, "Contact")
    return [address.uri for address in sorted(addresses, key=_preference, reverse=True)]


def reason(fields: Iterable[tuple[str, str]]) -> str:
    """Why the call is sent on, as the answerer's own Diversion says (RFC 5806 §4)."""
    for address in _addresses(fields, "Diversion"):
        said = unquote(address.params.get("reason") or "").lower()
        return said if said in REASONS else "unknown"
    return "unknown"


def _addresses(fields: Iterable[tuple[str, str]], name: str) -> list[NameAddr]:
    found = []
    for text in Headers(fields).all(name):
        try:
            found.append(NameAddr.parse(text, name))
        except SipError:
            continue
    return found


def _preference(address: NameAddr) -> float:
    """Without a q as good as any; with one that is none, the last resort."""
    try:
        q = float(address.params.get("q") or 1.0)
    except ValueError:
        return 0.0
    return q if 0.0 <= q <= 1.0 else 0.0
