"""What strangers send us: forms and chats of website visitors, webhooks of other services.

Nobody here is known, so little is believed: a page's origin must be one of ``web.sites``
(:mod:`pbx.web.origins`), an address may send so much and no more, a form that fills in the trap is
thanked and dropped, and a service's webhook counts only with its signature.
"""

import asyncio
import logging
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from pbx.agents import AgentState
from pbx.channels import chats, forms, inbound
from pbx.clock import Clock
from pbx.config.inbound import Receive
from pbx.numbering import normalise
from pbx.originate import CannotCall
from pbx.store.encoding import iso, to_ms
from pbx.store.messages import Channel, Message, State
from pbx.web.allowances import Allowances
from pbx.web.body import parsed, read_any
from pbx.web.message_shapes import ChatReport, FormReport
from pbx.web.messages import desk_of
from pbx.web.origins import admitted
from pbx.web.problem import Problem
from pbx.web.state import ChannelDesk, state_of

log = logging.getLogger(__name__)

CALLBACK_AGAIN_S = 600.0
IDLE_S = 600.0


class Limits:
    """How much strangers may send."""

    def __init__(self, clock: Clock) -> None:
        self.forms = Allowances(clock, burst=10, every_s=30)
        self.chats = Allowances(clock, burst=30, every_s=2)
        self.callbacks = Allowances(clock, burst=2, every_s=CALLBACK_AGAIN_S)
        self.called = Allowances(clock, burst=1, every_s=CALLBACK_AGAIN_S)  # by number


def _limits(connection: HTTPConnection) -> Limits:
    limits = connection.app.state.limits
    assert isinstance(limits, Limits)
    return limits


def _address(connection: HTTPConnection) -> str:
    return connection.client.host if connection.client else ""


# --- forms


async def post_form(request: Request) -> Response:
    headers = admitted(request)
    report = parsed(await read_any(request), FormReport, headers=headers)
    desk, config = desk_of(request), state_of(request).config
    if not config.channels.forms:
        raise Problem(HTTPStatus.NOT_FOUND, "this server takes no forms", headers=headers)
    if not _limits(request).forms.spend(_address(request)):
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, "too many forms; try again later", headers=headers)
    if report.trap:  # a machine: it is to think that it was heard
        return JSONResponse({"taken": True, "callback": ""}, HTTPStatus.ACCEPTED, headers=headers)
    country = config.server.country
    fields = forms.kept(_fields(report))
    if not fields:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, "nothing is filled in", field="fields", headers=headers
        )
    who = forms.contact(fields, country)
    message = await desk.inbox.take(
        channel=Channel.FORM,
        thread=f"form/{who.shown or report.visitor or _address(request)}",
        via=report.form or "form",
        from_=who.shown,
        to=report.page.partition("?")[0],
        text=forms.as_text(fields),
        fields=fields,
        visitor=report.visitor,
        source=source_of(request, report.visitor),
    )
    tie(request, report.visitor, Channel.FORM, message.id if message else "", who.phone)
    callback = await _call_back(request, who.phone) if report.callback else ""
    return JSONResponse({"taken": True, "callback": callback}, HTTPStatus.ACCEPTED, headers=headers)


def _fields(report: FormReport) -> list[forms.Field]:
    if isinstance(report.fields, dict):
        return [forms.Field(name, value) for name, value in report.fields.items()]
    return [forms.Field(each.name, each.value, each.type, each.autocomplete) for each in report.fields]


async def _call_back(request: Request, number: str) -> str:
    """Ring the first agent who is free, then the number; "" if nobody is, or it was called just now."""
    state, limits = state_of(request), _limits(request)
    if not number or state.start_call is None:
        return ""
    board = state.floor.board
    free = [name for name in state.config.channels.callback if board.state(name) is AgentState.AVAILABLE]
    if not free or not limits.callbacks.spend(_address(request)) or not limits.called.spend(number):
        return ""
    try:
        return await state.start_call(free[0], number)
    except CannotCall as refusal:
        log.warning("a form's callback was refused: %s", refusal)
        return ""


def source_of(request: HTTPConnection, visitor: str | None) -> str:
    """The source that a visitor is attributed to, "" where none is known."""
    visitors = state_of(request).visitors
    return visitors.source_of(visitor) if visitors is not None and visitor is not None else ""


def tie(connection: HTTPConnection, visitor: str | None, channel: str, ref: str, phone: str = "") -> None:
    """The visitor got in touch; a later call from ``phone`` is known to be theirs."""
    state = state_of(connection)
    if state.visitors is not None and visitor is not None and state.visitors.source_of(visitor):
        state.visitors.contact(visitor, channel, ref, state.clock.now(), phone)


# --- chats


async def post_chat(request: Request) -> Response:
    headers = admitted(request)
    report = parsed(await read_any(request), ChatReport, headers=headers)
    desk = desk_of(request)
    if not state_of(request).config.channels.chat:
        raise Problem(HTTPStatus.NOT_FOUND, "this server has no chat", headers=headers)
    if not _limits(request).chats.spend(_address(request)):
        raise Problem(HTTPStatus.TOO_MANY_REQUESTS, "not so fast, please", headers=headers)
    chat = report.chat or chats.new_chat()
    if report.text.strip():
        await _say(request, desk, chat, report)
    lines = await run_in_threadpool(desk.inbox.messages.thread, chats.thread_of(chat))
    known = [index for index, line in enumerate(lines) if line.id == report.after]
    fresh = lines[known[0] + 1 :] if known else lines
    answer = {"chat": chat, "lines": [as_line(line) for line in fresh]}
    return JSONResponse(answer, headers=headers)


async def _say(request: Request, desk: ChannelDesk, chat: str, report: ChatReport) -> None:
    await desk.inbox.take(
        channel=Channel.CHAT,
        thread=chats.thread_of(chat),
        via="chat",
        from_=report.visitor or "",
        to=report.page.partition("?")[0],
        text=report.text.strip(),
        visitor=report.visitor,
        source=source_of(request, report.visitor),
    )


def as_line(message: Message) -> dict[str, str]:
    author = "visitor" if message.incoming else "agent"
    return {"id": message.id, "author": author, "text": message.text, "at": iso(to_ms(message.created))}


async def chat_socket(socket: WebSocket) -> None:
    """``/api/chats/socket?chat=ID``: an agent's lines as they are written; the visitor's are posted."""
    chat = socket.query_params.get("chat", "")
    desk = state_of(socket).channels
    origin = socket.headers.get("origin", "").lower()
    sites = [site.lower() for site in state_of(socket).config.web.sites]
    if desk is None or len(chat) != 32 or (sites and origin not in sites):
        await socket.close(1008)
        return
    await socket.accept()
    left = asyncio.ensure_future(_until_left(socket))
    try:
        with desk.chats.lines(chats.thread_of(chat)) as lines:
            while not left.done():
                line = asyncio.ensure_future(lines.get())
                await asyncio.wait((line, left), return_when=asyncio.FIRST_COMPLETED)
                if not line.done():
                    line.cancel()
                    break
                await socket.send_json(as_line(line.result()))
    finally:
        left.cancel()


async def _until_left(socket: WebSocket) -> None:
    try:
        while True:
            await socket.receive_text()
    except WebSocketDisconnect:
        return


# --- other services


async def post_inbound(request: Request) -> Response:
    """Texts, social messages and leads. 200 also for what came before: the other side is to stop sending."""
    name = request.path_params["name"]
    receive, channel = _receiving(request, name)
    body = await read_any(request)
    url = _public_url(request)
    now = state_of(request).clock.now()
    if fault := inbound.fault_of(receive.signature, request.headers, url, body, now):
        raise Problem(HTTPStatus.UNAUTHORIZED, fault)
    try:
        found = list(inbound.items(receive, request.headers.get("content-type", ""), body))
    except inbound.Unreadable as error:
        raise Problem(HTTPStatus.BAD_REQUEST, str(error)) from None
    taken = 0
    for item in found:
        taken += await _take(request, name, channel, item)
    return JSONResponse({"taken": taken})


async def verify_inbound(request: Request) -> Response:
    """The other side's question whether we are who we say (hub.challenge)."""
    receive, _ = _receiving(request, request.path_params["name"])
    params = request.query_params
    if receive.verify_token is None or params.get("hub.verify_token") != receive.verify_token:
        raise Problem(HTTPStatus.FORBIDDEN, "the verify token is another")
    return PlainTextResponse(params.get("hub.challenge", "")[:200])


def _receiving(request: Request, name: str) -> tuple[Receive, Channel]:
    config = state_of(request).config
    way = config.texts.get(name)
    if way is not None and way.receive is not None:
        return way.receive, Channel.TEXT
    service = config.channels.services.get(name)
    if service is not None:
        return service.receive, Channel(service.channel)
    raise Problem(HTTPStatus.NOT_FOUND, f"nothing named {name[:40]!r} receives messages here")


async def _take(request: Request, name: str, channel: Channel, item: dict[str, str]) -> bool:
    desk, config = desk_of(request), state_of(request).config
    if channel is Channel.TEXT:
        country = config.server.country
        if "text" not in item:
            return await _reported(desk, name, item)
        message = await desk.inbox.text(
            via=name,
            from_=normalise(item.get("from", ""), country) or item.get("from", ""),
            to=normalise(item.get("to", ""), country) or item.get("to", config.texts[name].from_),
            text=item["text"],
            provider_id=item.get("id", ""),
        )
        return message is not None
    if not item:
        return False
    text = item.get("text") or forms.as_text({key: value for key, value in item.items() if key != "id"})
    who = item.get("from") or item.get("phone") or item.get("email") or item.get("name", "")
    message = await desk.inbox.take(
        channel=channel,
        thread=f"{channel}/{name}/{who or item.get('id', '')}",
        via=name,
        from_=who,
        to=item.get("to", ""),
        text=text,
        fields=item,
        source=item.get("source") or config.channels.services[name].source,
        provider_id=item.get("id", ""),
    )
    return message is not None


async def _reported(desk: ChannelDesk, via: str, item: dict[str, str]) -> bool:
    """A delivery report of a text that we sent: ``id`` and ``status`` are mapped, ``text`` is not there."""
    status = item.get("status", "").lower()
    failed = status in ("failed", "undelivered", "rejected", "expired")
    if not item.get("id") or not status:
        return False
    state, problem = (State.FAILED, f"the provider says {status}") if failed else (State.SENT, "")
    found = await run_in_threadpool(desk.inbox.messages.reported, via, item["id"], state, problem)
    if found is not None and failed:
        desk.inbox.failed(found, problem)
    return found is not None


def _public_url(request: Request) -> str:
    """The URL as the other side called it, which some schemes sign."""
    public = state_of(request).config.web.public_url
    if public is None:
        return str(request.url)
    query = f"?{request.url.query}" if request.url.query else ""
    return public.rstrip("/") + request.url.path + query
