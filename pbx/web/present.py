"""Stored rows as the API's JSON. Plain dictionaries, for speed; tests hold them to :mod:`pbx.web.shapes`."""

import json
from typing import Any
from urllib.parse import quote

from pbx.config.models import Config
from pbx.quality import quality
from pbx.store.calls import History, StoredCall, Transcript
from pbx.store.encoding import iso
from pbx.store.tables import CallRow, EventRow, LegRow
from pbx.web.attribution import attribution, journey

Json = dict[str, Any]


def call(stored: StoredCall) -> Json:
    row = stored.row
    return {
        "id": row.id,
        "origin": row.origin,
        "direction": row.direction,
        "from": row.from_number,
        "to": row.to_number,
        "trunk": row.trunk,
        "flow": row.flow,
        "source": row.source,
        "status": row.status,
        "cause": row.cause,
        "reason": row.reason,
        "started_at": iso(row.started_ms),
        "answered_at": _iso(row.answered_ms),
        "ended_at": _iso(row.ended_ms),
        "duration": _seconds(row.started_ms, row.ended_ms),
        "wait": _seconds(row.started_ms, row.connected_ms),
        "talk_time": row.talk_ms / 1000,
        "agent": row.agent,
        "queue": row.queue,
        "path": row.path.split("\n") if row.path else [],
        "attribution": attribution(row),
        "tags": list(stored.tags),
        "score": row.score,
        "outcome": row.outcome,
        "value": None if row.value_cents is None else row.value_cents / 100,
        "caller": row.caller or None,
        "area": row.area or None,
        "exit": row.left_at or None,
        "note": row.note,
        "recording": _recording(row),
        "transcript": _transcript_link(row),
    }


def _recording(row: CallRow) -> Json | None:
    if row.recording is None:
        return None
    return {
        "url": f"/api/calls/{quote(row.id, safe='')}/recording",
        "duration": None if row.recording_ms is None else row.recording_ms / 1000,
        "problem": row.recording_problem,
        "voicemail": None if row.voicemail_ms is None else row.voicemail_ms / 1000,
    }


def _transcript_link(row: CallRow) -> Json | None:
    if row.transcript_state is None:
        return None
    return {"url": f"/api/calls/{quote(row.id, safe='')}/transcript", "state": row.transcript_state}


def detail(history: History, config: Config) -> Json:
    found = call(history.call)
    way = journey(history.call.row, history.journey, config)
    return {
        **found,
        "attribution": found["attribution"] | {"journey": way},
        "legs": [leg(row) for row in history.legs],
        "events": [event(row) for row in history.events],
    }


def leg(row: LegRow) -> Json:
    stats = json.loads(row.stats or "{}")
    heard = quality(stats)
    return {
        "id": row.id,
        "role": row.role,
        "target": row.target,
        "agent": row.agent,
        "started_at": iso(row.started_ms),
        "answered_at": _iso(row.answered_ms),
        "ended_at": _iso(row.ended_ms),
        "talk_time": row.talk_ms / 1000,
        "cause": row.cause,
        "sip_status": row.sip_status,
        "stats": stats,
        "quality": {
            "loss": round(heard.loss, 2),
            "jitter_ms": round(heard.jitter_ms, 1),
            "mos": round(heard.mos, 2),
        }
        if heard is not None
        else None,
    }


def event(row: EventRow) -> Json:
    return {"kind": row.kind, "at": iso(row.at_ms), **json.loads(row.data)}


def transcript(found: Transcript) -> Json:
    return {
        "state": found.state,
        "problem": found.problem,
        "words": [
            {
                "word": word.word,
                "start": word.start,
                "end": word.end,
                "speaker": word.speaker,
                "confidence": word.confidence,
            }
            for word in found.words
        ],
    }


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)


def _seconds(start_ms: int, end_ms: int | None) -> float | None:
    return None if end_ms is None else (end_ms - start_ms) / 1000
