"""Who listens to which chat just now: a visitor's browser hears an agent's line as it is written.

A chat's id is 128 random bits, known to the visitor's browser alone: whoever has it is the visitor. Its
lines are rows like any message; this only wakes those who wait for the next one.
"""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from pbx.store.messages import Message

MOST_WAITING = 100
THREAD = "chat/"


def new_chat() -> str:
    return secrets.token_hex(16)


def thread_of(chat: str) -> str:
    return f"{THREAD}{chat}"


class Chats:
    def __init__(self) -> None:
        self._listeners: dict[str, list[asyncio.Queue[Message]]] = {}

    def listening(self, thread: str) -> bool:
        return bool(self._listeners.get(thread))

    @contextmanager
    def lines(self, thread: str) -> Iterator[asyncio.Queue[Message]]:
        """The agents' lines from here on, inside the block."""
        queue: asyncio.Queue[Message] = asyncio.Queue(MOST_WAITING)
        self._listeners.setdefault(thread, []).append(queue)
        try:
            yield queue
        finally:
            self._listeners[thread].remove(queue)
            if not self._listeners[thread]:
                del self._listeners[thread]

    def tell(self, message: Message) -> None:
        for queue in self._listeners.get(message.thread, ()):
            if not queue.full():
                queue.put_nowait(message)
