"""How messages lie in a connection: as a stream of SIP (RFC 3261 §18.3), or in WebSocket frames (RFC 7118).

A framing is fed what arrives and gives back whole messages and the bytes to send at once (a pong, a
handshake's answer, a close). :class:`StreamError` means that nothing can be understood from there on.
"""

from collections.abc import Sequence
from typing import Protocol

from websockets.frames import Frame, Opcode
from websockets.http11 import Request as HttpRequest
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from sip.transport.stream import MAX_BODY_BYTES, MAX_HEAD_BYTES, PING, PONG, Framer, StreamError

SIP = Subprotocol("sip")


class Framing(Protocol):
    def feed(self, data: bytes) -> tuple[Sequence[bytes], bytes]:
        """Whole messages, and what to send at once. Raises StreamError."""
        ...

    def wrap(self, message: bytes) -> bytes:
        """A message as it goes out."""
        ...

    def ping(self) -> bytes:
        """What asks the peer whether it is still there."""
        ...


class StreamFraming:
    """TCP and TLS."""

    def __init__(self) -> None:
        self._framer = Framer()

    def feed(self, data: bytes) -> tuple[Sequence[bytes], bytes]:
        found = self._framer.feed(data)
        messages = [message for message in found if message != PING]
        return messages, PONG * (len(found) - len(messages))

    def wrap(self, message: bytes) -> bytes:
        return message

    def ping(self) -> bytes:
        return PING


class WebSocketFraming:
    """The server's side: a handshake that must ask for the subprotocol ``sip`` (RFC 7118 §4.1), then one
    message a frame, text or binary as it comes. Browsers know nothing of CRLF: pings are WebSocket's."""

    def __init__(self) -> None:
        self._protocol = ServerProtocol(
            subprotocols=[SIP], max_size=MAX_HEAD_BYTES + MAX_BODY_BYTES, logger=None
        )
        self._open = False
        self._text = True  # what the peer sends is what it gets
        self._parts: list[bytes] = []

    def feed(self, data: bytes) -> tuple[Sequence[bytes], bytes]:
        self._protocol.receive_data(data)
        messages: list[bytes] = []
        for event in self._protocol.events_received():
            if isinstance(event, HttpRequest):
                if self._protocol.eof_sent:  # what came behind the request was no frame
                    raise StreamError("frames before the WebSocket was open")
                response = self._protocol.accept(event)
                self._protocol.send_response(response)
                self._open = response.status_code == 101
            elif isinstance(event, Frame):
                messages += self._frame(event)
        to_send = b"".join(self._protocol.data_to_send())
        if self._protocol.close_expected() or self._protocol.handshake_exc is not None:
            raise StreamError("the WebSocket was closed, or never opened", last_words=to_send)
        return messages, to_send

    def wrap(self, message: bytes) -> bytes:
        if not self._open:
            return b""
        if self._text:
            self._protocol.send_text(message)
        else:
            self._protocol.send_binary(message)
        return b"".join(self._protocol.data_to_send())

    def ping(self) -> bytes:
        if not self._open:
            return b""
        self._protocol.send_ping(b"")
        return b"".join(self._protocol.data_to_send())

    def _frame(self, frame: Frame) -> list[bytes]:
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY):
            self._text = frame.opcode is Opcode.TEXT
            self._parts = []
        elif frame.opcode is not Opcode.CONT:  # ping, pong, close: answered by the protocol
            return []
        self._parts.append(bytes(frame.data))
        if not frame.fin:
            return []
        message, self._parts = b"".join(self._parts), []
        return [message] if message.strip(b"\r\n\0") else []
