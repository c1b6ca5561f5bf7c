"""A call's recording, a WAV or what became of it, whole or by range (RFC 9110 §14), also while it is made.

Of a running recording, what is on the disk at the moment of the request is the whole. One range is
served; a request for several gets the whole file, as §14.2 allows.
"""

import os
import re
from collections.abc import AsyncIterator
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path

import anyio
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from pbx.web.calls import no_such_call
from pbx.web.problem import Problem
from pbx.web.state import state_of

CHUNK = 64 * 1024
MEDIA_TYPES = {".flac": "audio/flac", ".opus": "audio/ogg; codecs=opus"}
_RANGE = re.compile(r"bytes=\s*(\d*)\s*-\s*(\d*)\s*", re.IGNORECASE)


class Unsatisfiable(ValueError):  # noqa: N818 - the RFC's word
    """The range lies outside the file (RFC 9110 §15.5.17)."""


def read_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte asked for, None for the whole. A header that is no single range is ignored."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if not match or not (match[1] or match[2]):
        return None
    if not match[1]:
        length = _number(match[2])
        if length == 0 or size == 0:
            raise Unsatisfiable
        return max(0, size - length), size - 1
    first = _number(match[1])
    last = _number(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return None
    if first >= size:
        raise Unsatisfiable
    return first, min(last, size - 1)


def _number(digits: str) -> int:
    """Any number of digits, without the cost of reading millions of them."""
    return int(digits.lstrip("0")[:20] or "0")


async def get_recording(request: Request) -> Response:
    path = await run_in_threadpool(_find, request)
    try:
        status = await run_in_threadpool(path.stat)
    except OSError:
        raise Problem(HTTPStatus.NOT_FOUND, "the recording's file is not on the disk any more") from None
    size = status.st_size
    media_type = MEDIA_TYPES.get(path.suffix, "audio/wav")
    modified = formatdate(status.st_mtime, usegmt=True)
    headers = {
        "Accept-Ranges": "bytes",
        "Last-Modified": modified,
        "Content-Disposition": f'inline; filename="{path.name}"',
    }
    wanted = request.headers.get("range")
    if (if_range := request.headers.get("if-range")) and if_range != modified:
        wanted = None
    try:
        part = read_range(wanted, size)
    except Unsatisfiable:
        raise Problem(
            HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
            f"the recording has {size} bytes; {wanted} lies outside",
            headers={"Content-Range": f"bytes */{size}", "Accept-Ranges": "bytes"},
        ) from None
    first, last = part or (0, size - 1)
    headers["Content-Length"] = str(last - first + 1)
    if part:
        headers["Content-Range"] = f"bytes {first}-{last}/{size}"
    code = HTTPStatus.PARTIAL_CONTENT if part else HTTPStatus.OK
    if request.method == "HEAD":
        return Response(None, code, headers, media_type=media_type)
    return StreamingResponse(_read(path, first, last - first + 1), code, headers, media_type=media_type)


async def _read(path: Path, first: int, length: int) -> AsyncIterator[bytes]:
    async with await anyio.open_file(path, "rb") as file:
        await file.seek(first, os.SEEK_SET)
        while length > 0:
            chunk = await file.read(min(CHUNK, length))
            if not chunk:
                return
            length -= len(chunk)
            yield chunk


def _find(request: Request) -> Path:
    state = state_of(request)
    call_id = request.path_params["id"]
    row = state.calls.row(call_id) if "\0" not in call_id else None
    if row is None:
        raise no_such_call(call_id)
    if row.recording is None:
        raise Problem(HTTPStatus.NOT_FOUND, "this call was not recorded")
    return state.data_dir / row.recording
