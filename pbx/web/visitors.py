"""``GET /api/visitors/{id}``: everything that is kept of one visitor, in the order of time."""

from http import HTTPStatus
from typing import Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pbx.store.encoding import iso
from pbx.store.visitor_tables import ContactRow, TouchRow
from pbx.store.visitors import VisitorStore
from pbx.web.problem import Problem
from pbx.web.shapes import Shape, Time
from pbx.web.state import state_of


class TimelineEntry(Shape):
    """A page view, or a contact by some channel."""

    kind: Literal["page", "contact"]
    at: Time
    arrival: bool = Field(False, description="The visitor came from outside, by the source of this entry.")
    source: str = ""
    medium: str = ""
    campaign: str = ""
    keyword: str = ""
    page: str = ""
    referrer: str = ""
    shown: str = Field("", description="The number shown in the target's place.")
    channel: str = Field("", description="call, form, chat, text, … of a contact.")
    ref: str = Field("", description="The id of that call, form, …")
    probability: float | None = Field(None, description="That this visitor made the contact.")


class VisitorShape(Shape):
    id: str
    first_seen: Time
    last_seen: Time
    device: str
    timeline: list[TimelineEntry] = Field(description="Oldest first; the last thousand of each kind.")


def get_visitor(request: Request) -> Response:
    visitor = request.path_params["id"]
    store = VisitorStore(state_of(request).calls.engine)
    found = store.timeline(visitor) if "\0" not in visitor else None
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no visitor {visitor[:80]!r}", field="id")
    entries = [(row.at_ms, page(row)) for row in found.touches]
    entries += [(row.at_ms, contact(row)) for row in found.contacts]
    return JSONResponse(
        {
            "id": found.visitor.id,
            "first_seen": iso(found.visitor.first_ms),
            "last_seen": iso(found.visitor.last_ms),
            "device": found.visitor.device,
            "timeline": [entry for _, entry in sorted(entries, key=lambda each: each[0])],
        }
    )


def page(row: TouchRow) -> dict[str, Any]:
    return {
        "kind": "page",
        "at": iso(row.at_ms),
        "arrival": bool(row.arrival),
        "source": row.source,
        "medium": row.medium,
        "campaign": row.campaign,
        "keyword": row.keyword,
        "page": row.page,
        "referrer": row.referrer,
        "shown": row.shown,
    }


def contact(row: ContactRow) -> dict[str, Any]:
    return {
        "kind": "contact",
        "at": iso(row.at_ms),
        "channel": row.channel,
        "ref": row.ref,
        "probability": row.probability,
    }
