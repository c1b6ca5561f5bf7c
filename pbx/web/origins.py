"""Which websites' pages may call the server from a visitor's browser (CORS).

``web.sites`` lists their origins; without any, every website may: nothing here is secret, and whoever
has no browser needs no permission anyway. The visitor's cookie only travels between hosts of one site
(``SameSite=Lax``), so another website that embeds the script sees visitors of its own.
"""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from pbx.web.problem import Problem
from pbx.web.state import state_of

PREFLIGHT_LASTS_S = 7200


def admitted(request: Request) -> dict[str, str]:
    """The headers of an answer to a page of this origin. Raises 403 for a page of a stranger's site."""
    origin = request.headers.get("origin")
    headers = {"Vary": "Origin", "Cross-Origin-Resource-Policy": "cross-origin"}
    if origin is None:
        return headers
    sites = state_of(request).config.web.sites
    if sites and origin.lower() not in (site.lower() for site in sites) and not _own(request, origin):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            f"{origin[:200]} is none of this server's websites (web.sites)",
            headers=headers,
        )
    return headers | {"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Credentials": "true"}


async def preflight(request: Request) -> Response:
    """What a browser asks before it sends JSON to another origin."""
    headers = admitted(request) | {
        "Access-Control-Allow-Methods": "POST, OPTIONS",
        "Access-Control-Allow-Headers": "Content-Type",
        "Access-Control-Max-Age": str(PREFLIGHT_LASTS_S),
    }
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)


def _own(request: Request, origin: str) -> bool:
    """Whether the page is this server's own."""
    return origin == f"{request.url.scheme}://{request.headers.get('host', '')}"
