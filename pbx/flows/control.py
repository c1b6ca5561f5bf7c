"""The verbs that a flow drives, and what they answer.

:class:`CallControl` is the only thing a step sees of a call. A live call and a simulated one
implement the same protocol and pass the same contract tests, so a step cannot tell them apart.

Any verb raises :class:`CallerGone` as soon as the caller has hung up (or the server ends the
call); the interpreter turns that into the call's end. Cancelling a verb leaves nothing behind:
what it started to play stops, whom it rang stops ringing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar
from zoneinfo import ZoneInfo

from pbx.clock import Clock
from pbx.httpcalls import WebAnswer, WebRequest
from pbx.rooms import PLAIN_SOUNDS, Room, RoomSounds

if TYPE_CHECKING:
    from pbx.flows.flow import Flow

T = TypeVar("T")


class CallerGone(Exception):  # noqa: N818 - an end, not an error
    """The caller hung up, or the call was ended from outside; ``cause`` is a pbx.failures name.

    Notes added on its way out say what it broke off, and become part of the trace.
    """

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class SentOn(Exception):  # noqa: N818 - a turn that no step took
    """An agent transferred the caller to ``flow``: a name of the site's, or one made for the purpose."""

    def __init__(self, flow: "Flow | str", because: str) -> None:
        super().__init__(because)
        self.flow = flow
        self.because = because


@dataclass(frozen=True, slots=True)
class Prompt:
    """Something to say: a text for the synthesiser, or an audio file."""

    text: str = ""
    file: Path | None = None
    language: str = ""  # that the text is in; "" is the synthesiser's own
    passing: bool = field(default=False, compare=False)  # made of the call's own values: heard, not kept

    def __str__(self) -> str:
        return str(self.file) if self.file else f"“{self.text}”"


NOTHING = Prompt()
"""Silence, where something might be said."""


@dataclass(frozen=True, slots=True)
class CallFacts:
    """What is known of a call when its flow begins."""

    call_id: str
    did: str  # E.164
    caller: str  # E.164 where it is one; "" when withheld
    source: str
    flow: str
    trunk: str
    whisper: str  # spoken to the agent before the bridge; "" for none
    zone: ZoneInfo  # the server's; schedules are read in it
    country: str  # the region of numbers written without +
    presents: str | None = None  # what calls out show as their caller: "" nothing, None the DID
    language: str = "en"  # that the caller is spoken to in, unless the flow sets another
    attestation: str = ""  # STIR/SHAKEN: "A", "B", "C", "failed"; "" when the carrier sent nothing


@dataclass(frozen=True, slots=True)
class CallerHistory:
    """What the store knows of earlier calls from this number; of one that was withheld, nothing."""

    calls: int = 0
    last_at: datetime | None = None
    last_source: str = ""
    last_agent: str = ""  # who talked to them last, in whichever call


@dataclass(frozen=True, slots=True)
class AgentTarget:
    """An agent: every registered phone of theirs, or their static contact."""

    agent: str

    def __str__(self) -> str:
        return self.agent


@dataclass(frozen=True, slots=True)
class NumberTarget:
    """A receiving number, reached over a trunk."""

    number: str  # E.164
    trunk: str | None  # None: the first trunk that has a host

    def __str__(self) -> str:
        return self.number


Target = AgentTarget | NumberTarget


def agent_of(target: Target) -> str | None:
    """The agent's id; None for a number."""
    return target.agent if isinstance(target, AgentTarget) else None


class CallerHears(StrEnum):
    """What the caller hears while somebody rings."""

    RINGBACK = "ringback"
    MUSIC = "music"


class DialOutcome(StrEnum):
    ANSWERED = "answered"
    NO_ANSWER = "no_answer"  # rang until the timeout
    BUSY = "busy"
    DECLINED = "declined"
    UNREACHABLE = "unreachable"  # no registration, no route, or the phone did not react
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Attempt:
    """How one target took it."""

    target: Target
    outcome: DialOutcome
    sip_status: int | None = None


@dataclass(frozen=True, slots=True)
class DialResult:
    """``outcome`` is ANSWERED if ``winner`` did, else the attempt that says most (busy before silent)."""

    outcome: DialOutcome
    winner: "AnsweredLeg | None"
    attempts: tuple[Attempt, ...]


_SAYS_MOST = (DialOutcome.BUSY, DialOutcome.DECLINED, DialOutcome.NO_ANSWER, DialOutcome.FAILED)


def says_most(outcomes: Sequence[DialOutcome]) -> DialOutcome:
    """Of several targets' outcomes, none of them an answer, the one that tells an admin most."""
    return next((outcome for outcome in _SAYS_MOST if outcome in outcomes), DialOutcome.UNREACHABLE)


@dataclass(frozen=True, slots=True)
class AnsweredLeg:
    """Who answered: the handle that ``bridge`` takes."""

    leg_id: str
    target: Target


@dataclass(frozen=True, slots=True)
class BridgeResult:
    """The other side hung up first (when the caller does, ``bridge`` raises CallerGone instead)."""

    talk_s: float


@dataclass(frozen=True, slots=True)
class MessageResult:
    """A voicemail: how long it is, and what ended it ("key", "limit" or "silence")."""

    duration_s: float
    ended_by: str


@dataclass(frozen=True, slots=True)
class RoomResult:
    """How long the caller was in a room, and whether they left it by key (else it was closed)."""

    stayed_s: float
    by_key: bool


@contextmanager
def noted(note: str) -> Iterator[None]:
    """Add ``note`` to a CallerGone that passes."""
    try:
        yield
    except CallerGone as gone:
        gone.add_note(note)
        raise


async def unless_gone(gone: asyncio.Future[str], awaitable: Awaitable[T]) -> T:
    """The result of ``awaitable``, unless ``gone`` (the cause of the caller's leaving) is resolved first:
    then it is cancelled and CallerGone raised.

    As :func:`asyncio.timeout` does, it cancels the task that it runs in, and takes that back: every verb of
    every call passes here, and a task of its own for each would cost more than most verbs do.
    """
    if gone.done():
        _never_run(awaitable)
        raise CallerGone(gone.result())
    task = asyncio.current_task()
    assert task is not None
    cancelled_before = task.cancelling()
    inside, interrupted = True, False

    def interrupt(_: asyncio.Future[str]) -> None:
        nonlocal interrupted
        if inside:  # else it came too late to be taken off the list
            interrupted = True
            task.cancel()

    gone.add_done_callback(interrupt)
    try:
        result = await awaitable
    except asyncio.CancelledError:
        if interrupted and task.uncancel() <= cancelled_before:
            raise CallerGone(gone.result()) from None
        raise
    except CallerGone:
        if interrupted:
            task.uncancel()
        raise
    except Exception:
        if not gone.done():
            raise
    finally:
        inside = False
        gone.remove_done_callback(interrupt)
    if not gone.done():
        return result
    if interrupted:
        task.uncancel()
    raise CallerGone(gone.result())


def _never_run(awaitable: Awaitable[T]) -> None:
    if asyncio.iscoroutine(awaitable):
        awaitable.close()
    elif isinstance(awaitable, asyncio.Future):
        awaitable.cancel()


def any_done(futures: Sequence[asyncio.Future[Any]], within_s: float | None) -> asyncio.Future[None]:
    """Done when one of them is, or the time is up: ``asyncio.wait`` at a third of its cost."""
    loop = asyncio.get_running_loop()
    first: asyncio.Future[None] = loop.create_future()

    def done(*_: object) -> None:
        if not first.done():
            first.set_result(None)

    def tidy(_: object) -> None:
        if timer is not None:
            timer.cancel()
        for future in futures:
            future.remove_done_callback(done)

    timer = None if within_s is None else loop.call_later(within_s, done)
    for future in futures:
        future.add_done_callback(done)
    first.add_done_callback(tidy)
    return first


def never_enough(_digits: str) -> bool:
    """Digits are gathered until there are as many as may be, one ends them, or none follows."""
    return False


class CallControl(Protocol):
    """One call, as its flow sees it."""

    @property
    def facts(self) -> CallFacts: ...

    @property
    def clock(self) -> Clock: ...

    def local_time(self) -> datetime:
        """Now, in the server's zone (``facts.zone``)."""
        ...

    @property
    def answered(self) -> bool:
        """Whether the caller's leg has been answered."""
        ...

    @property
    def values(self) -> MutableMapping[str, str]:
        """What the flow has found out so far, by name: each step's result under the step's name
        (``zip``), what else it tells under ``step.detail`` (``ring.agent``), and what ``set`` set."""
        ...

    @property
    def tags(self) -> Sequence[str]:
        """The tags that the flow gave the call so far, in order."""
        ...

    async def caller_history(self) -> CallerHistory:
        """Earlier calls from the caller's number; empty when the store cannot tell."""
        ...

    async def until(self, awaitable: Awaitable[T]) -> T:
        """Its result, unless the caller leaves first: then it is cancelled and CallerGone raised."""
        ...

    async def answer(self) -> None:
        """Answer the caller; does nothing when that was done before."""
        ...

    async def play(self, prompt: Prompt) -> None:
        """Answer if need be, play to the end, return. Keys pressed meanwhile are kept for ``collect``."""
        ...

    async def collect(
        self,
        prompt: Prompt | None,
        *,
        max_digits: int,
        timeout_s: float,
        terminators: str = "#",
        enough: Callable[[str], bool] = never_enough,
        hidden: bool = False,
    ) -> str:
        """Play ``prompt`` (a key interrupts it) and gather keys.

        Returns the keys, without a terminator; ``""`` when none came within ``timeout_s`` of the
        prompt's end. Between keys the same timeout holds. Keys pressed before count. No further key is
        waited for once those so far are ``enough``. What is pressed goes on record, unless ``hidden``.
        """
        ...

    async def wait(self, seconds: float) -> None:
        """Answer if need be and stay silent."""
        ...

    async def dial(
        self,
        targets: Sequence[Target],
        *,
        together: bool,
        timeout_s: float,
        caller_hears: CallerHears = CallerHears.RINGBACK,
    ) -> DialResult:
        """Ring the targets, together or in order, each for at most ``timeout_s``.

        Returns when one has answered (the others have been cancelled) or none will. The winner
        hears silence, the caller what ``caller_hears`` says, until ``bridge``.
        """
        ...

    async def bridge(self, winner: AnsweredLeg, *, whisper: Prompt | None = None) -> BridgeResult:
        """Whisper to the winner, answer the caller if need be, join the two, record, wait for the end.

        ``whisper`` None speaks what ``set_whisper`` said last, or ``facts.whisper``; ``NOTHING`` is silence.
        """
        ...

    async def confer(
        self,
        room: Room,
        *,
        sounds: RoomSounds = PLAIN_SOUNDS,
        leave_key: str = "",
        partner: AnsweredLeg | None = None,
    ) -> RoomResult:
        """Answer if need be and be in the room, until ``leave_key`` is pressed or the room is closed.

        With ``partner``, the time in the room counts as a talk with them: their leg and the talk are
        in the record, as if this call had rung them.
        """
        ...

    async def start_music(self) -> None:
        """Answer if need be; music on hold until another verb speaks or ``stop_music``."""
        ...

    async def stop_music(self) -> None: ...

    async def take_message(self, *, max_s: float, silence_s: float | None = None) -> MessageResult:
        """Tone, then record the caller until a key, ``max_s`` or ``silence_s`` without a word.

        ``None``: silence ends nothing. A scripted caller is never silent.
        """
        ...

    async def fetch(self, step: str, request: WebRequest) -> WebAnswer:
        """The answer of another program, within the request's time; a failure is an answer, too.

        ``step`` names who asks: by it a simulation finds what would be answered.
        """
        ...

    def webhook_answered(
        self, step: str, answer: WebAnswer, fields: Mapping[str, str], took_s: float
    ) -> None:
        """For the record: what was answered, and how soon."""
        ...

    def send_text(self, to: str, text: str, *, via: str = "") -> str:
        """Hand a text (SMS) over; what becomes of it is in the events. What is in the way, "" for nothing."""
        ...

    def set_whisper(self, prompt: Prompt) -> None:
        """What the next agents hear before the bridge, in place of ``facts.whisper``."""
        ...

    def set_recording(self, on: bool) -> None:
        """Whether what follows is recorded (the flow's word beats config's)."""
        ...

    def pause_recording(self, paused: bool) -> None:
        """Cut what follows out of the recording, or take it in again."""
        ...

    def tag(self, tag: str, because: str) -> None: ...

    def score(self, score: int, because: str) -> None:
        """Rate the call, 1 to 5; a later score replaces it."""
        ...

    def queue_joined(self, queue: str, position: int, *, visit: int) -> None:
        """``visit`` tells this stay in a queue from others of the same call."""
        ...

    def callback_promised(
        self, queue: str, number: str, *, trunk: str | None, priority: int, place: int
    ) -> None:
        """The caller is called back at ``number`` when it is their turn in ``queue``."""
        ...

    def parked(self, orbit: str) -> None: ...

    def unparked(self, orbit: str, waited_s: float, because: str) -> None: ...
    def queue_left(
        self, queue: str, waited_s: float, because: str, *, visit: int, end: str, agent: str = ""
    ) -> None:
        """``end``: "answered" (by ``agent``), "abandoned", or how else the caller left."""
        ...
