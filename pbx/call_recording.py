"""One call's recording: one file, whoever comes and goes, and who may stop it when.

Three may say whether it runs. The site and the flow *want* it or not (``recording:``, the step
``record``). Somebody *pauses* it, while a card number is read out: the agent by key, a program over the
API, the flow. The caller *declines* it when asked; then nothing the others say counts, except that
who leaves a message has it recorded. What is paused is cut out of the file.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from media.engine import EndpointId, MediaEngine, MediaUnavailable, RecordingId
from pbx import events
from pbx.clock import Clock
from pbx.config.recording import Recording
from pbx.flows.languages import Words


@dataclass(frozen=True, slots=True)
class RecordingHabits:
    """How the site records; :class:`pbx.config.recording.Recording` as a call needs it."""

    channels: int = 2
    beep_s: float = 0.0  # between beeps that both hear; 0 for none
    pause_key: str = "*9"  # the agent's, during the call; "" for none
    consent: Words = ""  # spoken to the caller before anything is recorded
    decline_key: str = ""  # the caller's, during that text


def habits_of(config: Recording) -> RecordingHabits:
    consent = config.consent
    return RecordingHabits(
        channels=config.channels,
        beep_s=config.beep.total_seconds() if config.beep else 0.0,
        pause_key=config.pause_key,
        consent=consent.say if consent else "",
        decline_key=consent.decline if consent else "",
    )


class Publish(Protocol):
    def __call__(self, event: type[events.CallEvent], **values: object) -> None: ...


def _tell_nobody(event: type[events.CallEvent], **values: object) -> None:
    """What a call that is over is told."""


class CallRecording:
    def __init__(
        self,
        call_id: str,
        engine: MediaEngine,
        clock: Clock,
        publish: Publish,
        data_dir: Path,
        habits: RecordingHabits,
        *,
        wanted: bool,
    ) -> None:
        self.habits = habits
        self.wanted = wanted
        self.paused = False
        self.declined = False
        self._call_id = call_id
        self._engine = engine
        self._clock = clock
        self._publish = publish
        self._data_dir = data_dir
        self._running: RecordingId | None = None
        self._path = ""
        self._sides: tuple[EndpointId | None, EndpointId | None] = (None, None)
        self._beside: tuple[EndpointId, ...] = ()

    @property
    def started(self) -> bool:
        return self._running is not None

    @property
    def state(self) -> str:
        """``off``, ``recording``, ``paused`` or ``declined``."""
        if self.declined:
            return "declined"
        if self._running is None or not self.wanted:
            return "off"
        return "paused" if self.paused else "recording"

    def want(self, on: bool) -> None:
        """The flow's word, which beats the site's."""
        self.wanted = on
        self._apply()

    def pause(self, paused: bool, by: str) -> None:
        """``by``: who asked for it, as the call's history shall say."""
        if paused == self.paused:
            return
        self.paused = paused
        self._apply()
        self._publish(events.RecordingPaused if paused else events.RecordingResumed, by=by)

    def decline(self) -> None:
        self.declined = True
        self._apply()

    def _apply(self) -> None:
        if self._running is not None:
            silent = self.paused or self.declined or not self.wanted
            self._engine.pause_recording(self._running, silent)

    def take(
        self, left: EndpointId | None, right: EndpointId | None, beside: Sequence[EndpointId] = ()
    ) -> None:
        """Record these from here on, if recording is wanted; ``beside`` are heard on the right too."""
        if not self.wanted or self.declined:
            return
        if self._running is not None:
            self._set_sides((left, right), beside)
            return
        now = self._clock.now()
        path = Path("recordings", f"{now:%Y}", f"{now:%m}", f"{now:%d}", f"{self._call_id}.wav")
        self._path = path.as_posix()
        self._running = self._engine.start_recording(
            self._data_dir / path, left=left, right=right, channels=self.habits.channels
        )
        self._sides = (left, right)
        if beside:
            self._set_sides(self._sides, beside)
        self._publish(events.RecordingStarted, path=self._path)
        if self.paused:
            self._apply()

    def take_beside(self, beside: Sequence[EndpointId]) -> None:
        """Others who speak to both from here on: they are heard on the right."""
        if self._running is not None and tuple(beside) != self._beside:
            self._set_sides(self._sides, beside)

    def watch_for_silence(self, after_s: float | None) -> None:
        """Have the leg on the left told when nothing was said for so long; None: no more."""
        if self._running is not None:
            self._engine.watch_for_silence(self._running, after_s)

    def _set_sides(
        self, sides: tuple[EndpointId | None, EndpointId | None], beside: Sequence[EndpointId]
    ) -> None:
        assert self._running is not None
        self._sides, self._beside = sides, tuple(beside)
        left, right = sides
        self._engine.set_recording_sides(self._running, left=left, right=right, beside=beside)

    async def finish(self) -> None:
        """The call is over, and from here on not held by its recording."""
        publish, self._publish = self._publish, _tell_nobody
        running, self._running = self._running, None
        if running is None:
            return
        try:
            result = await self._engine.stop_recording(running)
            duration_s, problem = result.duration_s, result.problem
        except MediaUnavailable as error:
            duration_s, problem = 0.0, str(error)
        publish(events.RecordingEnded, path=self._path, duration_s=duration_s, problem=problem)
