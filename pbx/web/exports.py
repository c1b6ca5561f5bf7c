"""``/api/export/{what}``: calls or messages as CSV or JSON Lines, sent as they are read.

Admins and managers only: an export is everything at once. Reading happens on a thread; the answer has no
length in advance, and a client that goes away ends the reading.
"""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from pbx.store import records
from pbx.store.messages import Channel
from pbx.store.people import Role
from pbx.web.problem import Problem
from pbx.web.query import FILTERS, OF_FIGURE, read_filter, refuse_unknown, several
from pbx.web.state import principal_of, state_of

JSON_LINES = "application/x-ndjson"
FORMATS = ("csv", "jsonl")
MESSAGE_FILTERS = ("since", "until", "source", "channel")


def export_calls(request: Request) -> Response:
    format = _admitted(request, (*FILTERS, *OF_FIGURE))
    state = state_of(request)
    found = records.calls(state.calls.engine, read_filter(request), state.config.server.zone)
    return _sent("calls", format, found, records.CALLS)


def export_messages(request: Request) -> Response:
    format = _admitted(request, MESSAGE_FILTERS)
    channels = several(request, "channel")
    for channel in channels:
        if channel not in list(Channel):
            detail = f"there is no channel {channel[:40]!r}; there are {', '.join(Channel)}"
            raise Problem(HTTPStatus.BAD_REQUEST, detail, field="channel")
    state = state_of(request)
    zone = state.config.server.zone
    found = records.messages(state.calls.engine, read_filter(request), zone, channels)
    return _sent("messages", format, found, records.MESSAGES)


def _admitted(request: Request, filters: tuple[str, ...]) -> str:
    """The format asked for."""
    if principal_of(request).role is Role.AGENT:
        raise Problem(HTTPStatus.FORBIDDEN, "agents do not export")
    refuse_unknown(request, (*filters, "format"))
    format = request.query_params.get("format") or "csv"
    if format not in FORMATS:
        detail = f"there is no format {format[:40]!r}; there are {', '.join(FORMATS)}"
        raise Problem(HTTPStatus.BAD_REQUEST, detail, field="format")
    return format


def _sent(name: str, format: str, found: records.Records, columns: records.Columns) -> Response:
    lines = records.csv_lines(found, columns) if format == "csv" else records.json_lines(found)
    return StreamingResponse(
        lines,
        media_type="text/csv" if format == "csv" else JSON_LINES,
        headers={"Content-Disposition": f'attachment; filename="{name}.{format}"'},
    )
