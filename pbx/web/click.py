"""``POST /api/calls``: click to call. The agent's phone rings; whoever answers is led to ``to``.

Admins do it for any agent, an agent only for themselves. The answer comes as soon as the call is on
record; how it goes on, ``GET /api/calls/{id}`` and the live events say.
"""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pbx.originate import CannotCall
from pbx.store.people import Role
from pbx.web.body import read_json
from pbx.web.calls import read_changes
from pbx.web.problem import Problem
from pbx.web.shapes import CallWanted
from pbx.web.state import principal_of, state_of


async def make_call(request: Request) -> Response:
    principal = principal_of(request)
    wanted = read_changes(await read_json(request), CallWanted)
    for name in ("agent", "to"):
        if name not in wanted:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{name!r} is missing", field=name)
    agent, to = wanted["agent"], wanted["to"]
    if principal.role is not Role.ADMIN and (principal.role, principal.name) != (Role.AGENT, agent):
        raise Problem(HTTPStatus.FORBIDDEN, "only admins, and agents for themselves, start calls")
    start = state_of(request).start_call
    if start is None:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "this server takes no calls")
    try:
        call_id = await start(agent, to)
    except CannotCall as refusal:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(refusal), field=refusal.field) from None
    return JSONResponse({"id": call_id, "url": f"/api/calls/{call_id}"}, HTTPStatus.ACCEPTED)
