"""``/api/calls``: the list, one call, and what people may change about it.

Every role reads calls. Admins and managers change any; an agent those on which the agent talked.
Handlers that only read are plain functions: Starlette runs them on a thread, off the event loop that
serves SIP.
"""

import json
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pbx.events import CallEdited
from pbx.store.calls import BadCursor, History
from pbx.web import present
from pbx.web.problem import Problem
from pbx.web.query import FILTERS, read_filter, read_limit, refuse_unknown
from pbx.web.shapes import CallChanges
from pbx.web.state import principal_of, state_of

LONGEST_BODY = 64 * 1024


def list_calls(request: Request) -> Response:
    refuse_unknown(request, (*FILTERS, "limit", "cursor"))
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
    changes = read_changes(await read_body(request))
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


async def read_body(request: Request) -> bytes:
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body is application/json, not {media_type or 'untyped'}"
        )
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_BODY:
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is at most {LONGEST_BODY} bytes")
    return body


def read_changes(body: bytes, shape: type[BaseModel] = CallChanges) -> dict[str, Any]:
    """What to set. Raises 400 for what is no JSON object, 422 for a wrong field."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise Problem(HTTPStatus.BAD_REQUEST, "the body is not JSON") from None
    if not isinstance(given, dict):
        raise Problem(HTTPStatus.BAD_REQUEST, 'the body is to be an object, such as {"score": 5}')
    try:
        changes = shape.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            detail = f"{field!r} cannot be changed; what can: {', '.join(shape.model_fields)}"
        else:
            detail = f"{field}: {first['msg']}"
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field=field) from None
    return changes.model_dump(exclude_unset=True)
