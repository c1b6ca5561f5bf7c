"""A call's transcript: its words with times, and how far it is."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from pbx.web import present
from pbx.web.calls import no_such_call
from pbx.web.state import state_of


def get_transcript(request: Request) -> Response:
    """Always 200 for a call that exists; ``state`` says whether words are to be expected."""
    call_id = request.path_params["id"]
    found = state_of(request).calls.transcript(call_id) if "\0" not in call_id else None
    if found is None:
        raise no_such_call(call_id)
    return JSONResponse(present.transcript(found))
