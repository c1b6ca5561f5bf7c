"""Provisional responses that are acknowledged (RFC 3262): 100rel, RSeq, RAck and PRACK.

A caller who supports ``100rel`` gets early media by a reliable 183, one who requires it every provisional
response so: it is sent again, at intervals that double from T1, until its PRACK comes, and after 64*T1 the
call is given up (§3). One is under way at a time, and a 200 waits for the PRACK of a 183 that carried our
answer. As a caller we support it too, and acknowledge in order (§4).

Pure: headers in, headers out.
"""

import re

from sip.message import Request, Response

TAG = "100rel"
_RACK = re.compile(r"([0-9]{1,10}) +([0-9]{1,10}) +([A-Za-z]+)")


def supports(request: Request) -> bool:
    return _named(request, "Supported") or requires(request)


def requires(message: Request | Response) -> bool:
    return _named(message, "Require")


def rseq(response: Response) -> int | None:
    """The number of a reliable provisional response; None for any other."""
    text = (response.headers.get("RSeq") or "").strip()
    return (
        int(text) if requires(response) and text.isascii() and text.isdecimal() and len(text) < 11 else None
    )


def rack(response_number: int, invite: Request | Response) -> str:
    """What a PRACK says that it acknowledges."""
    return f"{response_number} {invite.cseq.number} INVITE"


def acknowledges(prack: Request, response_number: int, invite: Request) -> bool:
    match = _RACK.fullmatch((prack.headers.get("RAck") or "").strip())
    return match is not None and (int(match[1]), int(match[2]), match[3].upper()) == (
        response_number,
        invite.cseq.number,
        "INVITE",
    )


def _named(message: Request | Response, field: str) -> bool:
    return any(tag.strip().lower() == TAG for value in message.headers.all(field) for tag in value.split(","))
