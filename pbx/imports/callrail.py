"""CallRail's lists of calls and trackers, from its dashboard's export or its API (v3) as CSV.

The columns are those of the call log's export (``Call Status``, ``Number Name``, ``Tracking Number``,
``Start Time``, ``Duration (seconds)``, …) and of apidocs.callrail.com (``tracking_phone_number``,
``start_time``, ``answered``, …). A call's duration there is from the first ring to the end, so it is kept as
the whole call's; how long somebody talked, and waited, CallRail does not say, and neither do we.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from pbx.events import CallStatus, Direction
from pbx.imports.sheet import BadCell, Row, Sheet, bare, open_sheet
from pbx.numbering import normalise

ORIGIN = "callrail"
EARLIEST, LATEST = 1990, 2099
"""Years; what is said to be of another is a mistake."""
LONGEST_S = 7 * 86_400.0

CALL_COLUMNS = {
    "tracking": ("Tracking Number", "tracking_phone_number", "Tracking Phone Number", "Number Dialed"),
    "start": ("Start Time", "start_time", "Date/Time", "Call Time", "Date", "created_at"),
    "duration": ("Duration (seconds)", "duration", "Call Duration", "Duration (secs)", "Length"),
    "status": ("Call Status", "Status", "Call Type"),
    "answered": ("answered", "Call Answered"),
    "voicemail": ("voicemail",),
    "caller": (
        "Phone Number", "customer_phone_number", "Caller Number", "Caller Phone Number", "Caller ID",
        "Customer Number", "caller_number",
    ),
    "name": ("Name", "customer_name", "Caller Name", "Customer Name"),
    "number_name": ("Number Name", "tracker_name", "Tracker Name", "source_name", "Tracking Number Name"),
    "source": ("Source", "source_name", "Number Name"),
    "id": ("Call ID", "id", "call_id", "resource_id", "Call Resource ID"),
    "direction": ("Direction", "Call Direction"),
    "destination": ("Destination Number", "business_phone_number", "Receiving Number"),
    "medium": ("Medium", "utm_medium"),
    "campaign": ("Campaign", "utm_campaign", "Campaign Name"),
    "keywords": ("Keywords", "keywords", "utm_term", "Keyword"),
    "landing_page": ("Landing Page", "landing_page_url", "Landing Page URL", "last_requested_url"),
    "referrer": ("Referrer", "referring_url", "referrer_domain", "Referring URL", "Referral"),
    "gclid": ("gclid", "GCLID", "Google Click ID"),
    "first": ("First-Time Caller", "first_call", "First Call"),
    "recording": ("Recording URL", "recording", "recording_player", "Recording"),
    "agent": ("Agent Name", "Answered By", "agent_email", "Agent"),
    "note": ("Note", "Notes"),
    "tags": ("Tags",),
    "value": ("Value", "Lead Value"),
    "lead": ("Lead Status", "Qualified", "good_lead_call_id"),
}  # fmt: skip
TRACKER_COLUMNS = {
    "numbers": (
        "Tracking Number", "tracking_numbers", "tracking_phone_number", "Tracking Numbers", "Number",
        "Phone Number",
    ),
    "name": ("Name", "Tracker Name", "Number Name", "tracker_name"),
    "type": ("Type", "Tracker Type", "Number Type"),
    "source": ("Source", "Source Type", "Campaign"),
    "targets": ("Swap Target", "swap_targets", "Swap Targets", "Target Number"),
    "status": ("Status", "Active"),
    "whisper": ("Whisper Message", "whisper_message", "Whisper"),
}  # fmt: skip

_STATUSES = {
    "answered call": CallStatus.ANSWERED,
    "answered": CallStatus.ANSWERED,
    "completed": CallStatus.ANSWERED,
    "missed call": CallStatus.MISSED,
    "missed": CallStatus.MISSED,
    "no answer": CallStatus.MISSED,
    "unanswered": CallStatus.MISSED,
    "busy": CallStatus.MISSED,
    "voicemail": CallStatus.VOICEMAIL,
    "voicemail call": CallStatus.VOICEMAIL,
    "abandoned": CallStatus.ABANDONED,
    "abandoned call": CallStatus.ABANDONED,
    "hangup": CallStatus.ABANDONED,
    "failed": CallStatus.FAILED,
}
_OUTCOMES = {
    "good lead": "lead",
    "lead": "lead",
    "qualified": "lead",
    "sold": "sale",
    "sale": "sale",
    "customer": "sale",
    "converted": "sale",
    "not a lead": "no_sale",
    "not qualified": "no_sale",
    "spam": "spam",
}
_TIMES = (
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M",
    "%b %d, %Y %I:%M %p",
    "%B %d, %Y %I:%M %p",
)

_normalised = lru_cache(20_000)(normalise)  # a file has few tracking numbers, and is read twice


@dataclass(frozen=True, slots=True)
class ImportedCall:
    """A call as CallRail counts it."""

    id: str  # ours: the same for the same call, whenever it is imported
    line: int
    started: datetime
    duration_s: float
    status: CallStatus
    direction: Direction
    caller: str  # E.164, as written where it is none, "" if withheld
    tracking: str  # E.164
    source: str  # as CallRail calls it
    medium: str = ""
    campaign: str = ""
    keyword: str = ""
    landing_page: str = ""
    referrer: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()
    outcome: str | None = None
    value: float | None = None
    remarks: tuple[str, ...] = ()  # what else was said of it

    @property
    def answered(self) -> bool:
        return self.status is CallStatus.ANSWERED


@dataclass(frozen=True, slots=True)
class Tracker:
    """A tracking number, or a pool of them."""

    line: int
    name: str
    numbers: tuple[str, ...]
    is_pool: bool
    source: str
    targets: tuple[str, ...] = ()
    whisper: str = ""
    active: bool = True


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that could not be read, and why."""

    row: Row
    fault: str


def open_calls(path: Path, encoding: str | None = None) -> Sheet:
    """Raises NotReadable, OSError."""
    return open_sheet(path, CALL_COLUMNS, ("tracking", "start", "duration"), encoding)


def open_trackers(path: Path, encoding: str | None = None) -> Sheet:
    """Raises NotReadable, OSError."""
    return open_sheet(path, TRACKER_COLUMNS, ("numbers", "name"), encoding)


def calls(sheet: Sheet, country: str, zone: ZoneInfo) -> Iterator[ImportedCall | Bad]:
    """``zone``: of times that name none."""
    for row in sheet.rows():
        try:
            yield _call(row, country, zone)
        except BadCell as bad:
            yield Bad(row, sheet.fault(row, bad))


def trackers(sheet: Sheet, country: str) -> Iterator[Tracker | Bad]:
    for row in sheet.rows():
        try:
            yield _tracker(row, country)
        except BadCell as bad:
            yield Bad(row, sheet.fault(row, bad))


def _call(row: Row, country: str, zone: ZoneInfo) -> ImportedCall:
    tracking = _number(row, "tracking", country)
    started = moment(row.need("start"), zone)
    status = _status(row)
    unanswered = status is not CallStatus.ANSWERED and not row.get("duration")
    duration_s = 0.0 if unanswered else seconds(row.need("duration"))
    caller = _normalised(row.get("caller"), country) or row.get("caller")
    if caller.casefold() in ("anonymous", "restricted", "unknown", "private", "unavailable"):
        caller = ""
    landing = row.get("landing_page")
    query = parse_qs(landing.partition("#")[0].partition("?")[2])
    tags = tuple(
        dict.fromkeys(tag.strip() for tag in re.split(r"[,;|]", row.get("tags")) if tag.strip(" \"[]'"))
    )
    return ImportedCall(
        id=_id(row, started, tracking, caller, duration_s),
        line=row.line,
        started=started,
        duration_s=duration_s,
        status=status,
        direction=_direction(row),
        caller=caller,
        tracking=tracking,
        source=row.get("source") or row.get("number_name") or "unknown",
        medium=row.get("medium"),
        campaign=row.get("campaign") or query.get("utm_campaign", [""])[0],
        keyword=row.get("keywords"),
        landing_page=landing.partition("?")[0],
        referrer=row.get("referrer").partition("?")[0],
        note=row.get("note"),
        tags=tuple(tag.strip("\"[]' ") for tag in tags),
        outcome=_OUTCOMES.get(bare(row.get("lead"))),
        value=_value(row),
        remarks=tuple(_remarks(row)),
    )


def _remarks(row: Row) -> Iterator[str]:
    for name, words in (
        ("number_name", "number"),
        ("name", "caller's name"),
        ("agent", "answered by"),
        ("destination", "sent on to"),
        ("first", "first-time caller"),
        ("lead", "lead status"),
        ("gclid", "gclid"),
        ("recording", "recording"),
    ):
        if value := row.get(name):
            yield f"CallRail says: {words} {value}"


def _id(row: Row, started: datetime, tracking: str, caller: str, duration_s: float) -> str:
    if theirs := row.get("id"):
        return f"{ORIGIN}-{theirs}"
    said = f"{int(started.timestamp())} {tracking} {caller} {duration_s:g}"
    return f"{ORIGIN}-{hashlib.sha256(said.encode()).hexdigest()[:20]}"


def _number(row: Row, name: str, country: str) -> str:
    written = row.need(name)
    number = _normalised(written, country)
    if number is None:
        raise BadCell(name, f"{written!r} is no telephone number")
    return number


def _status(row: Row) -> CallStatus:
    if is_true(row.get("voicemail")):
        return CallStatus.VOICEMAIL
    if written := row.get("status"):
        status = _STATUSES.get(bare(written))
        if status is not None:
            return status
        if not row.get("answered"):
            raise BadCell("status", f"{written!r} is no status; there are {', '.join(_STATUSES)}")
    if not row.get("answered"):
        raise BadCell("status", "is empty, and no column says whether the call was answered")
    return CallStatus.ANSWERED if is_true(row.get("answered")) else CallStatus.MISSED


def _direction(row: Row) -> Direction:
    return Direction.OUTBOUND if bare(row.get("direction")).startswith("out") else Direction.INBOUND


def _value(row: Row) -> float | None:
    """``$1,250.00``, ``1.250,00 €``, ``1250``. Raises BadCell."""
    written = row.get("value")
    if not written:
        return None
    digits = re.sub(r"[^0-9.,\-]", "", written)
    if re.fullmatch(r"-?\d+(\.\d{3})*,\d{1,2}", digits):  # the comma marks the cents
        digits = digits.replace(".", "").replace(",", ".")
    if not re.fullmatch(r"-?\d{1,12}(\.\d*)?", digits := digits.replace(",", "")):
        raise BadCell("value", f"{written!r} is no amount")
    return float(digits)


def _tracker(row: Row, country: str) -> Tracker:
    written = [each for each in re.split(r"[,;|]|\s{2,}|\n", row.need("numbers")) if each.strip(" []\"'")]
    numbers = []
    for each in written:
        number = normalise(each.strip(" []\"'"), country)
        if number is None:
            raise BadCell("numbers", f"{each.strip()!r} is no telephone number")
        numbers.append(number)
    kind = bare(row.get("type"))
    targets = [
        number
        for each in re.split(r"[,;|]", row.get("targets"))
        if (number := normalise(each.strip(" []\"'"), country))
    ]
    status = bare(row.get("status"))
    return Tracker(
        line=row.line,
        name=row.need("name"),
        numbers=tuple(dict.fromkeys(numbers)),
        is_pool="pool" in kind or "session" in kind or "visitor" in kind or len(numbers) > 1,
        source=row.get("source") or row.need("name"),
        targets=tuple(dict.fromkeys(targets)),
        whisper=row.get("whisper"),
        active=status not in ("disabled", "inactive", "false", "no", "deleted", "paused"),
    )


def moment(text: str, zone: ZoneInfo) -> datetime:
    """``2026-11-03 14:05:22 -0500``, ``2026-11-03T14:05:22Z``, ``11/03/2026 02:05 PM``. Raises BadCell."""
    found = _moment(text, zone)
    if not EARLIEST <= found.year <= LATEST:
        raise BadCell("start", f"{text!r} is no time of a call")
    return found.astimezone(UTC)


def _moment(text: str, zone: ZoneInfo) -> datetime:
    written = " ".join(text.split())
    candidates = [written, re.sub(r" UTC$", " +0000", written)]
    for candidate in candidates:
        try:
            found = datetime.fromisoformat(re.sub(r" ([+-]\d\d:?\d\d)$", r"\1", candidate))
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=zone)
    for form in _TIMES:
        try:
            spaced = re.sub(r"(?<=\d)([ap]m)$", r" \1", written, flags=re.I)
            return datetime.strptime(spaced, form).replace(tzinfo=zone)
        except ValueError:
            continue
    raise BadCell("start", f"{text!r} is no time; write 2026-11-03 14:05:22 or 2026-11-03T14:05:22-05:00")


def seconds(text: str) -> float:
    """``125``, ``2:05``, ``1:02:05``, ``2m 5s``. Raises BadCell."""
    found = _seconds(text.strip().casefold())
    if found is None:
        raise BadCell("duration", f"{text!r} is no duration; write seconds, or 2:05")
    if found > LONGEST_S:
        raise BadCell("duration", f"{text!r} is longer than a week")
    return found


def _seconds(written: str) -> float | None:
    if len(written) > 40:
        return None
    if re.fullmatch(r"\d+(\.\d+)?", written):
        return float(written)
    if re.fullmatch(r"\d+(:[0-5]?\d){1,2}", written):
        total = 0
        for part in written.split(":"):
            total = 60 * total + int(part)
        return float(total)
    match = re.fullmatch(r"(?:(\d+)\s*h\w*)?\s*(?:(\d+)\s*m\w*)?\s*(?:(\d+)\s*s\w*)?", written)
    if match is None or not written:
        return None
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    return float(3600 * hours + 60 * minutes + rest)


def is_true(text: str) -> bool:
    return text.strip().casefold() in ("true", "yes", "y", "1", "t")
