"""What the worker's loop waits for: sockets with their handlers, and the application's commands."""

import logging
import select
import socket
import time

from media import wire
from media.session import Handler

log = logging.getLogger(__name__)


class Poll:
    """The sockets that are watched, and what to call for each."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Handler] = {}

    def watch(self, fd: int, handler: Handler) -> None:
        if fd not in self._handlers:
            self._epoll.register(fd, select.EPOLLIN)
        self._handlers[fd] = handler

    def unwatch(self, fd: int) -> None:
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def serve(self, timeout_s: float | None) -> int:
        """Wait at most that long (None: for ever) and handle what is there; how much that was."""
        events = self._epoll.poll(timeout_s, 1024)
        now = time.monotonic()
        handlers = self._handlers
        for fd, _kind in events:
            handler = handlers.get(fd)
            if handler is None:
                continue  # closed by a handler before it
            try:
                handler(now)
            except Exception:
                # One packet or command that we take wrongly must not end everybody's call.
                log.exception("%r failed", handler)
        return len(events)


class Control:
    """The worker's end of the socket pair; never blocks."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.closed = False
        self._unpacker = wire.Unpacker()
        self._outgoing: list[wire.Message] = []
        self._unsent = b""  # of what has been packed

    def receive(self) -> list[wire.Message]:
        try:
            data = self.sock.recv(1 << 16)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        self.closed |= not data
        return list(self._unpacker.feed(data))

    def send(self, message: wire.Message) -> None:
        self._outgoing.append(message)

    def flush(self) -> None:
        if self._outgoing:
            self._unsent += wire.pack(*self._outgoing)
            self._outgoing.clear()
        if self._unsent:
            try:
                self._unsent = self._unsent[self.sock.send(self._unsent) :]
            except BlockingIOError:
                return  # the application is busy; the next slice tries again
            except OSError:
                self.closed = True
