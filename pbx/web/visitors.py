"""``GET /api/visitors/{id}``: all that is kept of one visitor, on every channel, in the order of time."""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pbx.config.models import Config
from pbx.store.encoding import iso
from pbx.store.tables import CallRow, MessageRow
from pbx.store.timeline import contacts_of
from pbx.store.visitor_tables import ContactRow, TouchRow
from pbx.store.visitors import VisitorStore
from pbx.web.problem import Problem
from pbx.web.shapes import Shape, Time
from pbx.web.state import state_of


class TimelineEntry(Shape):
    """A page view, or a contact by some channel: theirs, or ours with them."""

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
    channel: str = Field("", description="call, form, chat, text, social or lead of a contact.")
    ref: str = Field("", description="The id of that call or message.")
    direction: str = Field("", description="in, out; of calls inbound, outbound.")
    status: str = Field("", description="What became of a call or a message.")
    text: str = Field("", description="What was written.")
    thread: str = Field("", description="The conversation that a message belongs to.")
    agent: str = ""
    duration: float | None = Field(None, description="Of a call that is over, in seconds.")
    outcome: str | None = Field(None, description="What somebody said of a call.")
    probability: float | None = Field(None, description="That this visitor made the contact.")


class VisitorShape(Shape):
    id: str
    first_seen: Time
    last_seen: Time
    device: str
    timeline: list[TimelineEntry] = Field(
        description="Oldest first; the last thousand page views, and five hundred calls and messages each."
    )


def get_visitor(request: Request) -> Response:
    visitor = request.path_params["id"]
    state = state_of(request)
    engine, config = state.calls.engine, state.config
    found = VisitorStore(engine).timeline(visitor) if "\0" not in visitor else None
    if found is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no visitor {visitor[:80]!r}", field="id")
    others = contacts_of(engine, visitor, lambda phone: threads_of(phone, config))
    sure = {row.ref: row.probability for row in found.contacts}
    entries = [(row.at_ms, page(row)) for row in found.touches]
    entries += [(row.started_ms, call(row, sure)) for row in others.calls]
    entries += [(row.created_ms, message(row, sure)) for row in others.messages]
    known = {entry["ref"] for _, entry in entries if entry["kind"] == "contact"}
    entries += [(row.at_ms, contact(row)) for row in found.contacts if row.ref not in known]
    return JSONResponse(
        {
            "id": found.visitor.id,
            "first_seen": iso(found.visitor.first_ms),
            "last_seen": iso(found.visitor.last_ms),
            "device": found.visitor.device,
            "timeline": [entry for _, entry in sorted(entries, key=lambda each: each[0])],
        }
    )


def threads_of(phone: str, config: Config) -> Iterator[str]:
    """Every conversation that somebody with this number may have with us."""
    yield f"form/{phone}"
    yield from (f"text/{way}/{phone}" for way in (*config.texts, *config.trunks))
    yield from (f"{each.channel}/{name}/{phone}" for name, each in config.channels.services.items())


def call(row: CallRow, sure: dict[str, float]) -> dict[str, Any]:
    return {
        "kind": "contact",
        "at": iso(row.started_ms),
        "channel": "call",
        "ref": row.id,
        "direction": row.direction,
        "status": row.status,
        "source": row.source,
        "agent": row.agent or "",
        "duration": (row.ended_ms - row.started_ms) / 1000 if row.ended_ms else None,
        "outcome": row.outcome,
        "probability": sure.get(row.id),
    }


def message(row: MessageRow, sure: dict[str, float]) -> dict[str, Any]:
    return {
        "kind": "contact",
        "at": iso(row.created_ms),
        "channel": row.channel,
        "ref": row.id,
        "direction": row.direction,
        "status": "missed" if row.problem and row.direction == "in" else row.state,
        "source": row.source,
        "agent": row.agent,
        "text": row.text,
        "thread": row.thread,
        "probability": sure.get(row.id),
    }


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
    """Of a call or message that is no longer kept."""
    return {
        "kind": "contact",
        "at": iso(row.at_ms),
        "channel": row.channel,
        "ref": row.ref,
        "probability": row.probability,
    }
