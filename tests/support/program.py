"""Another program for tests: an HTTP server that keeps what it was sent and answers as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Received:
    """One request, as it came."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Reply = tuple[int, bytes]


@dataclass
class Program:
    """``replies`` decides what each request is answered; None: nothing, ever."""

    replies: Callable[[Received], Reply | None] = lambda request: (200, b"")
    received: list[Received] = field(default_factory=list)
    port: int = 0
    _arrived: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    async def until(self, count: int) -> list[Received]:
        """The first ``count`` requests, once they have come."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.received) >= count)
        return self.received[:count]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                method, path, _ = head[0].split(" ", 2)
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in head[1:] if line)
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                request = Received(method, path, headers, body)
                self.received.append(request)
                async with self._arrived:
                    self._arrived.notify_all()
                reply = self.replies(request)
                if reply is None:
                    await reader.read()
                    return
                status, answer = reply
                writer.write(b"HTTP/1.1 %d -\r\nContent-Length: %d\r\n\r\n%s" % (status, len(answer), answer))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def program(replies: Callable[[Received], Reply | None] | None = None) -> AsyncIterator[Program]:
    """A program that listens inside the block."""
    made = Program(replies) if replies else Program()
    server = await asyncio.start_server(made.serve, HOST, 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


@contextmanager
def program_beside(replies: Callable[[Received], Reply | None]) -> Iterator[Program]:
    """The same on a thread of its own, for tests that run on no loop, or on more than one."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    listening = program(replies)
    try:
        yield asyncio.run_coroutine_threadsafe(listening.__aenter__(), loop).result()
        asyncio.run_coroutine_threadsafe(listening.__aexit__(None, None, None), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
