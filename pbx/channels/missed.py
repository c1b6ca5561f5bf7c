"""Chats that nobody answers: after a while they are messages, and everybody who listens hears of it.

A visitor's line waits for ``channels.missed_after``. If it is still open then, all open lines of its chat are
marked, and ``chat.missed`` is published once. The chat stays in the inbox as an open conversation; what
the visitor writes from then on belongs to it, and is not missed again. An answer, or somebody who says
that it is done, begins anew. Lines of an earlier run are taken up at the start.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import DBAPIError

from pbx import events
from pbx.clock import Clock
from pbx.config.fields import seconds
from pbx.store.messages import Channel, Messages

log = logging.getLogger(__name__)


class MissedChats:
    """Subscribe :meth:`heard` to the event bus; ``patience`` is asked anew for each line."""

    def __init__(
        self,
        messages: Messages,
        clock: Clock,
        publish: Callable[[events.CallEvent], None],
        patience: Callable[[], timedelta],
        in_thread: Callable[..., Awaitable[Any]] = asyncio.to_thread,
    ) -> None:
        self._messages = messages
        self._clock = clock
        self._publish = publish
        self._patience = patience
        self._in_thread = in_thread
        self._waiting: deque[tuple[datetime, str]] = deque()  # when it was written, and its id; oldest first
        self._heard = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="missed chats")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def heard(self, event: events.CallEvent) -> None:
        if isinstance(event, events.MessageReceived) and event.channel == Channel.CHAT:
            self._waiting.append((event.at, event.message_id))
            self._heard.set()

    async def _run(self) -> None:
        await self._take_up()
        while True:
            while self._waiting:
                written, line = self._waiting[0]
                patience_s = seconds(self._patience())
                left_s = patience_s - (self._clock.now() - written).total_seconds()
                if left_s > 0:
                    await self._clock.sleep(left_s)
                    continue
                self._waiting.popleft()
                await self._look(line, f"nobody answered within {patience_s:g} s")
            self._heard.clear()
            await self._heard.wait()

    async def _take_up(self) -> None:
        try:
            waiting = await self._in_thread(self._messages.waiting_chats)
        except DBAPIError as error:
            log.error("chats that wait from before are not known: %s", error.orig)
            return
        known = {line for _, line in self._waiting}
        self._waiting.extendleft(
            (each.created, each.id) for each in reversed(waiting) if each.id not in known
        )

    async def _look(self, line: str, problem: str) -> None:
        try:
            first = await self._in_thread(self._messages.miss_chat, line, problem)
        except DBAPIError as error:
            log.error("a chat that nobody answered cannot be marked: %s", error.orig)
            return
        if first is not None:
            self._publish(
                events.ChatMissed(
                    call_id="",
                    at=self._clock.now(),
                    message_id=first.id,
                    thread=first.thread,
                    page=first.to,
                    text=first.text,
                    source=first.source,
                    visitor=first.visitor or "",
                )
            )
