"""Errors as problem documents (RFC 9457): one shape for everything that goes wrong."""

from http import HTTPStatus

from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - the RFC's word
    """Raised by a handler; ``field`` names the input at fault, if one is."""

    def __init__(
        self, status: int, detail: str, *, field: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.field = field
        self.headers = headers or {}

    def response(self) -> Response:
        body = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
        }
        if self.field is not None:
            body["field"] = self.field
        return JSONResponse(body, self.status, headers=self.headers, media_type=MEDIA_TYPE)


async def on_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.response()


async def on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail, headers = error.detail, dict(error.headers or {})
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = f"there is nothing at {request.url.path}"
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = _allowed(request)
        detail = f"{request.url.path} takes {headers['Allow']}, not {request.method}"
    return Problem(error.status_code, detail, headers=headers).response()


def _allowed(request: Request) -> str:
    """The methods of every route at this path; Starlette's own answer knows only the first."""
    routes = (route for route in request.app.routes if isinstance(route, Route))
    here = (route.methods or set() for route in routes if route.matches(request.scope)[0] != Match.NONE)
    return ", ".join(sorted(set().union(*here)))


async def on_database_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, DBAPIError)
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "the database does not answer; calls go on and are written later",
        headers={"Retry-After": "5"},
    ).response()


async def on_crash(_request: Request, _error: Exception) -> Response:
    """The server's log has the traceback; the client learns no more than that."""
    return Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR, "the server made a mistake; its log says which"
    ).response()
