"""A call's attribution as the API tells it: the verdict, everybody who may have called, and the way there."""

import json
from typing import Any

from pbx.attribution.journey import MODELS, Journey, Touch
from pbx.attribution.story import credited, told
from pbx.attribution.visitors import SURE
from pbx.config.models import Config
from pbx.store.encoding import iso
from pbx.store.tables import CallRow

Json = dict[str, Any]


def attribution(row: CallRow) -> Json:
    return {
        "source": row.source,
        "reasons": json.loads(row.reasons or "[]"),
        "medium": row.medium,
        "campaign": row.campaign,
        "keyword": row.keyword,
        "landing_page": row.landing_page,
        "referrer": row.referrer,
        "pool": row.pool or None,
        "visitor": row.visitor or None,
        "probability": row.probability if row.visitor else None,
        "ambiguous": bool(row.visitor) and row.probability < SURE,
        "candidates": [
            {
                "visitor": each["visitor"],
                "probability": each["probability"],
                "source": each["source"],
                "shown_at": _iso(each["shown_ms"]),
                "seen_at": _iso(each["seen_ms"]),
                "by_number": each["by_number"],
            }
            for each in json.loads(row.candidates or "[]")
        ],
    }


def journey(row: CallRow, way: Journey | None, config: Config) -> Json | None:
    if way is None or way.first is None or way.last is None:
        return None
    return {
        "touches": [touch(each) for each in way.touches],
        "first": touch(way.first),
        "last": touch(way.last),
        "lead": touch(way.lead) if way.lead else None,
        "lead_at": iso(way.lead_ms),
        "pages": way.pages,
        "visits": way.visits,
        "calls_before": way.calls_before,
        "milestones": [
            {
                "name": each.name,
                "at": iso(each.at_ms),
                "ref": each.ref,
                "touch": touch(each.touch) if each.touch else None,
            }
            for each in way.milestones
        ],
        "credit": credited(way, MODELS),
        "story": story(row, way, config),
    }


def story(row: CallRow, way: Journey, config: Config) -> list[str]:
    def name(source: str) -> str:
        known = config.sources.get(source)
        return known.name if known else source

    return told(way, row.visitor, config.server.zone, name)


def touch(each: Touch) -> Json:
    return {
        "at": iso(each.at_ms),
        "source": each.source,
        "medium": each.medium,
        "campaign": each.campaign,
        "keyword": each.keyword,
        "content": each.content,
        "click_id": each.click_id,
        "landing_page": each.landing_page,
        "referrer": each.referrer,
    }


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)
