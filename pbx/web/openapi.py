"""The API as one table: the routes that are served, and the document that describes them.

``OPERATIONS`` is the only list of API routes. The application mounts it and ``/openapi.json``
(OpenAPI 3.1) is made from it and from :mod:`pbx.web.shapes`, so neither can know more than the other.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pbx.events import CallStatus
from pbx.store.calls import LONGEST_PAGE
from pbx.store.figures import MEASURES
from pbx.store.messages import Channel
from pbx.store.reports import NAMES
from pbx.web import (
    agents,
    bans,
    calls,
    click,
    dni,
    exports,
    floor_shapes,
    flow_shapes,
    flows,
    health,
    inbound,
    live,
    live_control,
    message_shapes,
    messages,
    queues,
    recording,
    report_shapes,
    reports,
    script,
    shapes,
    strangers,
    trace,
    transcript,
    trunks,
    visitors,
)
from pbx.web.origins import preflight
from pbx.web.query import GROUPS, USUAL_PAGE

Handler = Callable[[Request], Awaitable[Response] | Response]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method on one path."""

    path: str
    handler: Handler
    summary: str
    answers: type[BaseModel] | str  # a shape, or a media type
    method: str = "GET"
    also: tuple[str, ...] = ()  # further media types of a success
    parameters: tuple[dict[str, Any], ...] = ()
    body: type[BaseModel] | None = None
    problems: tuple[int, ...] = ()  # besides 401
    success: tuple[int, ...] = (200,)
    public: bool = False

    @property
    def routes(self) -> list[Route]:
        """The operation's own, and what browsers ask before they call it from another site."""
        own = Route(self.path, self.handler, methods=[self.method])
        if self.public and self.method != "GET":
            return [own, Route(self.path, preflight, methods=["OPTIONS"])]
        return [own]


def _query(name: str, description: str, *, several: bool = False, **schema: Any) -> dict[str, Any]:
    item = {"type": "string", **schema}
    parameter: dict[str, Any] = {"name": name, "in": "query", "description": description}
    if several:
        item = {"type": "array", "items": item}
        parameter |= {"style": "form", "explode": True}
    return parameter | {"schema": item}


def _path(name: str, description: str, **schema: Any) -> dict[str, Any]:
    schema = {"type": "string", **schema}
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


_ID = _path("id", "The call's id.")
_AGENT = _path("id", "The agent's id.")
_MOMENT = "a date, a time (in the server's zone unless it names one), or 7d for seven days ago"
_FILTERS = (
    _query("since", f"Started then or later: {_MOMENT}."),
    _query("until", f"Started before: {_MOMENT}."),
    _query("source", "Attributed to this source, or any of these.", several=True),
    _query("number", "The tracking number called.", several=True),
    _query("agent", "Somebody who talked: an agent's id, or the number dialled.", several=True),
    _query("status", "The call's status.", several=True, enum=[status.value for status in CallStatus]),
    _query("tag", "Bears this tag.", several=True),
    _query("q", "Appears in a number, the note, a tag or the transcript.", maxLength=1000),
    *(_query(name, f"In one of these groups of the report by {name}.", several=True) for name in GROUPS),
)
_OF_FIGURE = (
    _query("by", "One group of a report: the report's name.", enum=list(NAMES)),
    _query("key", 'The group\'s key; "" for the calls that have none.'),
    _query("figure", "The calls that this figure of reports counts or adds up.", enum=list(MEASURES)),
)
_COMPARE = _query("compare", "The other time: previous, or FROM..TO.")
_PAGING = (
    {
        "name": "limit",
        "in": "query",
        "description": "How many calls at most.",
        "schema": {"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE, "default": USUAL_PAGE},
    },
    _query("cursor", "`next` of the page before."),
)
_FLOW = _path("id", "The flow: its file's name without .yaml.")
_FLOW_PERIOD = (
    _query("since", "Calls since then: `7d` ago, a date, a time; yesterday if neither is given."),
    _query("until", "Calls that began before then."),
)
_FORMAT = _query("format", "CSV, or one JSON object a line.", enum=list(exports.FORMATS), default="csv")
_RANGE = {"name": "Range", "in": "header", "description": "Bytes wanted.", "schema": {"type": "string"}}
_LAST_EVENT = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "Go on after this event, if it is remembered.",
    "schema": {"type": "string"},
}


async def get_openapi(_request: Request) -> Response:
    return JSONResponse(document())


OPERATIONS = (
    Operation(
        path="/api/calls",
        handler=calls.list_calls,
        summary="Calls, newest first",
        answers=shapes.CallPage,
        parameters=(*_FILTERS, *_OF_FIGURE, *_PAGING),
        problems=(400, 503),
    ),
    Operation(
        path="/api/calls",
        method="POST",
        handler=click.make_call,
        summary="Click to call: ring an agent, then whom they want (admins, and the agent)",
        answers=shapes.CallMade,
        body=shapes.CallWanted,
        success=(202,),
        problems=(400, 403, 413, 415, 422, 503),
    ),
    Operation(
        path="/api/calls/{id}/recording",
        method="POST",
        handler=live_control.control_recording,
        summary="Pause or resume the recording of a call in progress (admins, managers, the agent who talks)",
        answers=shapes.RecordingState,
        parameters=(_ID,),
        body=shapes.RecordingWish,
        problems=(400, 403, 404, 409, 413, 415, 422, 503),
    ),
    Operation(
        path="/api/calls/{id}/supervise",
        method="POST",
        handler=live_control.supervise_call,
        summary="Listen, whisper or barge: ring a supervisor into a call, or change how they hear it",
        answers=shapes.Supervising,
        parameters=(_ID,),
        body=shapes.SupervisionWish,
        success=(200, 202),
        problems=(400, 403, 404, 409, 413, 415, 422, 503),
    ),
    Operation(
        path="/api/calls/{id}",
        handler=calls.get_call,
        summary="One call with its legs and history",
        answers=shapes.CallDetail,
        parameters=(_ID,),
        problems=(404, 503),
    ),
    Operation(
        path="/api/calls/{id}",
        method="PATCH",
        handler=calls.change_call,
        summary="Set score, outcome, tags or note (admins, managers, and the agent who talked)",
        answers=shapes.CallDetail,
        parameters=(_ID,),
        body=shapes.CallChanges,
        problems=(400, 403, 404, 413, 415, 422, 503),
    ),
    Operation(
        path="/api/calls/{id}/recording",
        handler=recording.get_recording,
        summary="The recording: caller left, agent right",
        answers="audio/wav",
        parameters=(_ID, _RANGE),
        success=(200, 206),
        problems=(404, 416, 503),
    ),
    Operation(
        path="/api/calls/{id}/transcript",
        handler=transcript.get_transcript,
        summary="The transcript, or how far it is",
        answers=shapes.Transcript,
        parameters=(_ID,),
        problems=(404, 503),
    ),
    Operation(
        path="/api/reports/{name}",
        handler=reports.get_report,
        summary="What the calls add up to; CSV with Accept: text/csv",
        answers=report_shapes.Report,
        also=("text/csv",),
        parameters=(_path("name", "By what.", enum=list(NAMES)), *_FILTERS, _COMPARE),
        problems=(400, 404, 503),
    ),
    Operation(
        path="/api/export/calls",
        handler=exports.export_calls,
        summary="Every call that the filters let through, newest first (admins and managers)",
        answers="text/csv",
        also=(exports.JSON_LINES,),
        parameters=(*_FILTERS, *_OF_FIGURE, _FORMAT),
        problems=(400, 403, 503),
    ),
    Operation(
        path="/api/export/messages",
        handler=exports.export_messages,
        summary="Every text, chat, form, social message and lead, newest first (admins and managers)",
        answers="text/csv",
        also=(exports.JSON_LINES,),
        parameters=(
            *_FILTERS[:3],
            _query("channel", "Only of these channels.", several=True, enum=[each.value for each in Channel]),
            _FORMAT,
        ),
        problems=(400, 403, 503),
    ),
    Operation(
        path="/api/calls/{id}/trace",
        handler=trace.get_trace,
        summary="The call's SIP messages (admins and managers)",
        answers=trace.SipTrace,
        parameters=(_ID,),
        problems=(403, 404, 503),
    ),
    Operation(
        path="/api/calls/{id}/trace.svg",
        handler=trace.get_ladder,
        summary="The call's SIP messages as a drawn ladder",
        answers="image/svg+xml",
        parameters=(_ID,),
        problems=(403, 404, 503),
    ),
    Operation(
        path="/api/calls/{id}/trace.pcap",
        handler=trace.get_pcap,
        summary="The call's SIP messages for Wireshark",
        answers=trace.PCAP,
        parameters=(_ID,),
        problems=(403, 404, 503),
    ),
    Operation(
        path="/api/trunks",
        handler=trunks.list_trunks,
        summary="How each carrier stands just now",
        answers=trunks.Trunks,
    ),
    Operation(
        path="/api/bans",
        handler=bans.list_bans,
        summary="Addresses that are not heard just now",
        answers=bans.Bans,
    ),
    Operation(
        path="/api/bans/{address}",
        method="DELETE",
        handler=bans.lift_ban,
        summary="Hear the address again (admins)",
        answers=bans.Lifted,
        parameters=(_path("address", "The address, as the list shows it."),),
        problems=(403, 404),
    ),
    Operation(
        path="/api/agents",
        handler=agents.list_agents,
        summary="Every agent with their state",
        answers=floor_shapes.AgentList,
        problems=(400,),
    ),
    Operation(
        path="/api/agents/{id}",
        handler=agents.get_agent,
        summary="One agent",
        answers=floor_shapes.Agent,
        parameters=(_AGENT,),
        problems=(404,),
    ),
    Operation(
        path="/api/agents/{id}",
        method="PATCH",
        handler=agents.change_agent,
        summary="Pause or resume, log in to queues and out of them (admins, managers, and the agent)",
        answers=floor_shapes.Agent,
        parameters=(_AGENT,),
        body=floor_shapes.AgentChanges,
        problems=(400, 403, 404, 413, 415, 422),
    ),
    Operation(
        path="/api/queues",
        handler=queues.list_queues,
        summary="Every queue with who waits, who is there, and the figures of the day and of any period",
        answers=floor_shapes.QueueList,
        parameters=_FILTERS[:2],
        problems=(400,),
    ),
    Operation(
        path="/api/flows",
        handler=flows.list_flows,
        summary="Every call flow with its steps, its numbers, and yesterday's calls",
        answers=flow_shapes.FlowList,
        problems=(400, 503),
    ),
    Operation(
        path="/api/flows/{id}/traffic",
        handler=flows.get_traffic,
        summary="What went through a flow: calls by step and way, and where callers hung up",
        answers=flow_shapes.FlowTraffic,
        parameters=(_FLOW, *_FLOW_PERIOD),
        problems=(400, 404, 503),
    ),
    Operation(
        path="/api/flows/{id}/picture",
        handler=flows.get_picture,
        summary="A flow as SVG, each way as wide as its share of the calls",
        answers="image/svg+xml",
        parameters=(_FLOW, *_FLOW_PERIOD),
        problems=(400, 404, 503),
    ),
    Operation(
        path="/api/live",
        handler=live.get_live,
        summary="Events as they happen, as server-sent events",
        answers="text/event-stream",
        parameters=(_LAST_EVENT,),
    ),
    Operation(
        path="/api/visitors/{id}",
        handler=visitors.get_visitor,
        summary="A website's visitor with every touch and contact",
        answers=visitors.VisitorShape,
        parameters=(_path("id", "The visitor's id."),),
        problems=(404, 503),
    ),
    Operation(
        path="/t.js",
        handler=script.get_script,
        summary="The tracking code for the website's pages",
        answers="text/javascript",
        public=True,
    ),
    Operation(
        path="/api/dni",
        method="POST",
        handler=dni.post_dni,
        summary="A visitor's page view in, the numbers to swap out",
        answers=dni.Swaps,
        body=dni.PageReport,
        problems=(400, 403, 413, 422),
        public=True,
    ),
    Operation(
        path="/api/messages",
        handler=messages.list_threads,
        summary="The inbox: conversations of all channels, the newest first",
        answers=message_shapes.ThreadList,
        parameters=(
            _query("channel", "Only this one.", enum=["text", "chat", "form", "social", "lead"]),
            _query("open", "true: only those that nobody has seen to.", enum=["true", "false"]),
            _query("before", f"Whose newest message is older: {_MOMENT}."),
            _query("limit", "How many at most.", pattern="^[0-9]+$"),
        ),
        problems=(400, 503),
    ),
    Operation(
        path="/api/messages",
        method="POST",
        handler=messages.send_message,
        summary="Send a text, or answer a text or a chat",
        answers=message_shapes.Message,
        body=message_shapes.MessageWanted,
        success=(202,),
        problems=(400, 413, 415, 422, 503),
    ),
    Operation(
        path="/api/messages/thread",
        handler=messages.list_messages,
        summary="One conversation, or all of a website visitor's, oldest first",
        answers=message_shapes.MessageList,
        parameters=(
            _query("thread", "The conversation."),
            _query("visitor", "The visitor's id."),
            _query("limit", "How many at most.", pattern="^[0-9]+$"),
        ),
        problems=(400, 503),
    ),
    Operation(
        path="/api/messages/thread",
        method="PATCH",
        handler=messages.change_thread,
        summary="Somebody has seen to all that came in on a thread",
        answers=message_shapes.MessageList,
        body=message_shapes.ThreadChange,
        problems=(400, 413, 415, 422, 503),
    ),
    Operation(
        path="/api/forms",
        method="POST",
        handler=strangers.post_form,
        summary="A form of the website",
        answers=message_shapes.FormTaken,
        body=message_shapes.FormReport,
        success=(202,),
        problems=(400, 403, 404, 413, 422, 429, 503),
        public=True,
    ),
    Operation(
        path="/api/chats",
        method="POST",
        handler=strangers.post_chat,
        summary="A line of a chat on the website, and what is new in it",
        answers=message_shapes.ChatAnswer,
        body=message_shapes.ChatReport,
        problems=(400, 403, 404, 413, 422, 429, 503),
        public=True,
    ),
    Operation(
        path="/chat.js",
        handler=script.get_chat_script,
        summary="The chat's part of the tracking code",
        answers="text/javascript",
        public=True,
    ),
    Operation(
        path="/api/inbound/{name}",
        method="POST",
        handler=inbound.post_inbound,
        summary="Messages from a text provider, a social network or a lead form, signed as the config says",
        answers=message_shapes.Taken,
        parameters=(_path("name", "Of texts or channels.services."),),
        problems=(400, 401, 404, 413, 503),
        public=True,
    ),
    Operation(
        path="/api/inbound/{name}",
        handler=inbound.verify_inbound,
        summary="The service asks whether this is the right place",
        answers="text/plain",
        parameters=(_path("name", "Of texts or channels.services."),),
        problems=(403, 404),
        public=True,
    ),
    Operation(
        path="/healthz",
        handler=health.get_health,
        summary="Whether the process lives",
        answers=shapes.Health,
        public=True,
    ),
    Operation(
        path="/readyz",
        handler=health.get_readiness,
        summary="Whether each part works; 503 if one does not",
        answers=shapes.Parts,
        success=(200, 503),
    ),
    Operation(
        path="/metrics",
        handler=health.get_metrics,
        summary="Prometheus text",
        answers="text/plain",
    ),
    Operation(
        path="/openapi.json",
        handler=get_openapi,
        summary="This document",
        answers="application/json",
    ),
)


@cache
def document() -> dict[str, Any]:
    """OpenAPI 3.1."""
    models: set[type[BaseModel]] = {shapes.ProblemDocument}
    for operation in OPERATIONS:
        models |= {shape for shape in (operation.answers, operation.body) if isinstance(shape, type)}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, definitions = models_json_schema(
        [(model, "validation") for model in ordered], ref_template="#/components/schemas/{model}"
    )
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Dialtrace",
            "version": version("dialtrace"),
            "description": "Calls, their recordings and transcripts, and what they add up to.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "From `pbx token create`."},
                "session": {"type": "apiKey", "in": "cookie", "name": "pbx_session"},
            },
        },
    }


def _describe(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": operation.handler.__name__,
        "responses": {
            **{str(status): _success(operation) for status in operation.success},
            **{str(status): _problem(status) for status in _problems(operation)},
        },
    }
    if operation.parameters:
        described["parameters"] = list(operation.parameters)
    if operation.body is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _reference(operation.body)}},
        }
    if operation.public:
        described["security"] = []
    return described


def _problems(operation: Operation) -> tuple[int, ...]:
    return operation.problems if operation.public else (401, *operation.problems)


def _success(operation: Operation) -> dict[str, Any]:
    answers = operation.answers
    if isinstance(answers, str):
        content: dict[str, Any] = {answers: {}}
    else:
        content = {"application/json": {"schema": _reference(answers)}}
    return {"description": operation.summary, "content": content | {also: {} for also in operation.also}}


_MEANINGS = {
    400: "The request is wrong; `field` names what.",
    401: "No valid token or login.",
    403: "Not for this role.",
    404: "There is no such thing.",
    409: "The call is over, or not in a state for this.",
    413: "The body is too long.",
    415: "The body is not JSON.",
    416: "The range lies outside the recording.",
    422: "A value is wrong; `field` names it.",
    429: "Too many from one address; try again later.",
    503: "The database does not answer.",
}


def _problem(status: int) -> dict[str, Any]:
    return {
        "description": _MEANINGS[status],
        "content": {"application/problem+json": {"schema": _reference(shapes.ProblemDocument)}},
    }


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}
