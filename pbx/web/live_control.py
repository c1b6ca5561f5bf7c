"""``POST /api/calls/{id}/recording`` and ``…/supervise``: what may be done to a call while it lasts."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pbx.calls import LiveCall
from pbx.originate import CannotCall
from pbx.store.people import Role
from pbx.supervision import BY_KEY, Mode
from pbx.web.body import read_json
from pbx.web.calls import no_such_call, read_changes
from pbx.web.problem import Problem
from pbx.web.shapes import RecordingWish, SupervisionWish
from pbx.web.state import principal_of, state_of


async def control_recording(request: Request) -> Response:
    """Pause or resume, by admins, managers, and the agent who talks."""
    call = _live(request)
    principal = principal_of(request)
    talking = call.audience.agent.agent if call.audience is not None else None
    if principal.role is Role.AGENT and principal.name != talking:
        raise Problem(HTTPStatus.FORBIDDEN, f"{principal.name} does not talk on this call")
    wish = read_changes(await read_json(request), RecordingWish)
    if not wish:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "'action' is missing", field="action")
    if not call.recording.started:
        raise Problem(HTTPStatus.CONFLICT, "this call is not being recorded")
    call.recording.pause(wish["action"] == "pause", principal.name)
    return JSONResponse({"state": call.recording.state})


async def supervise_call(request: Request) -> Response:
    """Ring a supervisor, who then hears the call; or change the mode of one who does already."""
    call = _live(request)
    principal = principal_of(request)
    wish = read_changes(await read_json(request), SupervisionWish)
    if "agent" not in wish:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "'agent' is missing", field="agent")
    agent, mode = wish["agent"], Mode(wish.get("mode", Mode.LISTEN))
    state = state_of(request)
    if principal.role is not Role.ADMIN and (principal.role, principal.name) != (Role.AGENT, agent):
        raise Problem(HTTPStatus.FORBIDDEN, "only admins, and supervisors for themselves, supervise calls")
    known = state.config.agents.get(agent)
    if known is None or not known.supervisor:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{agent!r} is no supervisor", field="agent")
    if call.audience is None:
        raise Problem(HTTPStatus.CONFLICT, "nobody talks on this call")
    if (listening := call.audience.supervised_by(agent)) is not None:
        call.audience.supervise(listening, mode)
        call.note_supervision(agent, mode.value)
        return JSONResponse({"mode": mode.value}, HTTPStatus.OK)
    if state.supervise is None:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "this server takes no calls")
    key = next(key for key, each in BY_KEY.items() if each is mode)
    try:
        made = await state.supervise(agent, f"{call.facts.call_id}*{key}")
    except CannotCall as refusal:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(refusal), field=refusal.field) from None
    return JSONResponse({"mode": mode.value, "id": made}, HTTPStatus.ACCEPTED)


def _live(request: Request) -> LiveCall:
    """The call of the path, while it is up. Raises 404, or 409 when it is over."""
    call_id = request.path_params["id"]
    state = state_of(request)
    call = state.live.get(call_id)
    if call is None:
        if "\0" in call_id or state.calls.row(call_id) is None:
            raise no_such_call(call_id)
        raise Problem(HTTPStatus.CONFLICT, "this call is over")
    return call
