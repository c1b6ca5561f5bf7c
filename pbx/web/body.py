"""A request's body: read up to a limit, then a JSON object of a given shape, or a problem document."""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import Request

from pbx.web.problem import Problem

Shape = TypeVar("Shape", bound=BaseModel)

LONGEST_BODY = 64 * 1024


async def read_any(request: Request, longest: int = LONGEST_BODY) -> bytes:
    """Whatever its type. Raises 413."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > longest:
            raise Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is at most {longest} bytes")
    return body


async def read_json(request: Request) -> bytes:
    """What says that it is JSON. Raises 415, 413."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise Problem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the body is application/json, not {media_type or 'untyped'}"
        )
    return await read_any(request)


def in_words(field: str, error: ErrorDetails) -> str:
    return f"{field}: {error['msg']}"


def parsed(
    body: bytes,
    shape: type[Shape],
    *,
    example: str = "",
    headers: dict[str, str] | None = None,
    in_words: Callable[[str, ErrorDetails], str] = in_words,
) -> Shape:
    """Raises 400 for what is no JSON object (``example`` shows one), 422 for a wrong field."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise Problem(HTTPStatus.BAD_REQUEST, "the body is not JSON", headers=headers) from None
    if not isinstance(given, dict):
        such_as = f", such as {example}" if example else ""
        raise Problem(HTTPStatus.BAD_REQUEST, f"the body is to be an object{such_as}", headers=headers)
    try:
        return shape.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        detail = in_words(field, first)
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, field=field, headers=headers) from None
