"""Other services' webhooks to us: texts, social messages and leads, each request signed.

``POST /api/inbound/NAME`` belongs to a way of ``texts`` or to one of ``channels.services``, whose ``receive``
says how a request is signed and where its fields stand. The answer is 200 also for what came before and for
what could not be used, since the other side is to stop sending; ``problems`` name the places where nothing
stood. A request that is sent again, by the service or by somebody who listened, is known by the message's
own id, or without one by its signature, and changes nothing.
"""

import logging
from http import HTTPStatus

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from pbx.channels import forms, inbound
from pbx.config.inbound import Receive
from pbx.numbering import normalise
from pbx.store.messages import Channel, State
from pbx.web.body import read_any
from pbx.web.messages import desk_of
from pbx.web.problem import Problem
from pbx.web.state import ChannelDesk, state_of

log = logging.getLogger(__name__)

MOST_PROBLEMS = 20


async def post_inbound(request: Request) -> Response:
    name = request.path_params["name"]
    receive, channel = _receiving(request, name)
    body = await read_any(request)
    now = state_of(request).clock.now()
    if fault := inbound.fault_of(receive.signature, request.headers, _public_urls(request), body, now):
        raise Problem(HTTPStatus.UNAUTHORIZED, fault)
    try:
        found = list(inbound.items(receive, request.headers.get("content-type", ""), body))
    except inbound.Unreadable as error:
        raise Problem(HTTPStatus.BAD_REQUEST, str(error)) from None
    taken, problems = 0, [] if found else [f"no list stands at {receive.items} (items)"]
    mark = inbound.mark_of(receive.signature, request.headers, body)
    for place, item in enumerate(found):
        if problem := _unusable(receive, channel, item, f"item {place}: " if receive.items else ""):
            problems.append(problem)
        else:
            taken += await _take(request, name, channel, {"id": f"{mark}.{place}"} | item)
    for problem in problems[:MOST_PROBLEMS]:
        log.warning("from %s came what its mapping does not fit: %s", name, problem)
    return JSONResponse({"taken": taken, "problems": problems[:MOST_PROBLEMS]})


def _unusable(receive: Receive, channel: Channel, item: dict[str, str], where: str) -> str:
    """Which places of the mapping were empty, if what is left is no message; "" if it is one."""
    if channel is Channel.TEXT:
        enough = {"from", "text"} <= item.keys() or {"id", "status"} <= item.keys()
        wanted = [name for name in ("from", "text") if name not in item]
    else:
        enough = bool(item.keys() - {"id"})
        wanted = [name for name in receive.fields if name not in item]
    if enough:
        return ""
    empty = [
        f"nothing at {receive.fields[name]} ({name})" if name in receive.fields else f"{name} is not mapped"
        for name in wanted
    ]
    return where + ", ".join(empty)


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
            provider_id=item["id"],
        )
        return message is not None
    fields = {key: value for key, value in item.items() if key != "id"}
    who = item.get("from") or item.get("phone") or item.get("email") or item.get("name", "")
    phone = next(
        (
            number
            for key in ("phone", "from")
            if (number := normalise(item.get(key, ""), config.server.country))
        ),
        "",
    )
    message = await desk.inbox.take(
        channel=channel,
        thread=f"{channel}/{name}/{who or item['id']}",
        via=name,
        from_=who,
        to=item.get("to", ""),
        text=item.get("text") or forms.as_text(fields),
        fields=fields,
        source=item.get("source") or config.channels.services[name].source,
        provider_id=item["id"],
        phone=phone,
    )
    return message is not None


async def _reported(desk: ChannelDesk, via: str, item: dict[str, str]) -> bool:
    """A delivery report of a text that we sent: ``id`` and ``status`` are mapped, ``text`` is not there."""
    status = item.get("status", "").lower()
    failed = status in ("failed", "undelivered", "rejected", "expired")
    state, problem = (State.FAILED, f"the provider says {status}") if failed else (State.SENT, "")
    found = await run_in_threadpool(desk.inbox.messages.reported, via, item["id"], state, problem)
    if found is not None and failed:
        desk.inbox.failed(found, problem)
    return found is not None


def _public_urls(request: Request) -> list[str]:
    """The URL as the other side may have called it, which some schemes sign.

    Strangers' requests may come by another name than the dashboard's (web.public_listen), and a proxy need
    not say that it had TLS.
    """
    public = state_of(request).config.web.public_url
    query = f"?{request.url.query}" if request.url.query else ""
    asked = str(request.url), str(request.url.replace(scheme="https"))
    named = [public.rstrip("/") + request.url.path + query] if public is not None else []
    return list(dict.fromkeys([*named, *asked]))
