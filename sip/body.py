"""Bodies: the session description in a message, also where it is one part of several (RFC 5621)."""

from email.parser import BytesParser

from sip.message import Request, Response

SDP = "application/sdp"


def sdp_of(message: Request | Response) -> bytes | None:
    """The session description, if there is one."""
    if not message.body:
        return None
    written = message.headers.get("Content-Type") or SDP
    content_type = written.partition(";")[0].strip().lower()
    if content_type == SDP:
        return message.body
    if content_type.startswith("multipart/"):
        return _part_of(written, message.body)
    return None


def _part_of(content_type: str, body: bytes) -> bytes | None:
    parsed = BytesParser().parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    for part in parsed.walk():
        if part.get_content_type() == SDP:
            payload = part.get_payload(decode=True)
            return payload if isinstance(payload, bytes) else None
    return None
