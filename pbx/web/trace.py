"""``/api/calls/{id}/trace``: a call's SIP messages, as JSON, as a drawn ladder, as a pcap."""

from http import HTTPStatus

from pydantic import Field
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pbx.siptrace.archive import read
from pbx.siptrace.ladder import as_svg, label
from pbx.siptrace.message import Traced
from pbx.siptrace.pcap import as_pcap
from pbx.store.encoding import from_ms, iso
from pbx.store.people import Role
from pbx.web.calls import find
from pbx.web.problem import Problem
from pbx.web.shapes import Shape, Time
from pbx.web.state import principal_of, state_of

PCAP = "application/vnd.tcpdump.pcap"


class TracedMessage(Shape):
    at: Time
    transport: str
    source: str
    target: str
    label: str = Field(description="The method, or the status; with (SDP) if it carries a description.")
    text: str = Field(description="The message, without credentials, keys and keys pressed.")


class SipTrace(Shape):
    messages: list[TracedMessage] = Field(description="In their order; none when they are no longer kept.")


async def get_trace(request: Request) -> Response:
    messages = await _messages(request)
    shown = [
        TracedMessage(
            at=iso(round(each.at * 1000)),
            transport=each.transport,
            source=each.source,
            target=each.target,
            label=label(each),
            text=each.data.decode("utf-8", "replace"),
        )
        for each in messages
    ]
    return JSONResponse(SipTrace(messages=shown).model_dump())


async def get_ladder(request: Request) -> Response:
    return Response(as_svg(await _messages(request)), media_type="image/svg+xml")


async def get_pcap(request: Request) -> Response:
    name = f'attachment; filename="{request.path_params["id"]}.pcap"'
    return Response(as_pcap(await _messages(request)), media_type=PCAP, headers={"Content-Disposition": name})


async def _messages(request: Request) -> list[Traced]:
    if principal_of(request).role is Role.AGENT:
        raise Problem(HTTPStatus.FORBIDDEN, "the signalling is for admins and managers")
    history = await run_in_threadpool(find, request)
    row, state = history.call.row, state_of(request)
    live = state.trace.of_call(row.id) if state.trace is not None else []
    return live or await run_in_threadpool(read, state.data_dir, row.id, from_ms(row.started_ms).date())
