"""Recordings in, transcripts out, in worker processes that calls never notice.

Each of ``workers`` tasks takes a recording from the queue and hands it to a process of its own
(:mod:`pbx.intelligence.worker`), which is started with the first recording and keeps its model
loaded. What can go wrong:

* no model, or one that cannot be loaded: the transcript is ``no_model`` and says why;
* the recording cannot be read: ``failed``, with the reason;
* the worker dies or hangs: a new one tries once more, then ``failed``.

The queue holds names only, and is not the memory of what is to be done: that is the store, which finds calls
without a transcript again at start-up. So :meth:`Transcriber.submit` may be called again for a
call that is waiting already, and :meth:`Transcriber.close` just stops.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pbx.intelligence.model import ModelUnavailable
from pbx.store.calls import Transcript, Word

log = logging.getLogger(__name__)

SPEAKERS = ("caller", "agent")
LOAD_LIMIT_S = 300.0  # a large model from a slow disk, at nice 19
RECOGNITION_LIMIT_S = 3600.0  # for one recording: an hour's call takes minutes on one core
LONGEST_ANSWER = 64 << 20
ATTEMPTS = 2

FindModel = Callable[[], Awaitable[Path]]
OnResult = Callable[[str, Transcript], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Job:
    call_id: str
    wav: Path
    speakers: tuple[str, ...]


class WorkerDied(Exception):  # noqa: N818 - what happened
    """The process ended, or had to be ended, before it answered."""


class DiedLoading(WorkerDied):
    """It was loading the model."""


class Transcriber:
    """``find_model`` may fetch the model first and raises ModelUnavailable; ``on_result`` gets each
    transcript, on the loop, and is waited for before the worker goes on.
    """

    def __init__(
        self,
        find_model: FindModel,
        on_result: OnResult,
        *,
        workers: int = 1,
        recognition_limit_s: float = RECOGNITION_LIMIT_S,
    ) -> None:
        self._find_model = find_model
        self._on_result = on_result
        self._queue: asyncio.Queue[Job] = asyncio.Queue()
        self._unfinished: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._processes = [_Worker(recognition_limit_s) for _ in range(workers)]

    @property
    def pids(self) -> list[int]:
        """The worker processes that run now."""
        return [pid for worker in self._processes if (pid := worker.pid) is not None]

    @property
    def waiting(self) -> int:
        """Recordings submitted and not yet answered for."""
        return len(self._unfinished)

    async def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._serve(worker), name="transcriber") for worker in self._processes
        ]

    def submit(self, call_id: str, wav: Path, *, speakers: Sequence[str] = SPEAKERS) -> None:
        """Transcribe ``wav``, whose channels are ``speakers``; ignored while that call is waiting."""
        if call_id not in self._unfinished:
            self._unfinished.add(call_id)
            self._queue.put_nowait(Job(call_id, wav, tuple(speakers)))

    async def drained(self) -> None:
        """Wait until everything submitted has been answered for."""
        await self._queue.join()

    async def close(self) -> None:
        """Stop at once; what is unfinished is left to the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _serve(self, worker: "_Worker") -> None:
        try:
            while True:
                job = await self._queue.get()
                try:
                    await self._on_result(job.call_id, await self._transcript(worker, job))
                except Exception:
                    log.exception("the transcript of call %s was not kept", job.call_id)
                finally:
                    self._unfinished.discard(job.call_id)
                    self._queue.task_done()
        finally:
            await worker.close()

    async def _transcript(self, worker: "_Worker", job: Job) -> Transcript:
        state = problem = ""
        for _ in range(ATTEMPTS):
            try:
                if not worker.running:
                    await worker.start(await self._find_model())
                return await worker.transcribe(job)
            except ModelUnavailable as error:
                log.warning("no transcript of call %s: %s", job.call_id, error)
                return Transcript("no_model", problem=str(error))
            except WorkerDied as error:
                # Over some broken model files Vosk aborts the process.
                state = "no_model" if isinstance(error, DiedLoading) else "failed"
                problem = str(error)
                log.warning("transcribing call %s: %s", job.call_id, problem)
        return Transcript(state, problem=f"{problem}, {ATTEMPTS} times")


class _Worker:
    """One process, started when needed."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._process: asyncio.subprocess.Process | None = None

    @property
    def running(self) -> bool:
        return self.pid is not None

    @property
    def pid(self) -> int | None:
        if self._process is None or self._process.returncode is not None:
            return None
        return self._process.pid

    async def start(self, model: Path) -> None:
        """Raises ModelUnavailable or WorkerDied."""
        command = [sys.executable, "-m", "pbx.intelligence.worker", str(model), str(os.getpid())]
        try:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,  # Vosk's chatter
                limit=LONGEST_ANSWER,
                env=_environment(),
            )
        except OSError as error:
            raise WorkerDied(f"the recogniser's process does not start: {error.strerror}") from error
        try:
            greeting = await self._answer(LOAD_LIMIT_S)
        except WorkerDied as death:
            raise DiedLoading(f"while loading {model} {death}") from None
        if "broken" in greeting:
            await self.close()
            raise ModelUnavailable(str(greeting["broken"]))

    async def transcribe(self, job: Job) -> Transcript:
        """Raises WorkerDied."""
        assert self._process is not None
        assert self._process.stdin is not None
        request = json.dumps({"wav": str(job.wav), "speakers": job.speakers})
        with contextlib.suppress(ConnectionError):  # the answer will be that it died
            self._process.stdin.write(request.encode() + b"\n")
            await self._process.stdin.drain()
        answer = await self._answer(self._limit_s)
        if "problem" in answer:
            return Transcript("failed", problem=str(answer["problem"]))
        return Transcript("done", tuple(Word(**word) for word in answer["words"]))

    async def close(self) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        self._process = None

    async def _answer(self, limit_s: float) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(limit_s):
                line = await self._process.stdout.readline()
        except TimeoutError:
            await self.close()
            raise WorkerDied(f"the recogniser took more than {limit_s:g} s") from None
        if not line.endswith(b"\n"):
            code = await self._process.wait()
            self._process = None
            raise WorkerDied(f"the recogniser {_ending(code)}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _ending(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"


def _environment() -> dict[str, str]:
    """Ours, with the path on which this package is found, and libraries kept to one thread."""
    home = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, (home, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
