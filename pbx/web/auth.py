"""Who may come in: bearer tokens, login sessions, and the guards around both.

:class:`Guard` stands before every route and denies by default: without a valid token or session
only ``PUBLIC`` paths are served; an API path answers 401, a page leads to ``/login``. A handler finds
who asks with :func:`pbx.web.state.principal_of`.

A session is an opaque random secret in a cookie (``HttpOnly``, ``SameSite=Lax``; only its hash is
stored). Since browsers send cookies on their own, a request that changes something by session must
come from our own pages: ``Sec-Fetch-Site: same-origin``, or an ``Origin`` that is our ``Host``; a
request with neither is refused. A bearer token is never sent by a browser on its own and needs no
such check. On a loopback address the ``Host`` must name loopback too, or a stranger's page could
reach the server under its own name (DNS rebinding).

``POST /login`` takes the form fields ``username``, ``password`` and ``next`` (a path on this server)
and answers 303: to ``next`` with the cookie, or back to ``/login?problem=wrong`` or
``problem=busy`` (too many tries) with ``next`` kept. ``POST /logout`` ends the session and leads to
``/login``. The page at ``GET /login`` is :mod:`pbx.web.pages`'s.
"""

import asyncio
import ipaddress
from collections import OrderedDict
from http import HTTPStatus
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from sqlalchemy.exc import DBAPIError
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pbx.clock import Clock
from pbx.store.people import SESSION_LASTS, Principal
from pbx.web.problem import Problem, on_database_error
from pbx.web.state import state_of

COOKIE = "pbx_session"
PUBLIC = ("/healthz", "/login", "/logout", "/favicon.ico")
PUBLIC_FOLDERS = ("/static/",)
VISITORS = ("/t.js", "/chat.js", "/api/dni", "/api/forms", "/api/chats")
"""What strangers' browsers call from a website's pages; a token or login that comes along is not asked."""
SIGNED_FOLDER = "/api/inbound/"
"""What other services call: each request is signed."""
NOT_PAGES = ("/api/", "/readyz", "/metrics", "/openapi.json")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
LONGEST_FORM = 8192
LONGEST_PASSWORD = 1024

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """The outermost middleware: host, identity, same origin, and the headers of every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
                if not request.url.path.startswith(PUBLIC_FOLDERS):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            refusal = await self._admit(request)
        except Problem as problem:
            refusal = problem.response()
        except DBAPIError as error:
            refusal = await on_database_error(request, error)
        await (refusal or self._app)(scope, receive, send_guarded)

    async def _admit(self, request: Request) -> Response | None:
        """None if the request may go on, else what is answered instead."""
        if request.url.path in VISITORS or request.url.path.startswith(SIGNED_FOLDER):
            request.scope["principal"] = None
            return None
        check_host(request)
        principal = await identify(request)
        request.scope["principal"] = principal
        if principal is not None and principal.by_session:
            check_same_origin(request)
        path = request.url.path
        if principal is not None or path in PUBLIC or path.startswith(PUBLIC_FOLDERS):
            return None
        if path.startswith(NOT_PAGES) or request.method not in SAFE_METHODS:
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "this needs Authorization: Bearer TOKEN (see pbx token create), or a login",
                headers={"WWW-Authenticate": 'Bearer realm="pbx"'},
            )
        asked = path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(asked, safe='/')}", HTTPStatus.SEE_OTHER)


class PublicGuard:
    """The middleware of the visitors' own listener: nobody is known there, and nothing needs to be."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_guarded)


async def identify(request: HTTPConnection) -> Principal | None:
    """Whose token or session this request carries. A wrong token is an error, an old cookie is nobody."""
    state = state_of(request)
    authorization = request.headers.get("authorization")
    if authorization is not None:
        scheme, _, secret = authorization.partition(" ")
        principal = None
        if scheme.lower() == "bearer":
            principal = await run_in_threadpool(state.people.by_token, secret.strip())
        if principal is None:
            raise Problem(
                HTTPStatus.UNAUTHORIZED,
                "the token is not known here; it may have been withdrawn",
                headers={"WWW-Authenticate": 'Bearer realm="pbx", error="invalid_token"'},
            )
        return principal
    cookie = request.cookies.get(COOKIE)
    return await run_in_threadpool(state.people.by_session, cookie, state.clock.now()) if cookie else None


def check_same_origin(request: HTTPConnection) -> None:
    """Raise 403 unless a request that changes something comes from one of our own pages."""
    if request.scope["method"] in SAFE_METHODS:
        return
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is not None:
        ours = site == "same-origin"
    else:
        ours = origin is not None and urlsplit(origin).netloc == request.headers.get("host")
    if not ours:
        raise Problem(
            HTTPStatus.FORBIDDEN,
            f"a change by login must come from this server's pages, not {origin or site}",
        )


def check_host(request: HTTPConnection) -> None:
    """Raise 421 when a server on loopback is addressed by a name that is not loopback's."""
    config = state_of(request).config.web
    listens_on = config.listen.rpartition(":")[0]
    if not _is_loopback(listens_on):
        return
    host = request.headers.get("host", "")
    public = urlsplit(config.public_url).netloc if config.public_url else None
    if host == public or _is_loopback(urlsplit(f"//{host}").hostname or ""):
        return
    raise Problem(
        HTTPStatus.MISDIRECTED_REQUEST, f"this server is not {host!r}; if it should be, set web.public_url"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Throttle:
    """Slows guessing: after ``free`` failures of one key, each next try waits twice as long.

    Keys are counted whether or not the user exists, so a refusal says nothing about names.
    """

    def __init__(self, clock: Clock, free: int = 5, longest_s: float = 900, keys: int = 10_000) -> None:
        self._clock = clock
        self._free = free
        self._longest_s = longest_s
        self._keys = keys
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, key: str) -> float:
        """How long this key must still wait before a next try."""
        count, last = self._failures.get(key, (0, 0.0))
        if count < self._free:
            return 0.0
        pause = min(self._longest_s, 2.0 ** (count - self._free))
        return max(0.0, last + pause - self._clock.monotonic())

    def failed(self, key: str) -> None:
        count, _ = self._failures.pop(key, (0, 0.0))
        self._failures[key] = (count + 1, self._clock.monotonic())
        while len(self._failures) > self._keys:
            self._failures.popitem(last=False)

    def succeeded(self, key: str) -> None:
        self._failures.pop(key, None)


class Login:
    """The two state-changing routes of signing in and out."""

    def __init__(self, clock: Clock) -> None:
        self._by_user = Throttle(clock)
        self._by_address = Throttle(clock, free=20)
        self._hashing = asyncio.Semaphore(1)  # a burst of logins must not take the calls' processor

    def routes(self) -> list[Route]:
        return [
            Route("/login", self.log_in, methods=["POST"]),
            Route("/logout", self.log_out, methods=["POST"]),
        ]

    async def log_in(self, request: Request) -> Response:
        check_same_origin(request)
        form = await read_form(request)
        name, password, target = form.get("username", ""), form.get("password", ""), form.get("next", "/")
        keys = ((self._by_user, name.casefold()), (self._by_address, _address(request)))
        if any(throttle.wait_s(key) > 0 for throttle, key in keys):
            return _back_to_login("busy", target)
        state = state_of(request)
        # Counted before the slow check, so that guesses sent all at once do not slip through together.
        for throttle, key in keys:
            throttle.failed(key)
        async with self._hashing:
            principal = await run_in_threadpool(
                state.people.check_password, name, password[: LONGEST_PASSWORD + 1]
            )
        if principal is None:
            return _back_to_login("wrong", target)
        for throttle, key in keys:
            throttle.succeeded(key)
        secret = await run_in_threadpool(state.people.open_session, principal.name, state.clock.now())
        response = RedirectResponse(local_path(target), HTTPStatus.SEE_OTHER)
        response.set_cookie(
            COOKIE,
            secret,
            max_age=int(SESSION_LASTS.total_seconds()),
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return response

    async def log_out(self, request: Request) -> Response:
        check_same_origin(request)
        if secret := request.cookies.get(COOKIE):
            await run_in_threadpool(state_of(request).people.close_session, secret)
        response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
        response.delete_cookie(COOKIE, httponly=True, samesite="lax")
        return response


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a small urlencoded form; of a field given twice, the last."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST_FORM:
            raise Problem(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a login form is at most {LONGEST_FORM} bytes"
            )
    fields = parse_qs(body.decode("utf-8", "replace"), keep_blank_values=True)
    return {name: values[-1] for name, values in fields.items()}


def local_path(target: str) -> str:
    """``target`` if it is a path on this server, else the front page: a login never leads elsewhere."""
    if not target.startswith("/") or target.startswith("//") or "\\" in target or not target.isprintable():
        return "/"
    return target


def _back_to_login(problem: str, target: str) -> Response:
    query = urlencode({"problem": problem, "next": local_path(target)})
    return RedirectResponse(f"/login?{query}", HTTPStatus.SEE_OTHER)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
