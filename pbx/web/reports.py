"""``/api/reports/{name}``: what the calls add up to, as JSON or CSV."""

from dataclasses import replace
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pbx.store import export
from pbx.store.calls import Filter
from pbx.store.dimensions import Basis
from pbx.store.period import other_period
from pbx.store.reports import NAMES
from pbx.web.problem import Problem
from pbx.web.query import FILTERS, read_filter, refuse_unknown
from pbx.web.state import WebState, state_of

CSV = "text/csv"


def get_report(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in NAMES:
        detail = f"there is no report {name[:40]!r}; there are {', '.join(NAMES)}"
        raise Problem(HTTPStatus.NOT_FOUND, detail, field="name")
    refuse_unknown(request, (*FILTERS, "compare"))
    state = state_of(request)
    filter = read_filter(request)
    now = _told(state, name, filter)
    before = None
    if compare := request.query_params.get("compare"):
        before = _told(state, name, _compared(state, filter, compare))
    if prefers_csv(request.headers.get("accept", "")):
        rows = export.rows(now, state.config, before)
        table = export.to_csv(rows, compared=before is not None)
        disposition = {"Content-Disposition": f'attachment; filename="{name}.csv"', "Vary": "Accept"}
        return Response(table, media_type=CSV, headers=disposition)
    return JSONResponse(export.document(now, state.config, before), headers={"Vary": "Accept"})


def _told(state: WebState, name: str, filter: Filter) -> export.Told:
    report = state.reports.run(name, filter, Basis.of(state.config))
    return export.Told.of(report, filter, state.config, state.spend)


def _compared(state: WebState, filter: Filter, compare: str) -> Filter:
    """The same filter in another time."""
    now, zone = state.clock.now(), state.config.server.zone
    try:
        since, until = other_period(compare, filter.since, filter.until, now, zone)
    except ValueError as error:
        raise Problem(HTTPStatus.BAD_REQUEST, str(error), field="compare") from None
    return replace(filter, since=since, until=until)


def prefers_csv(accept: str) -> bool:
    """Whether CSV is named, and not less welcome than JSON (RFC 9110 §12.5.1)."""
    weights = dict(_weighed(part) for part in accept.split(","))
    return weights.get(CSV, 0.0) > 0 and weights[CSV] >= weights.get("application/json", 0.0)


def _weighed(part: str) -> tuple[str, float]:
    media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return media_type, float(parameter[2:])
            except ValueError:
                return media_type, 0.0
    return media_type, 1.0
