"""``/api/calls``: the list, one call, and what people may change about it.

Every role reads calls. Admins and managers change any; an agent those on which the agent talked.
Handlers that only read are plain functions: Starlette runs them on a thread, off the event loop that
serves SIP.
"""

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pbx.events import CallEdited
from pbx.store.calls import BadCursor, History
from pbx.web import present
from pbx.web.body import in_words, parsed, read_json
from pbx.web.problem import Problem
from pbx.web.query import FILTERS, OF_FIGURE, read_filter, read_limit, refuse_unknown
from pbx.web.shapes import CallChanges
from pbx.web.state import principal_of, state_of


def list_calls(request: Request) -> Response:
    refuse_unknown(request, (*FILTERS, *OF_FIGURE, "limit", "cursor"))
    limit = read_limit(request)
    cursor = request.query_params.get("cursor") or None
    try:
        page = state_of(request).calls.page(read_filter(request), limit=limit, cursor=cursor)
    except BadCursor as error:
        raise Problem(HTTPStatus.BAD_REQUEST, str(error), field="cursor") from None
    return JSONResponse({"calls": [present.call(call) for call in page.calls], "next": page.next})


def get_call(request: Request) -> Response:
    return JSONResponse(present.detail(find(request), state_of(request).config))


async def change_call(request: Request) -> Response:
    history = await run_in_threadpool(find, request)
    principal = principal_of(request)
    if not principal.may_edit(history.agents):
        raise Problem(
            HTTPStatus.FORBIDDEN, f"agents change only calls they talked on, and {principal.name} did not"
        )
    changes = read_changes(await read_json(request))
    if changes:
        state = state_of(request)
        call_id = history.call.row.id
        await run_in_threadpool(state.calls.edit, call_id, changes)
        state.bus.publish(
            CallEdited(call_id=call_id, at=state.clock.now(), by=principal.name, changes=changes)
        )
    return JSONResponse(present.detail(await run_in_threadpool(find, request), state_of(request).config))


def find(request: Request) -> History:
    """The call of the path. Raises 404."""
    call_id = request.path_params["id"]
    history = state_of(request).calls.history(call_id) if "\0" not in call_id else None
    if history is None:
        raise no_such_call(call_id)
    return history


def no_such_call(call_id: str) -> Problem:
    return Problem(HTTPStatus.NOT_FOUND, f"there is no call {call_id[:80]!r}", field="id")


def read_changes(body: bytes, shape: type[BaseModel] = CallChanges) -> dict[str, Any]:
    """What to set. Raises 400 for what is no JSON object, 422 for a wrong field."""

    def told(field: str, error: ErrorDetails) -> str:
        if error["type"] == "extra_forbidden":
            return f"{field!r} cannot be changed; what can: {', '.join(shape.model_fields)}"
        return in_words(field, error)

    return parsed(body, shape, example='{"score": 5}', in_words=told).model_dump(exclude_unset=True)
