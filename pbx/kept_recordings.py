"""Recordings in the form that the site keeps them in, once their calls are over.

One at a time, in a process of its own at the lowest priority, so that no call notices. The row is told of
the new file before the WAV goes; what cannot be converted stays a WAV, with a line in the log. What a server
did not get to before it was stopped, or recorded before the site wanted another form, is converted from the
next start on, behind what its calls record.
"""

import asyncio
import logging
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from pbx.clock import Clock
from pbx.events import CallEvent, EventBus, RecordingConverted, RecordingEnded

log = logging.getLogger(__name__)

NICENESS = 19


class KeptRecordings:
    def __init__(
        self,
        data_dir: Path,
        bus: EventBus,
        clock: Clock,
        form: Callable[[], str],
    ) -> None:
        """``form``: ``wav``, ``flac`` or ``opus``, as the site says at that moment."""
        self._data_dir = data_dir
        self._bus = bus
        self._clock = clock
        self._form = form
        self._waiting: deque[tuple[str, str]] = deque()
        self._arrived = asyncio.Event()
        self._left: deque[tuple[str, str]] = deque()  # by earlier runs
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    def start(self, left: Iterable[tuple[str, str]] = ()) -> None:
        """``left``: call and path of what is still a WAV."""
        self._left.extend(left)
        self._unsubscribe = self._bus.subscribe(self._hear, RecordingEnded)
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """What waits stays a WAV until the next start."""
        self._unsubscribe()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _hear(self, event: CallEvent) -> None:
        if isinstance(event, RecordingEnded) and self._form() != "wav" and not event.problem:
            self._waiting.append((event.call_id, event.path))
            self._arrived.set()

    async def _run(self) -> None:
        while True:
            call_id, path = await self._next()
            source = self._data_dir / path
            target = source.with_suffix(f".{self._form()}")
            if target == source or not source.exists():
                continue
            if problem := await _convert(source, target):
                log.error("recording of call %s stays a WAV: %s", call_id, problem)
                continue
            kept = target.relative_to(self._data_dir).as_posix()
            self._bus.publish(RecordingConverted(call_id=call_id, at=self._clock.now(), path=kept))
            source.unlink(missing_ok=True)

    async def _next(self) -> tuple[str, str]:
        while not self._waiting:
            if self._left and self._form() != "wav":
                return self._left.popleft()
            self._arrived.clear()
            await self._arrived.wait()
        return self._waiting.popleft()


async def _convert(source: Path, target: Path) -> str:
    """What went wrong, "" for nothing."""
    process = await asyncio.create_subprocess_exec(
        *("nice", "-n", str(NICENESS), sys.executable, "-m", "media.convert", str(source), str(target)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=_environment(),
    )
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    return "" if process.returncode == 0 else said.decode(errors="replace").strip()[-300:] or "it ended"


def _environment() -> dict[str, str]:
    home = str(Path(__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
