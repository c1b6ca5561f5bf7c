"""Transcription in a running server: calls that end go in, transcripts go to the store and the bus.

A recorded call's row says ``pending`` from the recording's start. At start-up the store is asked
for those that an earlier run left, so that a transcript is never lost to a restart, only late. One that
the store does not take is offered again for a while, and then left to the next start.

The model is looked for with every start of a worker, so one that an admin puts in place is used
without a restart; a published one is fetched once, in the background, while calls go on.
"""

import asyncio
import contextlib
import functools
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from pbx.clock import Clock
from pbx.config.site import Site
from pbx.events import CallEnded, CallEvent, EventBus, RecordingStarted, TranscriptChanged
from pbx.intelligence import model
from pbx.intelligence.model import ModelSpec, ModelUnavailable, OnProgress
from pbx.intelligence.transcriber import Transcriber
from pbx.store.calls import Calls, Transcript
from pbx.store.database import open_engine

log = logging.getLogger(__name__)

KEEP_AGAIN_AFTER_S = (1.0, 5.0, 30.0, 60.0)
PROGRESS_STEP = 10  # per cent between two log lines

T = TypeVar("T")


class ModelKeeper:
    """Finds the model, and fetches it the first time that it is missed."""

    def __init__(self, spec: ModelSpec, on_progress: OnProgress | None = None) -> None:
        self._spec = spec
        self._on_progress = on_progress or _logged_progress(spec.model)
        self._stop = threading.Event()
        self._fetching: asyncio.Task[Path] | None = None

    async def find(self) -> Path:
        """The model's folder. Raises ModelUnavailable; a fetch that failed is not tried again."""
        found = await asyncio.to_thread(model.find, self._spec)
        if found is not None:
            return found
        if self._fetching is None:
            log.info("fetching the speech model %s", self._spec.url)
            fetch = functools.partial(model.fetch, self._spec, on_progress=self._on_progress, stop=self._stop)
            self._fetching = asyncio.create_task(_in_own_thread(fetch))
        return await asyncio.shield(self._fetching)

    async def close(self) -> None:
        self._stop.set()
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.gather(self._fetching, return_exceptions=True)


class TranscriptionService:
    """Everything about transcripts that a server needs, between ``start`` and ``close``."""

    def __init__(self, site: Site, bus: EventBus, clock: Clock) -> None:
        self._data_dir = site.data_dir
        self._bus = bus
        self._clock = clock
        self._database = open_engine(site.database_url)
        self._calls = Calls(self._database)
        self._recordings: dict[str, str] = {}  # of calls in progress
        self._model = ModelKeeper(model_spec(site))
        self._transcriber = Transcriber(
            self._model.find, self._keep, workers=site.config.transcription.workers
        )
        self._looking: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    async def start(self) -> None:
        self._unsubscribe = self._bus.subscribe(self._hear, RecordingStarted, CallEnded)
        await self._transcriber.start()
        self._looking = asyncio.create_task(self._look_for_the_model())
        try:
            left = await asyncio.to_thread(self._calls.awaiting_transcript)
        except SQLAlchemyError as error:
            log.warning("calls left without a transcript are looked for at the next start: %s", error)
            return
        for call in left:
            self._submit(call.call_id, call.recording)

    async def close(self) -> None:
        self._unsubscribe()
        await self._model.close()
        await self._transcriber.close()
        if self._looking is not None:
            await asyncio.gather(self._looking, return_exceptions=True)
        self._database.dispose()

    async def _look_for_the_model(self) -> None:
        """At once rather than with the first call: fetching takes minutes, and an admin should know."""
        try:
            log.info("transcribing with %s", await self._model.find())
        except ModelUnavailable as error:
            log.warning("calls get no transcripts: %s", error)

    def _hear(self, event: CallEvent) -> None:
        match event:
            case RecordingStarted():
                self._recordings[event.call_id] = event.path
            case CallEnded() if recording := self._recordings.pop(event.call_id, None):
                self._submit(event.call_id, recording)

    def _submit(self, call_id: str, recording: str) -> None:
        self._transcriber.submit(call_id, self._data_dir / recording)

    async def _keep(self, call_id: str, transcript: Transcript) -> None:
        for wait_s in (*KEEP_AGAIN_AFTER_S, None):
            try:
                await asyncio.to_thread(self._calls.save_transcript, call_id, transcript, self._clock.now())
                break
            except SQLAlchemyError as error:
                log.warning("the transcript of call %s is not stored yet: %s", call_id, error)
                if wait_s is None:
                    return
                await self._clock.sleep(wait_s)
        self._bus.publish(changed(call_id, transcript, self._clock))


def model_spec(site: Site) -> ModelSpec:
    return ModelSpec(site.config.transcription.model, site.folder, site.data_dir, model.PUBLISHED_AT)


def changed(call_id: str, transcript: Transcript, clock: Clock) -> TranscriptChanged:
    return TranscriptChanged(
        call_id=call_id,
        at=clock.now(),
        state=transcript.state,
        words=len(transcript.words),
        problem=transcript.problem,
    )


def _logged_progress(name: str) -> OnProgress:
    reported = 0

    def report(done: int, total: int | None) -> None:
        nonlocal reported
        percent = 100 * done // total if total else 0
        if percent >= reported + PROGRESS_STEP:
            reported = percent
            log.info("fetching %s: %d %% of %.0f MB", name, percent, (total or 0) / 1e6)

    return report


async def _in_own_thread(work: Callable[[], T]) -> T:
    """Like ``asyncio.to_thread``, in a thread that nobody waits for at exit: a network may hang."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if outcome.cancelled():
            return
        if error is not None:
            outcome.set_exception(error)
        else:
            outcome.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = work()
        except BaseException as raised:
            error = raised
        # The loop is closed when the server ended in the meantime: then nobody wants to know.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="model-fetch", daemon=True).start()
    return await outcome
