"""The web application: API, login and dashboard on one state.

``app.state.feed.close()`` ends the live streams, so that a server that stops need not wait for them.
"""

from sqlalchemy.exc import DBAPIError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from pbx.web import pages
from pbx.web.auth import Guard, Login
from pbx.web.health import Tally
from pbx.web.live import Feed
from pbx.web.openapi import OPERATIONS
from pbx.web.problem import Problem, on_crash, on_database_error, on_http_exception, on_problem
from pbx.web.state import WebState


def create_app(state: WebState) -> Starlette:
    """Everything under one roof; the guard stands in front of all of it."""
    app = Starlette(
        routes=[
            *(operation.route for operation in OPERATIONS),
            *Login(state.clock).routes(),
            *pages.routes,
        ],
        middleware=[Middleware(Guard)],
        exception_handlers={
            Problem: on_problem,
            HTTPException: on_http_exception,
            DBAPIError: on_database_error,
            Exception: on_crash,
        },
    )
    app.router.redirect_slashes = False
    app.state.web = state
    app.state.feed = Feed(state.bus)
    app.state.tally = Tally(state.bus)
    return app
