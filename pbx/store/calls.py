"""Reading calls, and what people and the transcriber change about them afterwards.

Lists are paged by key: the cursor is the last row's start and id, so that a page is found by its
index however many calls came before or meanwhile. Every query has a limit.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, delete, func, or_, tuple_, update
from sqlmodel import Session, col, select

from pbx.attribution.journey import Journey
from pbx.events import CallStatus
from pbx.flows.control import CallerHistory
from pbx.store.dimensions import DIMENSIONS, EARLIEST_MS, LATEST_MS, Basis, Span
from pbx.store.encoding import from_ms, to_ms
from pbx.store.figures import MEASURES, TOOK_PART
from pbx.store.journeys import journey_of
from pbx.store.tables import CallRow, EventRow, LegRow, TagRow, TranscriptRow

LONGEST_PAGE = 1000


class BadCursor(ValueError):  # noqa: N818 - says what is wrong
    """The cursor is not one that a list has given."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which calls: every part given must match, a part with several values by any of them."""

    since: datetime | None = None  # started then or later
    until: datetime | None = None  # started before
    source: tuple[str, ...] = ()
    number: tuple[str, ...] = ()  # the tracking number called
    agent: tuple[str, ...] = ()  # anyone who talked
    status: tuple[str, ...] = ()
    tag: tuple[str, ...] = ()
    q: str = ""  # in numbers, note, tags or transcript
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()  # of a report: dimension, and any of these keys
    figure: str = ""  # of a report: the calls that it counts or adds up
    basis: Basis | None = None  # what groups and figures depend on

    @property
    def is_period(self) -> bool:
        """Whether it asks for nothing but a time."""
        return replace(self, since=None, until=None, basis=None) == Filter()

    @property
    def span(self) -> Span:
        """The time asked for; without an end, until long after now."""
        return Span(
            to_ms(self.since) if self.since else EARLIEST_MS,
            to_ms(self.until) if self.until else LATEST_MS,
        )

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same as SQL; lists, reports and exports share it."""
        found: list[ColumnElement[bool]] = []
        if self.since is not None:
            found.append(col(CallRow.started_ms) >= to_ms(self.since))
        if self.until is not None:
            found.append(col(CallRow.started_ms) < to_ms(self.until))
        if self.source:
            found.append(col(CallRow.source).in_(self.source))
        if self.number:
            found.append(col(CallRow.to_number).in_(self.number))
        if self.status:
            found.append(col(CallRow.status).in_(self.status))
        if self.agent:
            found.append(_talked(self.agent))
        if self.tag:
            tagged = select(TagRow.call_id).where(col(TagRow.tag).in_(self.tag))
            found.append(col(CallRow.id).in_(tagged))
        if self.q:
            found.append(_mentions(self.q))
        if self.groups or self.figure:
            found += self._of_report()
        return found

    def _of_report(self) -> list[ColumnElement[bool]]:
        assert self.basis is not None, "groups and figures are read by the config"
        found: list[ColumnElement[bool]] = []
        for dimension, keys in self.groups:
            if dimension == "agent" and self.figure == TOOK_PART:
                # Talk is billed to everybody who talked, not only to who talked last.
                found.append(_talked(keys))
                continue
            holds = DIMENSIONS[dimension].holds
            found.append(or_(*(holds(key, self.basis, self.span) for key in keys)))
        if self.figure:
            found.append(MEASURES[self.figure].calls(self.basis.thresholds))
        return found


def _talked(agents: Sequence[str]) -> ColumnElement[bool]:
    legs = select(LegRow.call_id).where(col(LegRow.agent).in_(agents), col(LegRow.connected_ms).is_not(None))
    return col(CallRow.id).in_(legs)


_IN_NUMBERS = frozenset("0123456789+-./() ")


def _mentions(q: str) -> ColumnElement[bool]:
    digits = "".join(character for character in q if character.isdigit())
    number = digits if digits and set(q) <= _IN_NUMBERS else q
    texts = select(TranscriptRow.call_id).where(
        col(TranscriptRow.call_id) == col(CallRow.id), col(TranscriptRow.text).icontains(q, autoescape=True)
    )
    tags = select(TagRow.call_id).where(
        col(TagRow.call_id) == col(CallRow.id), col(TagRow.tag).icontains(q, autoescape=True)
    )
    return or_(
        col(CallRow.from_number).contains(number, autoescape=True),
        col(CallRow.to_number).contains(number, autoescape=True),
        col(CallRow.note).icontains(q, autoescape=True),
        texts.exists(),
        tags.exists(),
    )


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A call's row with its tags."""

    row: CallRow
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    calls: tuple[StoredCall, ...]
    next: str | None  # the cursor of what follows


@dataclass(frozen=True, slots=True)
class History:
    """All that is stored of one call, but its transcript's words."""

    call: StoredCall
    legs: tuple[LegRow, ...]
    events: tuple[EventRow, ...]
    journey: Journey | None = None  # the likeliest visitor's way to it

    @property
    def agents(self) -> frozenset[str]:
        """Who talked."""
        return frozenset(leg.agent for leg in self.legs if leg.agent and leg.connected_ms is not None)


@dataclass(frozen=True, slots=True)
class Word:
    """``start`` and ``end`` in seconds of the recording; ``speaker`` is "caller" or "agent"."""

    word: str
    start: float
    end: float
    speaker: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Transcript:
    """``state``: pending, done, no_model or failed; ``problem`` says why it is not done."""

    state: str
    words: tuple[Word, ...] = field(default=())
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Untranscribed:
    """A call that is over and recorded, and has no transcript yet."""

    call_id: str
    recording: str  # relative to the data directory
    state: str


class Calls:
    """The calls in the database. Methods block: call them from a thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def engine(self) -> Engine:
        """The database that they are in."""
        return self._engine

    def page(self, filter: Filter, *, limit: int, cursor: str | None = None) -> Page:
        """Newest first. Raises BadCursor."""
        conditions = filter.conditions()
        if cursor is not None:
            started, call_id = _read_cursor(cursor)
            # As a pair: with "or" SQLite would read every page before this one.
            place = tuple_(col(CallRow.started_ms), col(CallRow.id))
            conditions.append(place < tuple_(started, call_id))
        query = (
            select(CallRow)
            .where(*conditions)
            .order_by(col(CallRow.started_ms).desc(), col(CallRow.id).desc())
            .limit(min(limit, LONGEST_PAGE) + 1)
        )
        with Session(self._engine) as session:
            rows = session.exec(query).all()
            shown = rows[:limit]
            calls = _with_tags(session, shown)
        last = shown[-1] if len(rows) > len(shown) else None
        return Page(calls, _cursor(last) if last else None)

    def history(self, call_id: str) -> History | None:
        with Session(self._engine) as session:
            row = session.get(CallRow, call_id)
            if row is None:
                return None
            (call,) = _with_tags(session, [row])
            legs = session.exec(
                select(LegRow)
                .where(LegRow.call_id == call_id)
                .order_by(col(LegRow.started_ms), col(LegRow.id))
            ).all()
            events = session.exec(
                select(EventRow).where(EventRow.call_id == call_id).order_by(col(EventRow.id))
            ).all()
        return History(call, tuple(legs), tuple(events), journey_of(self._engine, row))

    def row(self, call_id: str) -> CallRow | None:
        with Session(self._engine) as session:
            return session.get(CallRow, call_id)

    def of_caller(self, number: str, but: str, before: datetime | None = None) -> CallerHistory:
        """What calls from ``number`` there were (by then), the one of the id ``but`` not counted."""
        theirs = [col(CallRow.from_number) == number, col(CallRow.id) != but]
        if before is not None:
            theirs.append(col(CallRow.started_ms) < to_ms(before))
        newest = col(CallRow.started_ms).desc()
        with Session(self._engine) as session:
            calls = session.exec(select(func.count()).select_from(CallRow).where(*theirs)).one()
            last = session.exec(select(CallRow).where(*theirs).order_by(newest).limit(1)).first()
            talked = col(CallRow.agent).is_not(None)
            agent = session.exec(
                select(CallRow.agent).where(*theirs, talked).order_by(newest).limit(1)
            ).first()
        if last is None:
            return CallerHistory()
        return CallerHistory(calls, from_ms(last.started_ms), last.source, agent or "")

    def edit(self, call_id: str, changes: Mapping[str, Any]) -> None:
        """Set ``score``, ``outcome``, ``value``, ``note`` or ``tags`` (all of them), as given."""
        plain = {name: value for name, value in changes.items() if name not in ("tags", "value")}
        if "value" in changes:
            value = changes["value"]
            plain["value_cents"] = None if value is None else round(value * 100)
        with Session(self._engine) as session:
            if plain:
                session.execute(update(CallRow).where(col(CallRow.id) == call_id).values(**plain))
            if "tags" in changes:
                tags = list(dict.fromkeys(changes["tags"]))
                kept = and_(col(TagRow.call_id) == call_id, col(TagRow.tag).not_in(tags))
                session.execute(delete(TagRow).where(kept))
                there = set(session.exec(select(TagRow.tag).where(TagRow.call_id == call_id)))
                session.add_all(
                    TagRow(call_id=call_id, tag=tag, because="set by hand")
                    for tag in tags
                    if tag not in there
                )
            session.commit()

    # Transcripts

    def transcript(self, call_id: str) -> Transcript | None:
        """What is known of it; None if there is no such call."""
        with Session(self._engine) as session:
            call = session.get(CallRow, call_id)
            if call is None:
                return None
            row = session.get(TranscriptRow, call_id)
        if row is not None:
            return Transcript(row.state, tuple(Word(**word) for word in row.words), row.problem)
        unrecorded = "done" if CallStatus(call.status).is_final else "pending"
        return Transcript(call.transcript_state or unrecorded)

    def save_transcript(self, call_id: str, transcript: Transcript, now: datetime) -> None:
        """Keep it, in place of an earlier one. Who calls this publishes TranscriptChanged."""
        words = [
            {
                "word": word.word,
                "start": word.start,
                "end": word.end,
                "speaker": word.speaker,
                "confidence": word.confidence,
            }
            for word in transcript.words
        ]
        with Session(self._engine) as session:
            session.execute(
                update(CallRow).where(col(CallRow.id) == call_id).values(transcript_state=transcript.state)
            )
            session.merge(
                TranscriptRow(
                    call_id=call_id,
                    state=transcript.state,
                    problem=transcript.problem,
                    text=" ".join(word.word for word in transcript.words),
                    words=words,
                    made_ms=to_ms(now),
                )
            )
            session.commit()

    def awaiting_transcript(self, states: Sequence[str] = ("pending",)) -> list[Untranscribed]:
        """Calls that are over, recorded, and in one of those states; oldest first.

        ``pbx transcribe`` also asks for ``no_model`` and ``failed``.
        """
        query = (
            select(CallRow)
            .where(
                col(CallRow.transcript_state).in_(states),
                col(CallRow.ended_ms).is_not(None),
                col(CallRow.recording_ms).is_not(None),
            )
            .order_by(col(CallRow.started_ms))
        )
        with Session(self._engine) as session:
            return [
                Untranscribed(row.id, row.recording or "", row.transcript_state or "")
                for row in session.exec(query)
            ]

    def kept_as_wav(self) -> list[tuple[str, str]]:
        """Calls that are over and whose recording is whole and a WAV: id and path; oldest first."""
        query = (
            select(CallRow.id, CallRow.recording)
            .where(
                col(CallRow.ended_ms).is_not(None),
                col(CallRow.recording_ms).is_not(None),
                col(CallRow.recording_problem) == "",
                col(CallRow.recording).endswith(".wav"),
            )
            .order_by(col(CallRow.started_ms))
        )
        with Session(self._engine) as session:
            return [(call_id, path or "") for call_id, path in session.exec(query)]

    # Retention

    def recorded_before(self, moment: datetime) -> list[tuple[str, Path]]:
        """Calls that ended before then and still have a recording: id and path."""
        query = select(CallRow).where(
            col(CallRow.ended_ms) < to_ms(moment), col(CallRow.recording).is_not(None)
        )
        with Session(self._engine) as session:
            return [(row.id, Path(row.recording or "")) for row in session.exec(query)]

    def forget_recording(self, call_id: str) -> None:
        """The recording's time is up: the words spoken go with it, the call's row and history stay."""
        with Session(self._engine) as session:
            session.execute(
                update(CallRow)
                .where(col(CallRow.id) == call_id)
                .values(recording=None, recording_ms=None, transcript_state=None)
            )
            session.execute(delete(TranscriptRow).where(col(TranscriptRow.call_id) == call_id))
            session.commit()


def _with_tags(session: Session, rows: Sequence[CallRow]) -> tuple[StoredCall, ...]:
    tags: dict[str, list[str]] = {}
    query = select(TagRow).where(col(TagRow.call_id).in_([row.id for row in rows])).order_by(col(TagRow.tag))
    for tag in session.exec(query) if rows else ():
        tags.setdefault(tag.call_id, []).append(tag.tag)
    return tuple(StoredCall(row, tuple(tags.get(row.id, ()))) for row in rows)


def _cursor(row: CallRow) -> str:
    return base64.urlsafe_b64encode(json.dumps([row.started_ms, row.id]).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[int, str]:
    try:
        started, call_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, TypeError):
        raise BadCursor(f"{cursor!r} is not a cursor that a list has given as next") from None
    if not isinstance(started, int) or not isinstance(call_id, str) or abs(started) >= 2**63:
        raise BadCursor(f"{cursor!r} is not a cursor that a list has given as next")
    return started, call_id
