"""``/api/live``: events as they happen (server-sent events, WHATWG HTML §9.2).

Each client has a queue of its own. One that does not keep up is dropped rather than held in memory;
its browser reconnects and says the last id it saw, and what it missed is sent from a short memory, as
far as that reaches. An id is ``run-number``: after a restart of the server the numbers begin anew.
A comment line every few seconds keeps proxies from closing the stream and finds clients that left.
"""

import asyncio
import json
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from pbx.events import CallEvent, EventBus
from pbx.store.encoding import to_json

HEARTBEAT_S = 10.0
REMEMBERED = 2000
BEHIND = 1000
"""A client with so many events unsent is dropped."""


class _Numbered(NamedTuple):
    number: int
    event: CallEvent


class Feed:
    """Hears the bus and feeds every client."""

    def __init__(self, bus: EventBus, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._heartbeat_s = heartbeat_s
        self._run = secrets.token_hex(4)
        self._number = 0
        self._memory: deque[_Numbered] = deque(maxlen=REMEMBERED)
        self._clients: set[asyncio.Queue[_Numbered | None]] = set()
        self._stop_hearing: Callable[[], None] | None = bus.subscribe(self._hear)

    @property
    def clients(self) -> int:
        return len(self._clients)

    def close(self) -> None:
        """End every stream; a server that stops does not wait for browsers to leave."""
        if self._stop_hearing is not None:
            self._stop_hearing()
            self._stop_hearing = None
        for client in tuple(self._clients):
            self._end(client)

    def _hear(self, event: CallEvent) -> None:
        self._number += 1
        numbered = _Numbered(self._number, event)
        self._memory.append(numbered)
        for client in tuple(self._clients):
            if client.qsize() >= BEHIND:
                self._end(client)
            else:
                client.put_nowait(numbered)

    def _end(self, client: asyncio.Queue[_Numbered | None]) -> None:
        self._clients.discard(client)
        while not client.empty():
            client.get_nowait()
        client.put_nowait(None)

    async def stream(self, last_id: str = "") -> AsyncIterator[str]:
        """Lines for one client, from after ``last_id`` if that is remembered, else from now on."""
        client: asyncio.Queue[_Numbered | None] = asyncio.Queue()
        for numbered in self._since(last_id):
            client.put_nowait(numbered)
        self._clients.add(client)
        try:
            yield "retry: 2000\n: welcome\n\n"
            while True:
                try:
                    async with asyncio.timeout(self._heartbeat_s):
                        numbered_or_end = await client.get()
                except TimeoutError:
                    yield ": still here\n\n"
                    continue
                if numbered_or_end is None:
                    return
                yield self._message(numbered_or_end)
        finally:
            self._clients.discard(client)

    def _since(self, last_id: str) -> list[_Numbered]:
        run, _, number = last_id.partition("-")
        if run != self._run or not number.isdigit():
            return []
        return [numbered for numbered in self._memory if numbered.number > int(number[:18])]

    def _message(self, numbered: _Numbered) -> str:
        data = json.dumps(to_json(numbered.event), ensure_ascii=False, default=str)
        return f"id: {self._run}-{numbered.number}\nevent: {numbered.event.kind}\ndata: {data}\n\n"


async def get_live(request: Request) -> Response:
    feed = request.app.state.feed
    assert isinstance(feed, Feed)
    stream = feed.stream(request.headers.get("last-event-id", ""))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, headers=headers, media_type="text/event-stream")
