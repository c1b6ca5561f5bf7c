"""What visitors' events write: see :mod:`pbx.store.entries`. Each statement may run twice without harm."""

import json
from typing import Any

from pbx.store.encoding import Record

Statement = tuple[str, tuple[Any, ...]]


def page_viewed(id: int, at_ms: int, data: Record) -> tuple[Statement, ...]:
    arrival = data["arrival"] or {}
    touch = (
        "INSERT INTO touches (id, visitor_id, at_ms, session_ms, arrival, source, medium, campaign, keyword,"
        " content, click_id, page, referrer, params, pool, shown)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            id,
            data["visitor"],
            at_ms,
            data["session_ms"],
            1 if arrival else 0,
            *(arrival.get(name, "") for name in ("source", "medium", "campaign", "keyword", "content")),
            arrival.get("click_id", ""),
            data["page"],
            data["referrer"],
            json.dumps(data["params"], ensure_ascii=False),
            data["pool"],
            data["shown"],
        ),
    )
    visitor = (
        "INSERT INTO visitors (id, first_ms, last_ms, device) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (id) DO UPDATE SET last_ms = excluded.last_ms, device = excluded.device",
        (data["visitor"], at_ms, at_ms, data["device"]),
    )
    return touch, visitor


def lease_seen(data: Record) -> tuple[Statement, ...]:
    return (
        (
            "INSERT INTO leases (number, started_ms, visitor_id, pool, seen_ms, until_ms, arrival)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (number, started_ms) DO UPDATE"
            " SET seen_ms = excluded.seen_ms, until_ms = excluded.until_ms, arrival = excluded.arrival",
            (
                data["number"],
                data["started_ms"],
                data["visitor"],
                data["pool"],
                data["seen_ms"],
                data["until_ms"],
                json.dumps(data["arrival"], ensure_ascii=False),
            ),
        ),
    )


def contact_made(id: int, at_ms: int, data: Record) -> tuple[Statement, ...]:
    return (
        (
            "INSERT INTO contacts (id, visitor_id, at_ms, channel, ref, phone, probability)"
            " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (id, data["visitor"], at_ms, data["channel"], data["ref"], data["phone"], data["probability"]),
        ),
    )


def ids_seen(at_ms: int, data: Record) -> tuple[Statement, ...]:
    visitor, ids = data["visitor"], data["ids"]
    kept = tuple(
        (
            "INSERT INTO visitor_ids (visitor_id, name, value, at_ms) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (visitor_id, name) DO UPDATE SET value = excluded.value, at_ms = excluded.at_ms",
            (visitor, name, value, at_ms),
        )
        for name, value in ids.items()
    )
    if ids.get("consent") == "refused":
        return (("DELETE FROM visitor_ids WHERE visitor_id = ?", (visitor,)), *kept)
    return kept


def habits_learned(at_ms: int, data: Record) -> tuple[Statement, ...]:
    learned = {name: data[name] for name in ("calls", "spent_s", "stray_calls", "stray_s")}
    return (
        (
            "INSERT INTO visitor_habits (id, at_ms, data) VALUES (1, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET at_ms = excluded.at_ms, data = excluded.data",
            (at_ms, json.dumps(learned)),
        ),
    )
