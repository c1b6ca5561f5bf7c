"""The request that every page view of the website makes goes straight to its handler.

``POST /api/dni`` comes some hundred times as often as anything else. It needs no guard (strangers' browsers
ask it), no routing and no other exceptions than problems, and those layers cost more processor than the
answer itself. Everything else, a preflight for the same path among it, goes the usual way.
"""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from pbx.web.problem import Problem


class Shortcut:
    """A middleware to stand before all others."""

    def __init__(
        self, app: ASGIApp, path: str, method: str, handler: Callable[[Request], Awaitable[Response]]
    ) -> None:
        self._app = app
        self._path = path
        self._method = method
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != self._path or scope["method"] != self._method:
            await self._app(scope, receive, send)
            return
        try:
            response = await self._handler(Request(scope, receive))
        except Problem as problem:
            response = problem.response()
        await response(scope, receive, send)
