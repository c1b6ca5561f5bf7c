"""Recordings in the form that the site keeps them in, once their calls are over.

One at a time, in a process of its own at the lowest priority, so that no call notices. The row is told of
the new file before the WAV goes; what cannot be converted stays a WAV, with a line in the log.
"""

import asyncio
import logging
import os
import sys
from collections.abc import Callable
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
        self._waiting: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    def start(self) -> None:
        self._unsubscribe = self._bus.subscribe(self._hear)
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """What waits stays a WAV."""
        self._unsubscribe()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _hear(self, event: CallEvent) -> None:
        if isinstance(event, RecordingEnded) and self._form() != "wav" and not event.problem:
            self._waiting.put_nowait((event.call_id, event.path))

    async def _run(self) -> None:
        while True:
            call_id, path = await self._waiting.get()
            source = self._data_dir / path
            target = source.with_suffix(f".{self._form()}")
            if target == source:
                continue
            if problem := await _convert(source, target):
                log.error("recording of call %s stays a WAV: %s", call_id, problem)
                continue
            kept = target.relative_to(self._data_dir).as_posix()
            self._bus.publish(RecordingConverted(call_id=call_id, at=self._clock.now(), path=kept))
            source.unlink(missing_ok=True)


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
