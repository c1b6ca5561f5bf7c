"""From a call's event to the SQL that records it.

An :class:`Entry` is an event as the store keeps it: numbered, and plain data. Every event becomes a
row of ``events`` (but visitors', which have tables of their own); ``_EFFECTS`` says what else it changes.
The SQL is written once with ``?`` and runs on SQLite as on PostgreSQL. Statements of one entry share a
transaction with its row, so an entry whose row is there has been applied, once.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from pbx.areas import area_of
from pbx.attribution.events import VisitorEvent
from pbx.events import CallEvent
from pbx.store.encoding import Record, details, to_ms
from pbx.store.visitor_entries import contact_made, habits_learned, ids_seen, lease_seen, page_viewed

Statement = tuple[str, tuple[Any, ...]]


class Entry(NamedTuple):
    """An event on its way to the database; ``id`` grows with time."""

    id: int
    call_id: str
    at_ms: int
    kind: str
    data: Record

    @classmethod
    def of(cls, id: int, event: CallEvent | VisitorEvent) -> "Entry":
        return cls(id, event.call_id, to_ms(event.at), event.kind, details(event))

    def to_line(self) -> str:
        """As one line of a spool file."""
        return dumps(self)

    @classmethod
    def from_line(cls, line: str) -> "Entry":
        """Raises ValueError for a line that was cut off."""
        try:
            id, call_id, at_ms, kind, data = json.loads(line)
        except TypeError:
            raise ValueError(f"no entry: {line[:40]!r}") from None
        return cls(id, call_id, at_ms, kind, data)


dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


INSERT_EVENT = "INSERT INTO events (id, call_id, at_ms, kind, data) VALUES (?, ?, ?, ?, ?)"


def event_rows(entries: Iterable[Entry]) -> list[tuple[int, str, int, str, str]]:
    """The parameters of ``INSERT_EVENT`` for each; visitors' have tables of their own instead."""
    return [
        (entry.id, entry.call_id, entry.at_ms, entry.kind, dumps(entry.data))
        for entry in entries
        if not entry.kind.startswith("visitor.")
    ]


def effects(entries: Iterable[Entry]) -> list[tuple[str, list[tuple[Any, ...]]]]:
    """What else these entries change: each statement with all its parameters, for ``executemany``.

    Statements run kind by kind in the order of ``_EFFECTS``, and within a kind in that of the entries.
    That comes to the same as entry by entry: a row is inserted before it is changed, what ends a call
    comes last, and kinds between them set columns of their own.
    """
    by_kind: dict[str, dict[str, list[tuple[Any, ...]]]] = {kind: {} for kind in _EFFECTS}
    for entry in entries:
        if effect := _EFFECTS.get(entry.kind):
            batch = by_kind[entry.kind]
            for sql, parameters in effect(entry):
                batch.setdefault(sql, []).append(parameters)
    return [item for batch in by_kind.values() for item in batch.items()]


def _started(entry: Entry) -> tuple[Statement, ...]:
    data = entry.data
    return (
        (
            "INSERT INTO calls (id, opened_by, direction, from_number, to_number, trunk, sip_call_id, flow,"
            " source, reasons, status, started_ms, medium, campaign, keyword, landing_page, referrer,"
            " visitor, pool, probability, candidates, area)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'ringing', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                entry.call_id,
                entry.id,
                data["direction"],
                data["from"],
                data["to"],
                data["trunk"],
                data["sip_call_id"],
                data["flow"],
                data["source"],
                dumps(data["reasons"]),
                entry.at_ms,
                *(data.get(name, "") for name in ("medium", "campaign", "keyword", "landing_page")),
                *(data.get(name, "") for name in ("referrer", "visitor", "pool")),
                data.get("probability", 1.0),
                dumps(data.get("candidates", ())),
                area_of(data["from"]),
            ),
        ),
    )


def _answered(entry: Entry) -> tuple[Statement, ...]:
    return (
        (
            "UPDATE calls SET status = 'in_progress', answered_ms = COALESCE(answered_ms, ?)"
            " WHERE id = ? AND status = 'ringing'",
            (entry.at_ms, entry.call_id),
        ),
    )


def _step_entered(entry: Entry) -> tuple[Statement, ...]:
    step = entry.data["step"]
    # A step of another flow than the call's first names its flow already.
    return (
        (
            "UPDATE calls SET path = CASE path WHEN '' THEN ? ELSE path || ? END,"
            " left_at = CASE ? WHEN 'own' THEN flow || '/' || ? ELSE ? END WHERE id = ?",
            (step, "\n" + step, "other" if "/" in step else "own", step, step, entry.call_id),
        ),
    )


def _leg_started(entry: Entry) -> tuple[Statement, ...]:
    data = entry.data
    return (
        (
            "INSERT INTO legs (call_id, id, role, target, agent, sip_call_id, started_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                entry.call_id,
                data["leg_id"],
                data["role"],
                data["target"],
                data["agent"],
                data["sip_call_id"],
                entry.at_ms,
            ),
        ),
    )


def _leg_answered(entry: Entry) -> tuple[Statement, ...]:
    return (
        (
            "UPDATE legs SET answered_ms = ? WHERE call_id = ? AND id = ?",
            (entry.at_ms, entry.call_id, entry.data["leg_id"]),
        ),
    )


def _leg_ended(entry: Entry) -> tuple[Statement, ...]:
    data = entry.data
    return (
        (
            "UPDATE legs SET ended_ms = ?, cause = ?, sip_status = ?, stats = ? WHERE call_id = ? AND id = ?",
            (
                entry.at_ms,
                data["cause"],
                data["sip_status"],
                dumps(data["stats"]),
                entry.call_id,
                data["leg_id"],
            ),
        ),
    )


def _connected(entry: Entry) -> tuple[Statement, ...]:
    data = entry.data
    call = (
        "UPDATE calls SET agent = ?, connected_ms = COALESCE(connected_ms, ?) WHERE id = ?",
        (data["agent"], entry.at_ms, entry.call_id),
    )
    beside = bool(data.get("beside"))
    leg = (
        "UPDATE legs SET agent = ?, connected_ms = COALESCE(connected_ms, ?), beside = ?"
        " WHERE call_id = ? AND id = ?",
        (data["agent"], entry.at_ms, beside, entry.call_id, data["leg_id"]),
    )
    return (leg,) if beside else (call, leg)


def _disconnected(entry: Entry) -> tuple[Statement, ...]:
    data = entry.data
    talk_ms = round(data["talk_s"] * 1000)
    call = ("UPDATE calls SET talk_ms = talk_ms + ? WHERE id = ?", (talk_ms, entry.call_id))
    leg = (
        "UPDATE legs SET talk_ms = talk_ms + ? WHERE call_id = ? AND id = ?",
        (talk_ms, entry.call_id, data["leg_id"]),
    )
    return (leg,) if data.get("beside") else (call, leg)


def _queue_joined(entry: Entry) -> tuple[Statement, ...]:
    data = entry.data
    return (
        (
            "UPDATE calls SET queue = ?, queue_end = '', queue_wait_ms = NULL WHERE id = ?",
            (data["queue"], entry.call_id),
        ),
        (
            "INSERT INTO queue_visits (call_id, visit, queue, position, joined_ms) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT DO NOTHING",
            (entry.call_id, data.get("visit", 0), data["queue"], data["position"], entry.at_ms),
        ),
    )


def _queue_left(entry: Entry) -> tuple[Statement, ...]:
    data = entry.data
    visit = data.get("visit", 0)
    waited_ms = round(data["waited_s"] * 1000)
    return (
        (
            "UPDATE queue_visits SET left_ms = ?, waited_ms = ?, ended_by = ?, agent = ?"
            " WHERE call_id = ? AND visit = ?",
            (
                entry.at_ms,
                waited_ms,
                data.get("end", ""),
                data.get("agent", ""),
                entry.call_id,
                visit,
            ),
        ),
        (  # of the call's last stay
            "UPDATE calls SET queue_end = ?, queue_wait_ms = ? WHERE id = ? AND NOT EXISTS"
            " (SELECT 1 FROM queue_visits WHERE call_id = ? AND visit > ?)",
            (data.get("end", ""), waited_ms, entry.call_id, entry.call_id, visit),
        ),
    )


def _recording_started(entry: Entry) -> tuple[Statement, ...]:
    return (
        (
            "UPDATE calls SET recording = ?, transcript_state = 'pending' WHERE id = ?",
            (entry.data["path"], entry.call_id),
        ),
    )


def _recording_ended(entry: Entry) -> tuple[Statement, ...]:
    data = entry.data
    return (
        (
            "UPDATE calls SET recording_ms = ?, recording_problem = ? WHERE id = ?",
            (round(data["duration_s"] * 1000), data["problem"], entry.call_id),
        ),
    )


def _recording_converted(entry: Entry) -> tuple[Statement, ...]:
    return (("UPDATE calls SET recording = ? WHERE id = ?", (entry.data["path"], entry.call_id)),)


def _voicemail_left(entry: Entry) -> tuple[Statement, ...]:
    return (
        (
            "UPDATE calls SET voicemail_ms = ? WHERE id = ?",
            (round(entry.data["duration_s"] * 1000), entry.call_id),
        ),
    )


def _tagged(entry: Entry) -> tuple[Statement, ...]:
    return (
        (
            "INSERT INTO tags (call_id, tag, because) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (entry.call_id, entry.data["tag"], entry.data["because"]),
        ),
    )


def _scored(entry: Entry) -> tuple[Statement, ...]:
    return (("UPDATE calls SET score = ? WHERE id = ?", (entry.data["score"], entry.call_id)),)


def _transcript_changed(entry: Entry) -> tuple[Statement, ...]:
    return (("UPDATE calls SET transcript_state = ? WHERE id = ?", (entry.data["state"], entry.call_id)),)


def _callback_promised(entry: Entry) -> tuple[Statement, ...]:
    data = entry.data
    return (
        (
            "INSERT INTO callbacks (call_id, queue, number, trunk, priority, source, promised_ms, tries,"
            " state) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 'waiting') ON CONFLICT DO NOTHING",
            (
                entry.call_id,
                data["queue"],
                data["number"],
                data["trunk"],
                data["priority"],
                data["source"],
                entry.at_ms,
            ),
        ),
    )


def _callback_tried(entry: Entry) -> tuple[Statement, ...]:
    data = entry.data
    if data["how"] == "no_agent":  # that cost the customer nothing
        return ()
    return (
        (
            "UPDATE callbacks SET tries = tries + 1, by_call = ? WHERE call_id = ?",
            (data["by_call"], entry.call_id),
        ),
    )


def _callback_ended(entry: Entry) -> tuple[Statement, ...]:
    return (
        (
            "UPDATE callbacks SET state = ?, ended_ms = ? WHERE call_id = ?",
            (entry.data["end"], entry.at_ms, entry.call_id),
        ),
    )


def _agent_presence(entry: Entry) -> tuple[Statement, ...]:
    data = entry.data
    return (
        (
            "INSERT INTO agent_states (id, agent, at_ms, state, reachable, paused, reason, logged_out,"
            " decided_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                entry.id,
                data["agent"],
                entry.at_ms,
                "offline" if not data["reachable"] else "paused" if data["paused"] else "available",
                data["reachable"],
                data["paused"],
                data["reason"],
                "\n".join(data["logged_out"]),
                data["by"],
            ),
        ),
    )


def _ended(entry: Entry) -> tuple[Statement, ...]:
    data = entry.data
    return (
        (
            "UPDATE calls SET status = ?, cause = ?, reason = ?, ended_ms = ? WHERE id = ?",
            (data["status"], data["cause"], data["reason"], entry.at_ms, entry.call_id),
        ),
    )


_EFFECTS: dict[str, Callable[[Entry], tuple[Statement, ...]]] = {
    "call.started": _started,
    "call.answered": _answered,
    "step.entered": _step_entered,
    "call.ringing": _leg_started,
    "leg.answered": _leg_answered,
    "leg.ended": _leg_ended,
    "call.connected": _connected,
    "call.disconnected": _disconnected,
    "queue.joined": _queue_joined,
    "queue.left": _queue_left,
    "recording.started": _recording_started,
    "recording.ended": _recording_ended,
    "recording.converted": _recording_converted,
    "voicemail.left": _voicemail_left,
    "call.tagged": _tagged,
    "call.scored": _scored,
    "transcript.state": _transcript_changed,
    "call.ended": _ended,
    "visitor.page": lambda entry: page_viewed(entry.id, entry.at_ms, entry.data),
    "visitor.lease": lambda entry: lease_seen(entry.data),
    "visitor.habits": lambda entry: habits_learned(entry.at_ms, entry.data),
    "visitor.ids": lambda entry: ids_seen(entry.at_ms, entry.data),
    "visitor.contact": lambda entry: contact_made(entry.id, entry.at_ms, entry.data),
    "agent.presence": _agent_presence,
    "callback.promised": _callback_promised,
    "callback.tried": _callback_tried,
    "callback.ended": _callback_ended,
}
