"""What strangers send us: forms and chats of website visitors.

Nobody here is known, so little is believed: a page's origin must be one of ``web.sites``
(:mod:`pbx.web.origins`), an address may send so much and no more, and a form that fills in the trap is
thanked and dropped.
"""

import asyncio
import logging
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from pbx.agents import AgentState
from pbx.channels import chats, forms
from pbx.clock import Clock
from pbx.originate import CannotCall
from pbx.store.encoding import iso, to_ms
from pbx.store.messages import Channel, Message
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
        phone=who.phone,
    )
    callback = await _call_back(request, message, who.phone) if report.callback and message else ""
    return JSONResponse({"taken": True, "callback": callback}, HTTPStatus.ACCEPTED, headers=headers)


def _fields(report: FormReport) -> list[forms.Field]:
    if isinstance(report.fields, dict):
        return [forms.Field(name, value) for name, value in report.fields.items()]
    return [forms.Field(each.name, each.value, each.type, each.autocomplete) for each in report.fields]


async def _call_back(request: Request, form: Message, number: str) -> str:
    """Ring the first agent who is free, then the number; "" if nobody is, or it was called just now."""
    state, limits = state_of(request), _limits(request)
    if not number or state.call_back is None:
        return ""
    board = state.floor.board
    free = [name for name in state.config.channels.callback if board.state(name) is AgentState.AVAILABLE]
    if not free or not limits.callbacks.spend(_address(request)) or not limits.called.spend(number):
        return ""
    because = f"a form on {form.to or 'the website'} asked to be called (form {form.id})"
    try:
        return await state.call_back(free[0], number, because, form.source)
    except CannotCall as refusal:
        log.warning("a form's callback was refused: %s", refusal)
        return ""


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
    who = forms.contact_in(report.text, state_of(request).config.server.country)
    reached = {"phone": who.phone, "email": who.email}
    await desk.inbox.take(
        channel=Channel.CHAT,
        thread=chats.thread_of(chat),
        via="chat",
        from_=report.visitor or "",
        to=report.page.partition("?")[0],
        text=forms.without_cards(report.text.strip()),
        fields={name: value for name, value in reached.items() if value},
        visitor=report.visitor,
        phone=who.phone,
        first=report.chat is None or bool(who.phone),
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
