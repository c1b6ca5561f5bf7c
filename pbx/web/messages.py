"""The inbox: every channel's conversations, read, answered and seen to; and texts by the API."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pbx.channels.texts import NoWay, OutgoingText
from pbx.numbering import normalise
from pbx.store.encoding import iso, to_ms
from pbx.store.messages import Channel, Message, State
from pbx.store.period import parse_moment
from pbx.web.body import read_json
from pbx.web.calls import read_changes
from pbx.web.message_shapes import MessageWanted, ThreadChange
from pbx.web.problem import Problem
from pbx.web.query import refuse_unknown
from pbx.web.state import ChannelDesk, principal_of, state_of

USUAL, MOST = 50, 200
LONGEST_TEXT_OUT = 1600


def desk_of(request: Request) -> ChannelDesk:
    desk = state_of(request).channels
    if desk is None:
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "this server has no channels but calls")
    return desk


async def list_threads(request: Request) -> Response:
    """The conversation with the newest message first."""
    refuse_unknown(request, ("channel", "open", "before", "limit"))
    desk, state = desk_of(request), state_of(request)
    channel = request.query_params.get("channel") or None
    if channel is not None and channel not in list(Channel):
        raise Problem(HTTPStatus.BAD_REQUEST, f"a channel is {', '.join(Channel)}", field="channel")
    before = None
    if moment := request.query_params.get("before"):
        try:
            before = parse_moment(moment, state.clock.now(), state.config.server.zone)
        except ValueError as error:
            raise Problem(HTTPStatus.BAD_REQUEST, str(error), field="before") from None
    limit = _limit(request)
    only_open = request.query_params.get("open") == "true"

    def read() -> dict[str, Any]:
        messages = desk.inbox.messages
        found = messages.threads(channel=channel, only_open=only_open, before=before, limit=limit)
        threads = [{"thread": t.last.thread, "open": t.open, "last": shown(t.last)} for t in found]
        return {"threads": threads, "open": messages.open_count()}

    return JSONResponse(await run_in_threadpool(read))


async def list_messages(request: Request) -> Response:
    """One conversation, or all that a website's visitor wrote and got, oldest first."""
    refuse_unknown(request, ("thread", "visitor", "limit"))
    messages = desk_of(request).inbox.messages
    thread, visitor = request.query_params.get("thread"), request.query_params.get("visitor")
    if (thread is None) == (visitor is None):
        raise Problem(HTTPStatus.BAD_REQUEST, "say which thread, or which visitor", field="thread")
    limit = _limit(request)
    if thread is not None:
        found = await run_in_threadpool(messages.thread, thread, limit)
    else:
        found = await run_in_threadpool(messages.of_visitor, visitor or "", limit)
    answer = answered_by(request, found, thread) if thread is not None else ""
    return JSONResponse({"messages": [shown(message) for message in found], "answered_by": answer or None})


async def send_message(request: Request) -> Response:
    """202: it is kept, and on its way."""
    desk, principal = desk_of(request), principal_of(request)
    wanted = read_changes(await read_json(request), MessageWanted)
    thread, text = wanted.get("thread", ""), wanted["text"]
    if not thread:
        sent = await _text(request, wanted.get("to", ""), text, wanted.get("via", ""))
        return JSONResponse(shown(sent), HTTPStatus.ACCEPTED)
    known = await run_in_threadpool(desk.inbox.messages.thread, thread)
    first = next((message for message in known if message.incoming), None)
    match answered_by(request, known, thread):
        case "chat":
            sent = await _answer_chat(desk, thread, text, principal.name)
        case "reply":
            assert first is not None
            sent = await desk.replies.send(first, text, principal.name)
        case "text" if thread.startswith(f"{Channel.TEXT}/"):
            _, via, number = thread.split("/", 2)
            sent = await _text(request, number, text, via)
        case "text":
            sent = await _text(request, phone_of(known, request), text, "")
        case _:
            detail = "there is no way to answer this" if known else "there is no such conversation"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field="thread")
    await run_in_threadpool(desk.inbox.messages.handle, thread, principal.name, sent.created)
    return JSONResponse(shown(sent), HTTPStatus.ACCEPTED)


def answered_by(request: Request, known: Sequence[Message], thread: str) -> str:
    """How an answer leaves: as ``chat``, as a service's ``reply``, as ``text``; "" if it cannot.

    What came with a telephone number and cannot be answered where it came from is answered by text.
    """
    desk, channel = desk_of(request), thread.partition("/")[0]
    first = next((message for message in known if message.incoming), None)
    if channel == Channel.CHAT:
        return "chat" if known else ""
    if channel == Channel.TEXT:
        return "text" if thread.count("/") == 2 else ""
    if first is None:
        return ""
    if desk.replies.possible(first):
        return "reply"
    return "text" if desk.texts.ways and phone_of(known, request) else ""


def phone_of(known: Sequence[Message], request: Request) -> str:
    """The telephone number that somebody wrote from or left, as E.164; "" if there is none."""
    country = state_of(request).config.server.country
    given = (
        value
        for message in known
        if message.incoming
        for value in (message.from_, str(message.fields.get("phone", "")))
    )
    return next((number for value in given if value and (number := normalise(value, country))), "")


async def _text(request: Request, to: str, text: str, via: str) -> Message:
    desk, principal = desk_of(request), principal_of(request)
    number = normalise(to, state_of(request).config.server.country)
    if number is None:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{to[:40]!r} is no telephone number", field="to")
    if len(text) > LONGEST_TEXT_OUT:
        raise Problem(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"a text has at most {LONGEST_TEXT_OUT} characters", field="text"
        )
    try:
        return desk.texts.send(OutgoingText(number, text, via, agent=principal.name))
    except NoWay as problem:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(problem), field="via") from None


async def _answer_chat(desk: ChannelDesk, thread: str, text: str, agent: str) -> Message:
    line = Message(
        channel=Channel.CHAT,
        thread=thread,
        via="chat",
        from_=agent,
        to="visitor",
        text=text,
        state=State.SENT,
        created=desk.inbox.clock.now(),
        agent=agent,
    )
    await run_in_threadpool(desk.inbox.messages.add, line)
    desk.chats.tell(line)
    return line


async def change_thread(request: Request) -> Response:
    """Somebody has seen to all that came in on a thread."""
    wanted = read_changes(await read_json(request), ThreadChange)
    for name in ("thread", "handled"):
        if name not in wanted:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, f"{name!r} is missing", field=name)
    messages, now = desk_of(request).inbox.messages, state_of(request).clock.now()
    await run_in_threadpool(messages.handle, wanted["thread"], principal_of(request).name, now)
    found = await run_in_threadpool(messages.thread, wanted["thread"])
    answer = answered_by(request, found, wanted["thread"])
    return JSONResponse({"messages": [shown(message) for message in found], "answered_by": answer or None})


def _limit(request: Request) -> int:
    given = request.query_params.get("limit", str(USUAL))
    if not (given.isascii() and given.isdigit() and 1 <= int(given[:6]) <= MOST):
        raise Problem(HTTPStatus.BAD_REQUEST, f"limit is a number from 1 to {MOST}", field="limit")
    return int(given)


def shown(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "channel": message.channel,
        "direction": "in" if message.incoming else "out",
        "thread": message.thread,
        "via": message.via,
        "from": message.from_,
        "to": message.to,
        "text": message.text,
        "fields": dict(message.fields),
        "visitor": message.visitor,
        "source": message.source,
        "call_id": message.call_id,
        "agent": message.agent,
        "state": message.state,
        "problem": message.problem,
        "created_at": iso(to_ms(message.created)),
        "sent_at": iso(to_ms(message.sent)) if message.sent else None,
        "handled_at": iso(to_ms(message.handled)) if message.handled else None,
        "handled_by": message.handled_by,
    }
