"""Session timers (RFC 4028): both sides know that a session still stands, although nobody says anything.

An INVITE may ask for a session that is refreshed at least every so many seconds (``Session-Expires``);
the 2xx says for how many, and which of the two refreshes: by UPDATE or re-INVITE, after half of the
interval. Where no refresh comes, the session is over shortly before the interval is (§10), and is ended
by BYE. An interval below ours (``Min-SE``) is refused with 422, and ours is raised to what a 422 asks.

Pure: headers in, an agreement and headers out. The timers themselves are the session's.
"""

from dataclasses import dataclass

from sip.errors import SipError
from sip.headers import Refresher, SessionExpires, parse_delta_seconds
from sip.message import Request, Response

INTERVAL_S = 1800
MIN_INTERVAL_S = 90
LONGEST_INTERVAL_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Agreed:
    """How long the session stands without a refresh, and whether that is ours to send."""

    interval_s: int
    we_refresh: bool

    @property
    def refresh_after_s(self) -> float:
        return self.interval_s / 2

    @property
    def over_after_s(self) -> float:
        """§10: so much before the end that the BYE still comes in time."""
        return self.interval_s - min(32.0, self.interval_s / 3)


def asking(interval_s: int, *, refresh: bool) -> list[tuple[str, str]]:
    """The headers of an INVITE or UPDATE of ours; a ``refresh`` says that we go on refreshing."""
    wanted = SessionExpires(interval_s, Refresher.UAC if refresh else None)
    return [("Session-Expires", str(wanted)), ("Min-SE", str(MIN_INTERVAL_S))]


def too_short(request: Request) -> bool:
    """Whether the interval asked for earns a 422 (only who knows session timers understands that)."""
    wanted = _interval(request)
    return wanted is not None and wanted.interval_s < MIN_INTERVAL_S and _supports(request)


def answering(request: Request) -> tuple[list[tuple[str, str]], Agreed | None]:
    """The headers of our 2xx to ``request``, and what is agreed by them. Who asks for nothing gets it."""
    wanted = _interval(request)
    if wanted is None:
        return [], None
    interval_s = min(max(wanted.interval_s, MIN_INTERVAL_S), LONGEST_INTERVAL_S)
    if not _supports(request):  # a proxy on the way asks, and the far end will not refresh
        return [("Session-Expires", str(SessionExpires(interval_s, Refresher.UAS)))], Agreed(interval_s, True)
    refresher = wanted.refresher or Refresher.UAC
    headers = [("Require", "timer"), ("Session-Expires", str(SessionExpires(interval_s, refresher)))]
    return headers, Agreed(interval_s, refresher is Refresher.UAS)


def agreed_by(response: Response) -> Agreed | None:
    """What a 2xx to a request of ours agrees to."""
    found = _interval(response)
    if found is None:
        return None
    interval_s = min(max(found.interval_s, 2), LONGEST_INTERVAL_S)
    return Agreed(interval_s, found.refresher is not Refresher.UAS)


def raised(response: Response) -> int:
    """The interval that a 422 wants. Raises SipError where it does not say."""
    return min(parse_delta_seconds(response.headers.get("Min-SE") or "", "Min-SE"), LONGEST_INTERVAL_S)


def _interval(message: Request | Response) -> SessionExpires | None:
    value = message.headers.get("Session-Expires")
    if value is None:
        return None
    try:
        return SessionExpires.parse(value)
    except SipError:
        return None  # as if it were not there: a call is worth more than its timer


def _supports(request: Request) -> bool:
    options = (*request.headers.all("Supported"), *request.headers.all("Require"))
    return any(option.strip().lower() == "timer" for value in options for option in value.split(","))
