"""Calls and messages as flat records, for export: the columns of CSV and the fields of JSON Lines.

Records are read page by page, each found by its index, so that a million of them need no more memory than
a thousand and nobody waits for the database meanwhile. Newest first: what happens during an export does
not disturb it. Times are ISO 8601 with the offset of the site's zone, durations seconds.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Engine, tuple_
from sqlmodel import Session, col, select

from pbx.store.calls import Filter
from pbx.store.encoding import from_ms, to_ms
from pbx.store.tables import CallRow, MessageRow, TagRow
from pbx.store.tabular import cell

Record = dict[str, Any]
Records = Iterator[Record]
Columns = Mapping[str, str]
"""Name and meaning of each, in order."""
PAGE = 1000

CALLS: Columns = {
    "id": "The call's id.",
    "direction": "inbound, outbound or internal.",
    "from": "The caller's number; empty if withheld.",
    "to": "The number called.",
    "started_at": "When the call came.",
    "answered_at": "When the server answered.",
    "connected_at": "When somebody of ours talked first.",
    "ended_at": "When it was over.",
    "duration": "From start to end.",
    "wait": "From start until somebody talked.",
    "talk_time": "How long they talked.",
    "status": "What became of it.",
    "cause": "Why it ended so.",
    "agent": "Who talked last.",
    "queue": "The last queue it stood in.",
    "flow": "The flow it ran.",
    "path": "The flow's steps, in order.",
    "trunk": "The trunk it came by.",
    "source": "The source it is attributed to.",
    "medium": "Of the touch that led to it.",
    "campaign": "Of the same touch.",
    "keyword": "Of the same touch.",
    "landing_page": "Of the same touch.",
    "referrer": "Of the same touch.",
    "visitor": "The likeliest visitor.",
    "pool": "That the number belongs to.",
    "probability": "That it was this visitor.",
    "tags": "All its tags.",
    "score": "1 to 5.",
    "outcome": "sale, no_sale, lead or spam.",
    "value": "What it brought in, in reports.currency.",
    "caller": "first or repeat: whether an earlier call came from the same number.",
    "area": "Where the caller's number was given out, as in reports.",
    "exit": "Where it left the flow: the last step entered, as flow/step.",
    "note": "What somebody wrote about it.",
    "recording": "Its path in the data directory.",
    "recording_seconds": "How long it is.",
    "voicemail_seconds": "How long the message is.",
    "origin": "Where it was imported from; empty for a call of this server.",
}
MESSAGES: Columns = {
    "id": "The message's id.",
    "channel": "text, chat, form, social or lead.",
    "direction": "in or out.",
    "from": "Who wrote.",
    "to": "To whom.",
    "created_at": "When it came in, or was written.",
    "sent_at": "When it was taken.",
    "handled_at": "When somebody saw to it.",
    "handled_by": "Who did.",
    "text": "What it says.",
    "fields": "A form's or a lead's.",
    "via": "The way, by its name in the config.",
    "thread": "The conversation.",
    "source": "The source it is attributed to.",
    "visitor": "Who wrote it, if known.",
    "call_id": "The call it belongs to.",
    "agent": "Who of ours wrote it.",
    "state": "received, queued, sent or failed.",
    "problem": "Why it failed.",
}


def calls(engine: Engine, filter: Filter, zone: ZoneInfo) -> Records:
    """Every call that the filter lets through. Blocks: for a thread."""
    chosen = filter.conditions()
    started, id = col(CallRow.started_ms), col(CallRow.id)
    after: list[ColumnElement[bool]] = []
    while True:
        query = select(*CallRow.__table__.columns).where(*chosen, *after)  # type: ignore[attr-defined]
        query = query.order_by(started.desc(), id.desc()).limit(PAGE)
        with engine.connect() as connection:
            rows = connection.execute(query).all()
            tags = _tags(connection, [row.id for row in rows])
        for row in rows:
            yield call_record(row, tags.get(row.id, []), zone)
        if len(rows) < PAGE:
            return
        after = [tuple_(started, id) < tuple_(rows[-1].started_ms, rows[-1].id)]


def _tags(connection: Connection, ids: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    if ids:
        query = (
            select(TagRow.call_id, TagRow.tag).where(col(TagRow.call_id).in_(ids)).order_by(col(TagRow.tag))
        )
        for call_id, tag in connection.execute(query):
            found.setdefault(call_id, []).append(tag)
    return found


def messages(engine: Engine, filter: Filter, zone: ZoneInfo, channels: tuple[str, ...] = ()) -> Records:
    """Messages of the filter's period and sources, of these channels or all. Blocks: for a thread."""
    chosen = []
    if filter.since is not None:
        chosen.append(col(MessageRow.created_ms) >= to_ms(filter.since))
    if filter.until is not None:
        chosen.append(col(MessageRow.created_ms) < to_ms(filter.until))
    if filter.source:
        chosen.append(col(MessageRow.source).in_(filter.source))
    if channels:
        chosen.append(col(MessageRow.channel).in_(channels))
    created, id = col(MessageRow.created_ms), col(MessageRow.id)
    last: MessageRow | None = None
    while True:
        after = []
        if last is not None:
            after.append(tuple_(created, id) < tuple_(last.created_ms, last.id))
        query = select(MessageRow).where(*chosen, *after).order_by(created.desc(), id.desc()).limit(PAGE)
        with Session(engine) as session:
            rows = session.exec(query).all()
        for row in rows:
            yield message_record(row, zone)
        if len(rows) < PAGE:
            return
        last = rows[-1]


def call_record(row: Any, tags: list[str], zone: ZoneInfo) -> Record:
    """``row``: a row of ``calls``, its columns as attributes."""
    at = _moments(zone)
    return {
        "id": row.id,
        "direction": row.direction,
        "from": row.from_number,
        "to": row.to_number,
        "started_at": at(row.started_ms),
        "answered_at": at(row.answered_ms),
        "connected_at": at(row.connected_ms),
        "ended_at": at(row.ended_ms),
        "duration": _seconds(row, row.ended_ms),
        "wait": _seconds(row, row.connected_ms),
        "talk_time": row.talk_ms / 1000,
        "status": row.status,
        "cause": row.cause,
        "agent": row.agent,
        "queue": row.queue,
        "flow": row.flow,
        "path": row.path.split("\n") if row.path else [],
        "trunk": row.trunk,
        "source": row.source,
        "medium": row.medium,
        "campaign": row.campaign,
        "keyword": row.keyword,
        "landing_page": row.landing_page,
        "referrer": row.referrer,
        "visitor": row.visitor,
        "pool": row.pool,
        "probability": row.probability,
        "tags": tags,
        "score": row.score,
        "outcome": row.outcome,
        "value": None if row.value_cents is None else row.value_cents / 100,
        "caller": row.caller,
        "area": row.area or "",
        "exit": row.left_at,
        "note": row.note,
        "recording": row.recording,
        "recording_seconds": None if row.recording_ms is None else row.recording_ms / 1000,
        "voicemail_seconds": None if row.voicemail_ms is None else row.voicemail_ms / 1000,
        "origin": row.origin,
    }


def message_record(row: MessageRow, zone: ZoneInfo) -> Record:
    at = _moments(zone)
    return {
        "id": row.id,
        "channel": row.channel,
        "direction": row.direction,
        "from": row.from_,
        "to": row.to,
        "created_at": at(row.created_ms),
        "sent_at": at(row.sent_ms),
        "handled_at": at(row.handled_ms),
        "handled_by": row.handled_by,
        "text": row.text,
        "fields": json.loads(row.fields) if row.fields else {},
        "via": row.via,
        "thread": row.thread,
        "source": row.source,
        "visitor": row.visitor or "",
        "call_id": row.call_id,
        "agent": row.agent,
        "state": row.state,
        "problem": row.problem,
    }


def _moments(zone: ZoneInfo) -> Callable[[int | None], str | None]:
    def at(ms: int | None) -> str | None:
        return None if ms is None else from_ms(ms).astimezone(zone).isoformat(timespec="milliseconds")

    return at


def _seconds(row: Any, until_ms: int | None) -> float | None:
    return None if until_ms is None else (until_ms - row.started_ms) / 1000


def json_lines(records: Iterable[Record]) -> Iterator[str]:
    """One JSON object a line, in UTF-8."""
    for record in records:
        yield json.dumps(record, ensure_ascii=False) + "\n"


def csv_lines(records: Iterable[Record], columns: Iterable[str]) -> Iterator[str]:
    """RFC 4180, its header first; lists are joined by " | ", mappings are JSON."""
    columns = tuple(columns)
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(columns)
    for record in records:
        writer.writerow([cell(_flat(record[column])) for column in columns])
        if out.tell() > 32_768:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def _flat(value: Any) -> Any:
    if isinstance(value, list):
        return " | ".join(map(str, value))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return value
