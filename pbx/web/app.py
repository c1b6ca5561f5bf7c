"""The web application: API, login and dashboard on one state.

``app.state.feed.close()`` ends the live streams, so that a server that stops need not wait for them.
"""

from collections.abc import Sequence

from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, WebSocketRoute

from pbx.web import pages
from pbx.web.allowances import Allowances
from pbx.web.auth import Guard, Login, PublicGuard
from pbx.web.dni import NEW_VISITOR_EVERY_S, NEW_VISITORS_AT_ONCE, post_dni
from pbx.web.health import Tally
from pbx.web.live import Feed
from pbx.web.openapi import OPERATIONS
from pbx.web.problem import Problem, on_crash, on_database_error, on_http_exception, on_problem
from pbx.web.shortcut import Shortcut
from pbx.web.state import WebState
from pbx.web.strangers import Limits, chat_socket


def create_app(state: WebState) -> Starlette:
    """Everything under one roof; the guard stands in front of all of it."""
    # Routes are tried in order: first what every page view of the website asks for.
    ordered = sorted(OPERATIONS, key=lambda operation: not operation.public)
    api = [route for operation in ordered for route in operation.routes]
    app = _application(state, [*api, *Login(state.clock).routes(), *pages.routes], Guard)
    app.state.feed = Feed(state.bus)
    app.state.tally = Tally(state.bus)
    return app


def create_public_app(state: WebState) -> Starlette:
    """What strangers' browsers call, and nothing else: for ``web.public_listen``."""
    public = [route for operation in OPERATIONS if operation.public for route in operation.routes]
    return _application(state, public, PublicGuard)


def _application(state: WebState, routes: Sequence[BaseRoute], guard: type[Guard | PublicGuard]) -> Starlette:
    app = Starlette(
        routes=[WebSocketRoute("/api/chats/socket", chat_socket), *routes],
        middleware=[
            Middleware(Shortcut, path="/api/dni", method="POST", handler=post_dni),
            Middleware(guard),
        ],
        exception_handlers={
            Problem: on_problem,
            HTTPException: on_http_exception,
            DBAPIError: on_database_error,
            Exception: on_crash,
        },
    )
    app.router.redirect_slashes = False
    app.state.web = state
    app.state.newcomers = Allowances(state.clock, NEW_VISITORS_AT_ONCE, NEW_VISITOR_EVERY_S)
    app.state.limits = Limits(state.clock)
    return app
