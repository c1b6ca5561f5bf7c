"""``/api/bans``: addresses that are not heard just now."""

from http import HTTPStatus

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pbx.store.people import Role
from pbx.web.problem import Problem
from pbx.web.shapes import Shape, Time
from pbx.web.state import principal_of, state_of


class Ban(Shape):
    address: str
    until: Time
    times: int = Field(description="How often it has been banned.")
    because: str = Field(description="Its last offence.")


class Bans(Shape):
    bans: list[Ban] = Field(description="Newest first.")


class Lifted(Shape):
    lifted: str = Field(description="The address that is heard again.")


async def list_bans(request: Request) -> Response:
    bans = state_of(request).bans
    return JSONResponse({"bans": bans.list() if bans is not None else []})


async def lift_ban(request: Request) -> Response:
    if principal_of(request).role is not Role.ADMIN:
        raise Problem(HTTPStatus.FORBIDDEN, "only an admin lifts bans")
    address = request.path_params["address"]
    bans = state_of(request).bans
    if bans is None or not bans.lift(address):
        raise Problem(HTTPStatus.NOT_FOUND, f"{address[:60]!r} is not banned")
    return JSONResponse({"lifted": address})
