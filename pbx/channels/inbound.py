"""Other services' webhooks to us: is it theirs, and what does it say?

Pure: a request's parts in, the mapped fields out. A signature is compared in constant time and before
anything is read; what is mapped is text, cut to a bearable length.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from pbx.channels.dotted import found_at
from pbx.config.inbound import Receive, Signature
from pbx.signing import verify

LONGEST_FIELD = 10_000
MOST_ITEMS = 100


def fault_of(
    signature: Signature, headers: Mapping[str, str], urls: Collection[str], body: bytes, now: datetime
) -> str:
    """What is wrong with the signature, "" if the request is the other side's.

    ``urls``: as what the other side may have called us; behind a proxy nobody knows for sure.
    """
    given = headers.get(signature.header.lower(), "")
    if not given:
        return f"the header {signature.header} is missing"
    if signature.scheme == "dialtrace":
        return verify(signature.secret, given, body, now)
    written = given.strip().encode("latin-1", "replace")
    good = any(
        hmac.compare_digest((signature.prefix + each).encode(), written)
        for each in _expected(signature, urls, body)
    )
    return "" if good else "the signature does not belong to this request and secret"


def _expected(signature: Signature, urls: Collection[str], body: bytes) -> list[str]:
    match signature.scheme:
        case "token":
            return [signature.secret]
        case "url-params-sha1":
            return [_digest(signature, url, body) for url in urls]
        case _:
            return [_digest(signature, "", body)]


def _digest(signature: Signature, url: str, body: bytes) -> str:
    match signature.scheme:
        case "hmac-sha256":
            algorithm, signed = hashlib.sha256, body
        case "hmac-sha1":
            algorithm, signed = hashlib.sha1, body
        case _:  # url-params-sha1: the URL, then each form field's name and value, sorted by name
            pairs = sorted(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
            algorithm, signed = hashlib.sha1, (url + "".join(name + value for name, value in pairs)).encode()
    made = hmac.new(signature.secret.encode(), signed, algorithm).digest()
    return made.hex() if signature.encoding == "hex" else base64.b64encode(made).decode()


def mark_of(signature: Signature, headers: Mapping[str, str], body: bytes) -> str:
    """By what a request is known again that says no id: its signature, which holds its time if it has one."""
    given = headers.get(signature.header.lower(), "").encode("latin-1", "replace")
    return hashlib.sha256(given + b"\n" + body).hexdigest()[:32]


class Unreadable(ValueError):  # noqa: N818 - a state of the body
    """The body is neither JSON nor a form."""


def items(receive: Receive, content_type: str, body: bytes) -> Iterator[dict[str, str]]:
    """What each message of the request says, by our names. Raises Unreadable."""
    data = _read(content_type, body)
    found = [data] if not receive.items else list(_every(data, receive.items.split(".")))
    for item in found[:MOST_ITEMS]:
        yield {name: value for name, place in receive.fields.items() if (value := _at(item, place))}


def _read(content_type: str, body: bytes) -> Any:
    if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("the body is neither JSON nor a form") from None


def _every(data: Any, parts: list[str]) -> Iterator[Any]:
    """Each item of the lists at a place; lists on the way are gone through, too."""
    if isinstance(data, list):
        for item in data:
            yield from _every(item, parts)
    elif not parts:
        yield data
    elif isinstance(data, dict) and parts[0] in data:
        yield from _every(data[parts[0]], parts[1:])


def _at(data: Any, place: str) -> str:
    """``data.0.id`` of a document; a list without a number in the place is joined by spaces."""
    # A form's field may have a dot in its name.
    found = data[place] if isinstance(data, dict) and place in data else found_at(data, place)
    if isinstance(found, list):
        found = " ".join(str(each) for each in found if isinstance(each, str | int))
    return _storable(str(found)[:LONGEST_FIELD]) if isinstance(found, str | int | float) else ""


def _storable(text: str) -> str:
    """Without what no database takes: zeros, and the halves of letters that JSON may hold (a cut emoji)."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
