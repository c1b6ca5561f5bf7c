"""``/api/flows``: the call flows, their pictures, and what went through them."""

from datetime import datetime
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pbx.flows.flow import Flow
from pbx.flows.picture import family, svg
from pbx.flows.traffic import Traffic
from pbx.store.encoding import iso, to_ms
from pbx.store.period import parse_moment, yesterday
from pbx.web.problem import Problem
from pbx.web.query import refuse_unknown
from pbx.web.state import WebState, state_of

PERIOD = ("since", "until")


def list_flows(request: Request) -> Response:
    """Every flow, with the numbers that lead to it and yesterday's calls."""
    refuse_unknown(request, ())
    state = state_of(request)
    since, until = yesterday(state.clock.now(), state.config.server.zone)
    calls = state.traffic.calls(since, until) if state.traffic else {}
    return JSONResponse(
        {"flows": [_present(state, name, flow, calls.get(name, 0)) for name, flow in state.flows.items()]}
    )


def _present(state: WebState, name: str, flow: Flow, calls: int) -> dict[str, object]:
    config = state.config
    numbers = [number for number, entry in config.numbers.items() if entry.flow == name]
    pools = [pool for pool, entry in config.pools.items() if entry.flow == name]
    return {
        "id": name,
        "name": flow.name,
        "start": flow.start,
        "steps": [
            {"name": step, "kind": it.kind, "detail": it.detail, "family": family(it)}
            for step, it in flow.steps.items()
        ],
        "numbers": numbers,
        "pools": pools,
        "calls_yesterday": calls,
    }


def get_traffic(request: Request) -> Response:
    """Calls by step and by way, and where callers hung up."""
    name, flow = _flow(request)
    since, until = _period(request)
    traffic = _traffic(request, name, since, until)
    return JSONResponse(
        {
            "flow": name,
            "since": iso(to_ms(since)),
            "until": iso(to_ms(until)),
            "steps": [
                {"step": step, "calls": traffic.calls[step], "hung_up": traffic.hung_up[step]}
                for step in flow.steps
            ],
            "ways": [
                {"step": step, "exit": label, "target": target, "calls": count}
                for (step, label, target), count in sorted(
                    traffic.labels.items(), key=lambda each: (-each[1], each[0][0], each[0][1])
                )
            ],
        }
    )


def get_picture(request: Request) -> Response:
    """The flow as SVG, each way as wide as its share of the calls."""
    name, flow = _flow(request)
    since, until = _period(request)
    picture = svg(flow, _traffic(request, name, since, until))
    return Response(picture, media_type="image/svg+xml", headers={"Cache-Control": "no-store"})


def _flow(request: Request) -> tuple[str, Flow]:
    name, flows = request.path_params["id"], state_of(request).flows
    if name not in flows:
        raise Problem(HTTPStatus.NOT_FOUND, f"there is no flow {name[:80]!r}", field="id")
    return name, flows[name]


def _period(request: Request) -> tuple[datetime, datetime]:
    """``since`` and ``until``; yesterday if neither is given."""
    refuse_unknown(request, PERIOD)
    state = state_of(request)
    now, zone = state.clock.now(), state.config.server.zone
    since, until = yesterday(now, zone)
    given = {name: request.query_params[name] for name in PERIOD if request.query_params.get(name)}
    for name, text in given.items():
        try:
            moment = parse_moment(text, now, zone)
        except ValueError as problem:
            raise Problem(HTTPStatus.BAD_REQUEST, str(problem), field=name) from None
        since, until = (moment, until) if name == "since" else (since, moment)
    return since, now if "since" in given and "until" not in given else until


def _traffic(request: Request, name: str, since: datetime, until: datetime) -> Traffic:
    reader = state_of(request).traffic
    return reader.of(name, since, until) if reader else Traffic()
