"""Who calls, and whom we say that we are: From, P-Asserted-Identity and Privacy.

*In.* A carrier puts what the caller's own equipment says into From and what it knows itself into
P-Asserted-Identity (RFC 3325), so the latter is the number, from a trunk that is trusted with it, and
from nobody else. ``Privacy: id``, ``user`` or ``header`` (RFC 3323 §4.2) withholds it: then we do not
know it either, whatever the headers hold. Who diverted the call to us on its way (Diversion, RFC 5806;
History-Info, RFC 7044) is kept, latest first.

*Out.* The number presented is ours, in the form that the trunk wants, in From, P-Asserted-Identity or
both. A caller who withholds theirs goes out as ``Anonymous`` with ``Privacy: id`` (RFC 3323 §4.1.1.3).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pbx.config.trunks import Trunk
from pbx.trunk_numbers import formatted, read_from
from sip.errors import SipError
from sip.headers import NameAddr, unquote
from sip.message import Request
from sip.uri import URI

LONGEST_USER = 80
MOST_DIVERSIONS = 10
ANONYMOUS = NameAddr("Anonymous", URI("sip", "anonymous", host="anonymous.invalid"))

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_NOBODY = frozenset({"", "anonymous", "unknown", "restricted", "unavailable", "private"})
_WITHHOLD = frozenset({"id", "user", "header"})


@dataclass(frozen=True, slots=True)
class Diversion:
    """One party that sent the call on: their number as E.164 where it is one, and their reason."""

    number: str
    reason: str


@dataclass(frozen=True, slots=True)
class Caller:
    """``number`` is E.164 where it is one, else as received; "" where it was withheld. ``asserted``
    tells that the carrier vouches for it."""

    number: str
    name: str = ""
    asserted: bool = False
    withheld: bool = False


def caller_of(request: Request, trunk: Trunk | None, country: str) -> Caller:
    """Who calls. ``trunk`` is the one that the call came by; None: not by a trunk."""
    asserted = _asserted(request) if trunk is not None and trunk.trust_identity else None
    shown = asserted or request.from_
    user = shown.uri.user or ""
    if user.lower() in _NOBODY or _wants_privacy(request):
        return Caller("", asserted=asserted is not None, withheld=True)
    # Nearly every call brings its number as E.164 already: that needs no look at the numbering plan.
    number = user if _E164.fullmatch(user) else read_from(user, trunk, country) or readable(user)
    name = readable(shown.display or request.from_.display)
    return Caller(number, "" if name == number else name, asserted is not None)


def diversions_of(request: Request, trunk: Trunk | None, country: str) -> tuple[Diversion, ...]:
    """Who sent the call on, latest first: of Diversion, else of History-Info."""
    found = list(_of_diversion(request)) or list(_of_history(request))
    return tuple(
        Diversion(read_from(user, trunk, country) or readable(user), readable(reason))
        for user, reason in found[:MOST_DIVERSIONS]
    )


@dataclass(frozen=True, slots=True)
class Presented:
    """How a call out names us: the From without its tag, and further headers."""

    from_: str
    headers: tuple[tuple[str, str], ...] = ()


def presented(number: str, name: str, trunk: Trunk, country: str, host: str) -> Presented:
    """``number`` is one of ours (E.164), "" to withhold it. ``host`` is where the trunk knows us."""
    if number.lower() in _NOBODY:
        return Presented(str(ANONYMOUS), (("Privacy", "id"),))
    ours = NameAddr(name, URI("sip", formatted(number, trunk, country), host=host))
    asserted = (("P-Asserted-Identity", str(ours)),)
    if trunk.identity == "from":
        return Presented(str(ours))
    if trunk.identity == "both" or trunk.username is None:
        return Presented(str(ours), asserted)
    return Presented(str(NameAddr(name, URI("sip", trunk.username, host=host))), asserted)


def readable(text: str) -> str:
    """What is no number, as it can be kept and shown: an escape in a URI may stand for any character."""
    return "".join(filter(str.isprintable, text))[:LONGEST_USER]


def _asserted(request: Request) -> NameAddr | None:
    """The first P-Asserted-Identity with a number or name in it (a second may be the same as tel:)."""
    for address in _addresses(request.headers.all("P-Asserted-Identity")):
        if address.uri.user:
            return address
    return None


def _wants_privacy(request: Request) -> bool:
    values = {value.strip().lower() for text in request.headers.all("Privacy") for value in text.split(";")}
    return bool(values & _WITHHOLD)


def _of_diversion(request: Request) -> Iterator[tuple[str, str]]:
    """RFC 5806 §5: the topmost is the latest."""
    for address in _addresses(request.headers.all("Diversion")):
        yield address.uri.user or "", unquote(address.params.get("reason") or "unknown")


def _of_history(request: Request) -> Iterator[tuple[str, str]]:
    """RFC 7044 §10: the last entry is where we are; those before it sent the call on. The reason stands
    in the Reason header of the URI of the entry that it caused."""
    entries = list(_addresses(request.headers.all("History-Info")))
    for here, sent_on in zip(reversed(entries[1:]), reversed(entries[:-1]), strict=True):
        reasons = [value for name, value in here.uri.headers if name.lower() == "reason"]
        yield sent_on.uri.user or "", reasons[0] if reasons else "unknown"


def _addresses(values: Iterable[str]) -> Iterator[NameAddr]:
    for value in values:
        try:
            yield NameAddr.parse(value)
        except SipError:
            continue  # one header that cannot be read loses no call
