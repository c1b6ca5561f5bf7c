"""Spoken prompts: espeak-ng, each text synthesised once and kept as a WAV file.

A prompt's file is named by the hash of what makes it sound as it does: text, voice, speed, and the
number of this module's own processing. It is written beside its place and renamed into it, so that a
file which exists is whole. Requests for one text while it is being made wait for the same process.

espeak-ng is the command where the machine has one, else the library in the wheel
``espeakng-loader``, run by :mod:`media.espeak`. The text goes in by standard input, never through a
shell or an argument, so that no text can be an option. The speech is brought to 8 kHz, its silent
ends are cut, and its peak is set to :data:`PEAK`, which on a telephone is clearly audible next to a human
voice without clipping in A-law.

At most :data:`MOST_KEPT` files are kept, those that were asked for last. What says the digits that somebody
typed in is not kept at all.
"""

import asyncio
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np

from media.g711 import SAMPLE_RATE_HZ, Samples
from media.wav import NotAWav, read_wav, write_wav

DEFAULT_VOICE = "en-us"
DEFAULT_SPEED = 160  # words a minute
MAX_TEXT = 5000  # characters: about six minutes
TIMEOUT_S = 60.0
MOST_KEPT = 2000  # files; some 150 MB
PASSING = "passing"  # the folder of those that are played once

_VOICES = {"en": "en-us", "es": "es-419", "fr": "fr-fr", "pt": "pt-br", "zh": "cmn"}
"""Where a language's own name is not the voice that most callers expect."""

PEAK = 0.6
PROCESSING = 1  # raise when the processing changes, so that files made before are made anew
_NOTHING = np.empty(0, np.int16)
_AUDIBLE = 0.01  # of the peak
_MARGIN_S = 0.05  # left at either end

REMEDY = "install it (Debian, Ubuntu: apt install espeak-ng; or: pip install espeakng-loader)"


class SpeechUnavailable(Exception):  # noqa: N818 - the state that the caller has to cope with
    """A text cannot be spoken now; the message says why and what would help."""


@dataclass(frozen=True, slots=True)
class Voice:
    """``name`` is one of espeak-ng's, with a variant if wanted (``en-us+f3``)."""

    name: str = DEFAULT_VOICE
    words_a_minute: int = DEFAULT_SPEED


def voice_of(language: str, words_a_minute: int = DEFAULT_SPEED) -> Voice:
    """The usual voice of a language: ``es`` and ``es-MX`` are spoken as in Latin America."""
    base = language.partition("-")[0]
    return Voice(_VOICES.get(language) or _VOICES.get(base) or base, words_a_minute)


class Speech:
    """Texts in, files out; one for each cache folder and event loop."""

    def __init__(
        self,
        folder: Path,
        *,
        voice: Voice = Voice(),
        voices: Mapping[str, Voice] | None = None,
        command: Sequence[str] | None = None,
    ) -> None:
        """``voices``: by language, where the usual ones (:func:`voice_of`) are not wanted. ``command``
        stands in for espeak-ng: it takes its options and reads the text from stdin."""
        self._folder = folder
        self._voice = voice
        self._voices = dict(voices or {})
        self._command = command
        self._in_progress: dict[Path, asyncio.Task[None]] = {}  # by the file they make

    def path_for(self, text: str, language: str = "") -> Path:
        """Where the speech of ``text`` is, or will be."""
        voice = self._in(language)
        identity = json.dumps([text, voice.name, voice.words_a_minute, PROCESSING])
        return self._folder / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.wav"

    def _in(self, language: str) -> Voice:
        if not language:
            return self._voice
        named = self._voices.get(language) or self._voices.get(language.partition("-")[0])
        return named or voice_of(language, self._voice.words_a_minute)

    async def speak(self, text: str, language: str = "", *, keep: bool = True) -> Path:
        """The file that says ``text``; made now if it was never asked for before.

        One that is not to be kept (it says what somebody typed in) is made anew each time, and removed by
        who asked for it.
        """
        if not keep:
            passing = self._folder / PASSING / f"{uuid4().hex}.wav"
            loop = asyncio.get_running_loop()
            once = loop.run_in_executor(None, self._make, text, self._in(language), passing)
            try:
                await asyncio.shield(once)
            except asyncio.CancelledError:
                once.add_done_callback(lambda task: _forget(task, passing))
                raise
            return passing
        path = self.path_for(text, language)
        if path.exists():
            os.utime(path)
            return path
        making = self._in_progress.get(path)
        if making is None:
            making = asyncio.create_task(asyncio.to_thread(self._make, text, self._in(language), path))
            self._in_progress[path] = making
            making.add_done_callback(lambda task: self._done(path, task))
        # Who gives up waiting must not take the file from those who still do.
        await asyncio.shield(making)
        return path

    def speak_now(self, text: str, language: str = "") -> Path:
        """The same for callers without an event loop."""
        path = self.path_for(text, language)
        if not path.exists():
            self._make(text, self._in(language), path)
        return path

    def clear(self) -> None:
        """Remove what a process that was killed left unplayed."""
        shutil.rmtree(self._folder / PASSING, ignore_errors=True)

    def _prune(self) -> None:
        """Of what is kept, drop what was not asked for the longest."""
        found = sorted(self._folder.glob("*.wav"), key=_last_asked_for)
        for path in found[: max(0, len(found) - MOST_KEPT)]:
            path.unlink(missing_ok=True)

    def _done(self, path: Path, task: asyncio.Task[None]) -> None:
        del self._in_progress[path]
        if not task.cancelled():
            task.exception()  # seen, should every waiter have left

    def _make(self, text: str, voice: Voice, path: Path) -> None:
        if len(text) > MAX_TEXT:
            raise SpeechUnavailable(f"a text of {len(text)} characters, at most {MAX_TEXT} are spoken")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=".making-", dir=self._folder) as scratch:
                raw, finished = Path(scratch) / "raw.wav", Path(scratch) / path.name
                _run(_arguments(self._command, voice, raw), text)
                # Of a text without a word in it, espeak-ng makes no file.
                write_wav(finished, _telephone(read_wav(raw)) if raw.exists() else _NOTHING)
                finished.replace(path)
            if path.parent == self._folder:
                self._prune()
        except OSError as error:
            raise SpeechUnavailable(f"cannot keep prompts in {self._folder}: {error.strerror}") from error
        except NotAWav as error:
            raise SpeechUnavailable(f"espeak-ng made no audio: {error}") from error


def _forget(making: "asyncio.Future[None]", path: Path) -> None:
    """Nobody waits for it any more."""
    if not making.cancelled():
        making.exception()
    path.unlink(missing_ok=True)


def _last_asked_for(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:  # somebody else's pruning
        return 0.0


def _arguments(command: Sequence[str] | None, voice: Voice, out: Path) -> list[str]:
    speed = str(voice.words_a_minute)
    if command is None and (found := shutil.which("espeak-ng")):
        command = [found]
    if command is not None:
        return [*command, "-v", voice.name, "-s", speed, "--stdin", "-b", "1", "-w", str(out)]
    if importlib.util.find_spec("espeakng_loader") is not None:
        return [sys.executable, "-m", "media.espeak", voice.name, speed, str(out)]
    raise SpeechUnavailable(f"there is no espeak-ng on this machine: {REMEDY}")


def _run(arguments: list[str], text: str) -> None:
    # The child that runs media.espeak must find it where we did.
    package_root = str(Path(__file__).resolve().parent.parent)
    search = os.pathsep.join(filter(None, (package_root, os.environ.get("PYTHONPATH"))))
    try:
        done = subprocess.run(
            arguments,
            input=text.encode(),
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
            env={**os.environ, "PYTHONPATH": search},
        )
    except subprocess.TimeoutExpired:
        raise SpeechUnavailable(f"{arguments[0]} took more than {TIMEOUT_S:g} s") from None
    except OSError as error:
        raise SpeechUnavailable(f"{arguments[0]} does not run ({error.strerror}): {REMEDY}") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip() or "nothing"
        raise SpeechUnavailable(f"{arguments[0]} ended with {done.returncode} and said: {said}")


def _telephone(speech: Samples) -> Samples:
    """Trimmed of its silent ends, at the level of a prompt; silence stays silence."""
    level = np.abs(speech.astype(np.int32))
    peak = int(level.max(initial=0))
    if peak == 0:
        return speech
    audible = np.flatnonzero(level > peak * _AUDIBLE)
    margin = round(_MARGIN_S * SAMPLE_RATE_HZ)
    cut = speech[max(0, audible[0] - margin) : audible[-1] + 1 + margin]
    return (cut * (PEAK * 32767 / peak)).round().astype(np.int16)
