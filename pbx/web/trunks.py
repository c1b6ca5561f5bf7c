"""``/api/trunks``: how each carrier stands just now."""

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pbx.web.shapes import Shape
from pbx.web.state import state_of


class Hop(Shape):
    """One address of a trunk."""

    address: str = Field(description="Transport, address and port.")
    up: bool


class Trunk(Shape):
    name: str
    up: bool = Field(description="Whether a call out would probably get through.")
    registration: str | None = Field(description="idle, trying, registered or failed; null if not wanted.")
    problem: str = Field(description='Why it is not registered; "" if it is.')
    hops: list[Hop]


class Trunks(Shape):
    trunks: list[Trunk] = Field(description="Those that take calls out, as config.yaml lists them.")


async def list_trunks(request: Request) -> Response:
    trunks = [
        Trunk(
            name=status.name,
            up=status.up,
            registration=status.registration.value if status.registration else None,
            problem=status.problem,
            hops=[Hop(address=address, up=up) for address, up in status.hops],
        )
        for status in state_of(request).trunks()
    ]
    return JSONResponse(Trunks(trunks=trunks).model_dump())
