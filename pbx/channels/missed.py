"""Chats that nobody answers: after a while they are messages, and everybody who listens hears of it.

A visitor's line waits for ``channels.missed_after``. If it is still open then, all open lines of its chat are
marked, and ``chat.missed`` is published once. The chat stays in the inbox as an open conversation; what
the visitor writes from then on belongs to it, and is not missed again. An answer, or somebody who says
that it is done, begins anew. Lines of an earlier run are taken up at the start.
"""

import asyncio
import logging
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
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._begin(self._take_up())

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def heard(self, event: events.CallEvent) -> None:
        if isinstance(event, events.MessageReceived) and event.channel == Channel.CHAT:
            self._begin(self._wait(event.message_id, event.at))

    def _begin(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take_up(self) -> None:
        try:
            waiting = await self._in_thread(self._messages.waiting_chats)
        except DBAPIError as error:
            log.error("chats that wait from before are not known: %s", error.orig)
            return
        for line in waiting:
            self._begin(self._wait(line.id, line.created))

    async def _wait(self, line: str, written: datetime) -> None:
        patience_s = seconds(self._patience())
        await self._clock.sleep(max(0.0, patience_s - (self._clock.now() - written).total_seconds()))
        try:
            first = await self._in_thread(
                self._messages.miss_chat, line, f"nobody answered within {patience_s:g} s"
            )
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
