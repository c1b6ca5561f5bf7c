"""Query parameters into typed values; whatever is wrong is a 400 that names the parameter."""

import difflib
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from typing import TypeVar

from starlette.requests import Request

from pbx.attribution.pageview import LONGEST_URL
from pbx.events import CallStatus
from pbx.numbering import normalise
from pbx.store.calls import LONGEST_PAGE, Filter
from pbx.store.dimensions import DIMENSIONS, Basis
from pbx.store.export import NONE
from pbx.store.figures import MEASURES
from pbx.store.period import parse_moment
from pbx.web.problem import Problem
from pbx.web.state import state_of

T = TypeVar("T")

GROUPS = tuple(name for name in DIMENSIONS if name not in ("source", "number", "agent"))
"""Groups of reports that lists can be filtered by, whole values; ``(none)`` is the group that has none."""

FILTERS = ("since", "until", "source", "number", "agent", "status", "tag", "q", *GROUPS)
OF_FIGURE = ("by", "key", "figure")
"""One figure of one group of a report, as its links say it."""

USUAL_PAGE = 100
LONGEST_VALUE = LONGEST_URL


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
        groups=tuple(_groups(request)),
        figure=_figure(params.get("figure", "")),
        basis=Basis.of(state.config),
    )


def _groups(request: Request) -> Iterator[tuple[str, tuple[str, ...]]]:
    params = request.query_params
    for name in GROUPS:
        if values := params.getlist(name):
            yield name, tuple("" if value == NONE else value for value in values)
    if by := params.get("by", ""):
        if by not in DIMENSIONS:
            detail = f"there is no report {by[:40]!r}; there are {', '.join(DIMENSIONS)}"
            raise Problem(HTTPStatus.BAD_REQUEST, detail, field="by")
        yield by, (params.get("key", ""),)
    elif "key" in params:
        raise Problem(HTTPStatus.BAD_REQUEST, "key is of a report's group; say which with by", field="by")


def _figure(name: str) -> str:
    if name and name not in MEASURES:
        detail = f"there is no figure {name[:40]!r}; there are {', '.join(MEASURES)}"
        raise Problem(HTTPStatus.BAD_REQUEST, detail, field="figure")
    return name


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
