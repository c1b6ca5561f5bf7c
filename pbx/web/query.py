"""Query parameters into typed values; whatever is wrong is a 400 that names the parameter."""

import difflib
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TypeVar

from starlette.requests import Request

from pbx.events import CallStatus
from pbx.numbering import normalise
from pbx.store.calls import LONGEST_PAGE, Filter
from pbx.store.period import parse_moment
from pbx.web.problem import Problem
from pbx.web.state import state_of

T = TypeVar("T")

FILTERS = ("since", "until", "source", "number", "agent", "status", "tag", "q")
USUAL_PAGE = 100
LONGEST_VALUE = 1000


def refuse_unknown(request: Request, known: Iterable[str]) -> None:
    """A misspelt filter that was ignored would show the wrong calls."""
    known = tuple(known)
    for name, value in request.query_params.multi_items():
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
            raise Problem(
                HTTPStatus.BAD_REQUEST, f"there is no parameter {name[:40]!r}; {hint}", field=name[:40]
            )
        if "\0" in value or len(value) > LONGEST_VALUE:
            fault = f"{name} is a text of at most {LONGEST_VALUE} characters, without NUL"
            raise Problem(HTTPStatus.BAD_REQUEST, fault, field=name)


def read_filter(request: Request) -> Filter:
    """The filters that lists and reports share. A part given twice, or with commas, means any of them."""
    state = state_of(request)
    server = state.config.server
    now = state.clock.now()

    params = request.query_params
    since, until = (
        _read(name, params[name], lambda text: parse_moment(text, now, server.zone))
        if params.get(name)
        else None
        for name in ("since", "until")
    )
    return Filter(
        since=since,
        until=until,
        source=several(request, "source"),
        number=tuple(_number(text, server.country) for text in several(request, "number")),
        agent=tuple(_agent(text, server.country) for text in several(request, "agent")),
        status=tuple(_read("status", text, CallStatus).value for text in several(request, "status")),
        tag=several(request, "tag"),
        q=params.get("q", "").strip(),
    )


def read_limit(request: Request) -> int:
    text = request.query_params.get("limit") or str(USUAL_PAGE)
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= LONGEST_PAGE):
        fault = f"limit is a number from 1 to {LONGEST_PAGE}, not {text[:20]!r}"
        raise Problem(HTTPStatus.BAD_REQUEST, fault, field="limit")
    return int(text)


def _read(name: str, text: str, reader: Callable[[str], T]) -> T:
    try:
        return reader(text)
    except ValueError as error:
        detail = str(error)
        if name == "status":
            detail = f"there is no status {text[:40]!r}; there are {', '.join(CallStatus)}"
        raise Problem(HTTPStatus.BAD_REQUEST, detail, field=name) from None


def several(request: Request, name: str) -> tuple[str, ...]:
    """A parameter's values, given one by one or with commas."""
    values = (part.strip() for text in request.query_params.getlist(name) for part in text.split(","))
    return tuple(value for value in values if value)


def _number(text: str, country: str) -> str:
    """E.164, also for a ``+`` that was not percent-encoded and so arrived as a space, now stripped."""
    if text.isdigit() and (international := normalise(f"+{text}", country)):
        national = normalise(text, country)
        return national or international
    return normalise(text, country) or text


def _agent(text: str, country: str) -> str:
    """An agent's id; who was dialled by number is known by it."""
    return normalise(text, country) or text if text[:1] == "+" else text
