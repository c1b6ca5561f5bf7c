"""Cutting a byte stream into messages (RFC 3261 §18.3), and its keep-alives (RFC 5626 §3.5.1).

A message ends where its Content-Length says, which a stream must therefore give; without it, or with
more than we take, nothing after it can be found again, so that the connection has to be closed. In
between, a double CRLF is a ping, to be answered with a single one.
"""

import re
from dataclasses import dataclass, field

MAX_HEAD_BYTES = 32 * 1024
MAX_BODY_BYTES = 64 * 1024

PING = b"\r\n\r\n"
PONG = b"\r\n"

_CONTENT_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:[ \t]*(\d{1,9})[ \t]*(?=\r\n)", re.IGNORECASE)


class StreamError(Exception):
    """The stream cannot be understood from here on. ``last_words`` are sent before it is closed."""

    def __init__(self, reason: str, *, last_words: bytes = b"") -> None:
        super().__init__(reason)
        self.last_words = last_words


@dataclass(slots=True)
class Framer:
    """Feed it what arrives; it gives back whole messages, and ``PING`` for each ping."""

    _buffer: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> list[bytes]:
        """Raises StreamError, after which the connection is of no further use."""
        self._buffer += data
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def _next(self) -> bytes | None:
        buffer = self._buffer
        if buffer.startswith(PING):
            del buffer[: len(PING)]
            return PING
        # A lone CRLF may be the first half of a ping, or a pong before a message.
        if buffer.startswith(PONG) and len(buffer) > 3:
            del buffer[: len(PONG)]
            return self._next()
        if buffer == PONG or buffer == PING[:3] or buffer == PING[:1]:
            return None
        head = buffer.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES + 4)
        if head < 0:
            if len(buffer) > MAX_HEAD_BYTES:
                raise StreamError(f"{len(buffer)} bytes without an end of headers, limit {MAX_HEAD_BYTES}")
            return None
        length = _CONTENT_LENGTH.search(buffer, 0, head + 2)
        if length is None:
            raise StreamError("a message without Content-Length")
        body = int(length[1])
        if body > MAX_BODY_BYTES:
            raise StreamError(f"Content-Length {body}, limit {MAX_BODY_BYTES}")
        end = head + 4 + body
        if len(buffer) < end:
            return None
        message = bytes(buffer[:end])
        del buffer[:end]
        return message
