"""``POST /api/dni``: a visitor's page view in, the numbers to swap out.

The browser of anybody may ask, so little is believed: a visitor's id is one of ours or is left out, a
target is one of the config's or is left alone. Without consent, with Do Not Track or Global Privacy
Control (``tracking.honour``), for a machine that says it is one, and for an address that makes up new
visitors faster than people come, the answer has the source's own numbers, no id, and nothing is kept.
Addresses are looked at for that alone and never stored.

The id is given back in the answer, for the script's own cookie, and as a cookie of the server's where
the website and this server are hosts of one site (``www.example.com`` and ``calls.example.com``): that
one is ``HttpOnly`` and lasts longer in browsers that cut scripts' cookies short. Between different sites
browsers take no cookie from us, and none is sent.

Everything is answered from memory, on the event loop: no thread, no query. Only a number that was lent just
now waits for the store: it is shown when it is safe that it is this visitor's, even if the server is killed
the moment after. Where that takes too long, the page keeps its own number.
"""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from http import HTTPStatus
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pbx.attribution.pageview import LONGEST_URL, NoPage, page_view
from pbx.attribution.visitors import Shown, Visitors
from pbx.config.fields import seconds
from pbx.config.models import Config
from pbx.config.tracking import Consent, Signal
from pbx.conversions.cookies import read_cookies
from pbx.numbering import normalise
from pbx.store.encoding import iso, to_ms
from pbx.web.allowances import Allowances
from pbx.web.body import parsed, read_any
from pbx.web.origins import admitted
from pbx.web.problem import Problem
from pbx.web.shapes import NO_NUL, Shape, Time
from pbx.web.state import WebState, state_of

COOKIE = "pbx_visitor"
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
LONGEST_BODY = 16 * 1024
MOST_TARGETS = 200
NEW_VISITORS_AT_ONCE, NEW_VISITOR_EVERY_S = 60, 2
"""Of one address. A whole office behind one stays within it; a script that would empty a pool does not."""
HEARTBEAT_S = 60
LONGEST_AGENT = 300
FRESH_MS = 1000
"""A lease that began within it may not be in the store yet."""
VISITOR_ID = re.compile(r"[0-9a-f]{32}")

_ASKS_FIRST = (
    "AT BE BG HR CY CZ DK EE FI FR DE GR HU IE IT LV LT LU MT NL PL PT RO SK SI ES SE IS LI NO GB CH BR"
)
ASKS_FIRST = frozenset(_ASKS_FIRST.split())
"""Countries whose law wants a visitor's consent before anything is kept (GDPR, ePrivacy, LGPD …)."""

_MACHINES = re.compile(r"bot\b|crawl|spider|slurp|lighthouse|pagespeed", re.IGNORECASE)

Url = Annotated[str, Field(max_length=LONGEST_URL, pattern=NO_NUL)]


class PageReport(BaseModel):
    """A page view, as the tracking code reports it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    visitor: Annotated[str, Field(max_length=64)] | None = Field(None, description="As answered before.")
    consent: bool | None = Field(None, description="null: the page did not ask.")
    page: Url
    referrer: Url = ""
    targets: Annotated[list[Annotated[str, Field(max_length=40)]], Field(max_length=MOST_TARGETS)] = []
    alive: bool = Field(False, description="Only a sign of life: no new page view.")
    cookies: Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=12)] = Field(
        default=[], description="_ga, _fbp and _fbc, where conversions are sent: name=value."
    )


class LeaseTerms(Shape):
    until: Time = Field(description="The numbers are this visitor's until then.")
    heartbeat: int = Field(description="Seconds after which to give a sign of life.")


class Swaps(Shape):
    """What to show. A target that is not among ``swaps`` stays."""

    visitor: str | None
    source: str
    swaps: dict[str, str]
    lease: LeaseTerms | None


async def post_dni(request: Request) -> Response:
    headers = HEADERS | admitted(request)
    # JSON, whatever it is called: text/plain needs no preflight, and so saves a visitor a round trip.
    report = read_report(await read_any(request, LONGEST_BODY))
    state = state_of(request)
    assert state.visitors is not None
    now = state.clock.now()
    try:
        view = page_view(report.page, report.referrer)
    except NoPage as error:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), field="page", headers=headers) from None
    config, visitors = state.config, state.visitors
    targets = {written: normalise(written, config.server.country) or written for written in report.targets}
    visitor = _known_id(report.visitor) or _known_id(request.cookies.get(COOKIE))
    agent = request.headers.get("user-agent", "")
    if not may_recognise(config, request, report.consent) or not _is_person(request, visitor, agent):
        shown = visitors.anonymous(view, list(targets.values()))
    elif report.alive and visitor is not None:
        shown = visitors.alive(visitor, view, list(targets.values()), now)
    else:
        shown = visitors.viewed(visitor, view, list(targets.values()), now, device(agent))
        shown = await _durable(state, shown, now)
    if config.conversions.wanted:
        if visitor is not None and refuses(config, request, report.consent):
            visitors.identified(visitor, {"consent": "refused"}, now)
        elif shown.visitor is not None:
            _note_ids(visitors, report, shown.visitor, agent, config, now)
    response = JSONResponse(_answer(shown, targets, config), headers=headers)
    _set_cookie(request, response, shown.visitor, config)
    return response


def _note_ids(
    visitors: Visitors,
    report: PageReport,
    visitor: str,
    agent: str,
    config: Config,
    now: datetime,
) -> None:
    """For the ad platforms: what they call a visitor."""
    ids = read_cookies(report.cookies)
    ids["consent"] = "given" if report.consent else "implied"
    if config.conversions.meta is not None and agent:
        ids["agent"] = agent[:LONGEST_AGENT]
    visitors.identified(visitor, ids, now)


async def _durable(state: WebState, shown: Shown, now: datetime) -> Shown:
    """With the numbers lent just now only if they are safe."""
    fresh = shown.began_ms is not None and to_ms(now) - shown.began_ms < FRESH_MS
    if not fresh or state.safe is None or await state.safe():
        return shown
    return replace(shown, swaps={}, until_ms=None)


def _answer(shown: Shown, targets: dict[str, str], config: Config) -> dict[str, object]:
    lease = None
    if shown.until_ms is not None:
        lease = {"until": iso(shown.until_ms), "heartbeat": heartbeat_s(config)}
    swaps = {written: shown.swaps[number] for written, number in targets.items() if number in shown.swaps}
    return {"visitor": shown.visitor, "source": shown.source, "swaps": swaps, "lease": lease}


def heartbeat_s(config: Config) -> int:
    """Often enough that no lease ends while its visitor reads."""
    shortest = min((seconds(pool.hold) for pool in config.pools.values()), default=3.0 * HEARTBEAT_S)
    return max(1, min(HEARTBEAT_S, int(shortest / 3)))


def may_recognise(config: Config, request: Request, consent: bool | None) -> bool:
    """Whether this visitor may be given an id."""
    return not refuses(config, request, consent) and (consent is True or not consent_required(config))


def refuses(config: Config, request: Request, consent: bool | None) -> bool:
    """Whether the visitor has said no: to the page's question, or by a setting that counts as that."""
    honour = config.tracking.honour
    if Signal.DNT in honour and request.headers.get("dnt") == "1":
        return True
    if Signal.GPC in honour and request.headers.get("sec-gpc") == "1":
        return True
    return consent is False


def consent_required(config: Config) -> bool:
    """Whether silence means no."""
    match config.tracking.consent:
        case Consent.REQUIRED:
            return True
        case Consent.IMPLIED:
            return False
        case Consent.AUTO:
            return config.server.country in ASKS_FIRST


@lru_cache(1024)
def device(user_agent: str) -> str:
    """A coarse word for a browser: what kind of machine, and which family of browser."""
    kind = "desktop"
    if re.search(r"iPad|Tablet|Android(?!.*Mobile)", user_agent):
        kind = "tablet"
    elif re.search(r"Mobi|iPhone|Android", user_agent):
        kind = "mobile"
    families = (
        ("Edg", "Edge"),
        ("OPR", "Opera"),
        ("Firefox", "Firefox"),
        ("Chrom", "Chrome"),
        ("Safari", "Safari"),
    )
    family = next((name for mark, name in families if mark in user_agent), "")
    return f"{kind} {family}".strip() if user_agent else ""


@lru_cache(1024)
def is_machine(user_agent: str) -> bool:
    return _MACHINES.search(user_agent) is not None


def _is_person(request: Request, visitor: str | None, agent: str) -> bool:
    if is_machine(agent):
        return False
    address = request.client.host if request.client else ""
    if visitor is not None or address in ("127.0.0.1", "::1", ""):  # a proxy that does not tell addresses
        return True
    newcomers: Allowances = request.app.state.newcomers
    return newcomers.spend(address)


def _known_id(text: str | None) -> str | None:
    """An id as we give them; anything else is as good as none."""
    return text if text is not None and VISITOR_ID.fullmatch(text) else None


def _set_cookie(request: Request, response: Response, visitor: str | None, config: Config) -> None:
    if request.headers.get("sec-fetch-site") not in ("same-origin", "same-site"):
        return
    secure = request.url.scheme == "https"
    if visitor is None:
        if COOKIE in request.cookies:
            response.delete_cookie(COOKIE, httponly=True, samesite="lax", secure=secure)
        return
    if request.cookies.get(COOKIE) != visitor:
        lasts = min(config.tracking.keep, timedelta(days=400))  # the longest that browsers allow
        response.set_cookie(
            COOKIE, visitor, max_age=int(seconds(lasts)), httponly=True, samesite="lax", secure=secure
        )


def read_report(body: bytes) -> PageReport:
    """Raises 400 for what is no JSON object, 422 for a wrong field."""
    return parsed(body, PageReport, example='{"page": "https://…"}')
