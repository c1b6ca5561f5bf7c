"""The dashboard's pages: shells that ES modules fill from the API.

A page carries no data of calls: only what the config calls things (sources, agents, numbers), as a
JSON block that no browser executes, so that the content security policy can forbid inline script.
Whatever callers and transcripts say reaches the page through the API and is put in as text.
Files under ``/static/`` are served as they lie in the package; nothing is built.
"""

from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.types import Scope

from pbx.config.models import Config
from pbx.events import CallStatus
from pbx.numbering import display
from pbx.store.people import Role
from pbx.web.auth import local_path
from pbx.web.problem import Problem
from pbx.web.state import principal_of, state_of

HERE = Path(__file__).parent
LOGIN_PROBLEMS = {
    "wrong": "That name and password do not belong together.",
    "busy": "Too many tries. Wait a moment, then try again.",
}

_templates = Jinja2Templates(directory=HERE / "templates")


class FreshFiles(StaticFiles):
    """Asked about each time (a short 304), so that an upgrade never mixes old modules with new ones."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def site(config: Config) -> dict[str, Any]:
    """What the config calls things, for the page's modules."""
    country = config.server.country
    lent = [number for pool in config.pools.values() for number in pool.numbers]
    return {
        "name": config.server.name,
        "timezone": config.server.timezone,
        "country": country,
        "sources": [{"id": key, "name": source.name} for key, source in config.sources.items()],
        "agents": [{"id": key, "name": agent.name} for key, agent in config.agents.items()],
        "numbers": [{"id": key, "name": display(key, country)} for key in [*config.numbers, *lent]],
    }


def sip_address(config: Config) -> str:
    """Where a softphone on this machine or network finds the server; "" if it listens nowhere."""
    heard = [urlsplit(address).netloc for address in config.sip.listen]
    return heard[0] if heard else ""


def frame(request: Request) -> dict[str, Any]:
    """What the bar at the top of every page needs. ``me``: the agent who is signed in, if one is."""
    config = state_of(request).config
    principal = principal_of(request)
    me = principal.name if principal.role is Role.AGENT and principal.name in config.agents else ""
    return {"site": site(config), "user": principal.name, "me": me, "here": request.url.path}


async def home(request: Request) -> Response:
    config = state_of(request).config
    return _templates.TemplateResponse(
        request,
        "home.html",
        {
            **frame(request),
            "statuses": list(CallStatus),
            "sip_address": sip_address(config),
        },
    )


async def call(request: Request) -> Response:
    """Whether there is such a call, the page learns from the API, like everything else of it."""
    context = {**frame(request), "call_id": request.path_params["id"]}
    return _templates.TemplateResponse(request, "call.html", context)


async def floor(request: Request) -> Response:
    return _templates.TemplateResponse(request, "floor.html", frame(request))


async def agent(request: Request) -> Response:
    agent_id = request.path_params["id"]
    known = state_of(request).config.agents.get(agent_id)
    if known is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no agent {agent_id[:80]!r}", field="id")
    context = {**frame(request), "agent_id": agent_id, "agent": known}
    return _templates.TemplateResponse(request, "agent.html", context)


async def flows(request: Request) -> Response:
    return _templates.TemplateResponse(request, "flows.html", frame(request))


async def flow(request: Request) -> Response:
    flow_id = request.path_params["id"]
    known = state_of(request).flows.get(flow_id)
    if known is None:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no flow {flow_id[:80]!r}", field="id")
    context = {**frame(request), "here": "/flows", "flow_id": flow_id, "flow": known}
    return _templates.TemplateResponse(request, "flow.html", context)


async def inbox(request: Request) -> Response:
    return _templates.TemplateResponse(request, "inbox.html", frame(request))


async def visitor(request: Request) -> Response:
    """Whether there is such a visitor, the page learns from the API."""
    context = {**frame(request), "visitor_id": request.path_params["id"]}
    return _templates.TemplateResponse(request, "visitor.html", context)


async def login(request: Request) -> Response:
    target = local_path(request.query_params.get("next", "/"))
    if request.scope["principal"] is not None:
        return RedirectResponse(target, HTTPStatus.SEE_OTHER)
    context = {
        # Before a login, nothing of the config is told but the business's name.
        "site": {"name": state_of(request).config.server.name},
        "problem": LOGIN_PROBLEMS.get(request.query_params.get("problem", "")),
        "next": target,
    }
    return _templates.TemplateResponse(request, "login.html", context)


async def favicon(_request: Request) -> Response:
    return RedirectResponse("/static/mark.svg", HTTPStatus.MOVED_PERMANENTLY)


routes: list[BaseRoute] = [
    Route("/", home),
    Route("/login", login),
    Route("/calls/{id}", call),
    Route("/agents", floor),
    Route("/agents/{id}", agent),
    Route("/flows", flows),
    Route("/flows/{id}", flow),
    Route("/inbox", inbox),
    Route("/visitors/{id}", visitor),
    Route("/favicon.ico", favicon),
    Mount("/static", FreshFiles(directory=HERE / "static")),
]
