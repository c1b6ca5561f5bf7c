"""``/api/agents``: who is what, and pausing, resuming, logging in to queues and out of them.

Every role sees everybody. Admins and managers change anybody's state, an agent their own. The board
lives on the event loop that serves the calls, so these handlers run there, and never wait.
"""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pbx.agents import AgentView
from pbx.store.people import Principal, Role
from pbx.web.body import read_json
from pbx.web.calls import read_changes
from pbx.web.floor_shapes import AgentChanges
from pbx.web.problem import Problem
from pbx.web.query import refuse_unknown
from pbx.web.state import WebState, principal_of, state_of


async def list_agents(request: Request) -> Response:
    refuse_unknown(request, ())
    state = state_of(request)
    views = [state.floor.board.view(agent) for agent in state.config.agents]
    return JSONResponse({"agents": [present(state, view, principal_of(request)) for view in views]})


async def get_agent(request: Request) -> Response:
    return JSONResponse(_one(request))


async def change_agent(request: Request) -> Response:
    agent = find(request)
    principal = principal_of(request)
    if not may_change(principal, agent):
        raise Problem(HTTPStatus.FORBIDDEN, f"agents change their own state; {principal.name} is not {agent}")
    state = state_of(request)
    board = state.floor.board
    changes = read_changes(await read_json(request), AgentChanges)
    mine = [name for name, queue in state.config.queues.items() if agent in queue.members]
    for queue in changes.get("queues", {}):
        if queue not in mine:
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                f"{agent} is no member of {queue[:80]!r}; of: {', '.join(mine) or 'no queue'}",
                field=f"queues.{queue[:80]}",
            )
    if "reason" in changes and changes.get("state") != "paused":
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "a reason goes with the state paused", field="reason")
    if changes.get("state") == "paused":
        board.pause(agent, changes.get("reason", ""), principal.name)
    elif changes.get("state") == "available":
        board.resume(agent, principal.name)
    for queue, logged_in in changes.get("queues", {}).items():
        (board.log_in if logged_in else board.log_out)(agent, queue, principal.name)
    return JSONResponse(_one(request))


def _one(request: Request) -> dict[str, object]:
    state = state_of(request)
    return present(state, state.floor.board.view(find(request)), principal_of(request))


def find(request: Request) -> str:
    """The agent of the path. Raises 404."""
    agent: str = request.path_params["id"]
    if agent not in state_of(request).config.agents:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no agent {agent[:80]!r}", field="id")
    return agent


def may_change(principal: Principal, agent: str) -> bool:
    return principal.role is not Role.AGENT or principal.name == agent


def present(state: WebState, view: AgentView, principal: Principal) -> dict[str, object]:
    agent = state.config.agents[view.agent]
    today = state.clock.now().astimezone(state.config.server.zone).date()
    memberships = []
    for name, queue in state.config.queues.items():
        if view.agent in queue.members:
            figures = state.floor.queues.figures(name, today)
            memberships.append(
                {
                    "queue": name,
                    "logged_in": name not in view.presence.logged_out,
                    "calls": figures.calls[view.agent],
                    "talk_time": figures.talk_s[view.agent],
                }
            )
    return {
        "id": view.agent,
        "name": agent.name,
        "extension": agent.extension,
        "state": view.state.value,
        "since": state.floor.watch.since_s(view.agent),
        "reachable": view.reachable,
        "paused": view.presence.paused,
        "reason": view.presence.reason,
        "by": view.presence.by,
        "call": view.call_id or None,
        "queues": memberships,
        "may_change": may_change(principal, view.agent),
    }
