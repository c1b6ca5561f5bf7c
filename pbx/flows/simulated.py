"""A simulated call: :class:`~pbx.flows.control.CallControl` on scripted legs.

It keeps the promises of a live call (the contract tests hold both to them) without a network: a
prompt lasts as long as its text would take to speak, phones react as the :class:`Script` says, and
all waiting is done on the event loop, which under :class:`~pbx.clock.VirtualClock` takes no time.
It publishes the same events as a live call, so status and trace are read off them alike.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pbx import events
from pbx.clock import Clock
from pbx.failures import cause_of
from pbx.flows.control import (
    AnsweredLeg,
    Attempt,
    BridgeResult,
    CallerGone,
    CallerHears,
    CallerHistory,
    CallFacts,
    DialOutcome,
    DialResult,
    MessageResult,
    Prompt,
    RoomResult,
    Target,
    agent_of,
    any_done,
    says_most,
    unless_gone,
)
from pbx.flows.keypad import Keypad
from pbx.flows.meeting import in_record
from pbx.flows.on_record import IsEnd, OnRecord
from pbx.httpcalls import TIMEOUT, WebAnswer, WebRequest
from pbx.rooms import PLAIN_SOUNDS, SILENT, TONE, News, Room, RoomSounds, Seat

T = TypeVar("T")

CHARACTERS_A_SECOND = 15.0
FILE_S = 4.0
"""How long a prompt from a file is taken to last."""
THINKS_S = 1.0
"""How long into a prompt the scripted caller presses a key."""
TONE_S = 0.4
SHORT_S = 0.1
"""So long before the time is up the slowest key still comes."""


def duration_s(prompt: Prompt | None) -> float:
    """How long a prompt takes to hear."""
    if prompt is None:
        return 0.0
    return FILE_S if prompt.file else len(prompt.text) / CHARACTERS_A_SECOND


@dataclass(frozen=True, slots=True)
class SentText:
    """A text (SMS) that the flow sent."""

    to: str
    text: str
    via: str


NOTHING_SAID = WebAnswer(200)


@dataclass(frozen=True, slots=True)
class Reaction:
    """What a phone does, so long after it began to ring. NO_ANSWER lets it ring on."""

    outcome: DialOutcome
    after_s: float = 0.0


ANSWERS = Reaction(DialOutcome.ANSWERED)


@dataclass(frozen=True, slots=True)
class Script:
    """What the people in the call do.

    ``press``: what the caller presses at each prompt that asks for keys, "" lets it pass; a str is keys in
    a row, of which each prompt takes as many as it asks for (:mod:`pbx.flows.keypad`). ``talk_s``:
    how long a talk lasts before the caller (or the agent) hangs up, None: until told. ``message_s``:
    how long a voicemail is before the caller presses a key. ``hang_up_after_s``: when the caller
    has had enough, whatever happens. ``history`` is what the store would know of the caller.
    ``presses`` says in its stead, at each prompt, which keys come how long into it; ``prompt_s`` how long
    prompts last. ``talks`` says of each talk how long it lasts, and whether the agent ends it.
    ``webhooks``: what each step that asks another program is answered, time by time (the last again
    and again); without an entry, success and nothing more.
    """

    press: Sequence[str] = ()
    reacts: Callable[[Target], Reaction] = lambda target: ANSWERS
    talk_s: float | None = 60.0
    agent_hangs_up: bool = False
    message_s: float | None = 10.0
    hang_up_after_s: float | None = None
    history: CallerHistory = field(default_factory=CallerHistory)
    webhooks: Mapping[str, Sequence[WebAnswer]] = field(default_factory=dict)
    presses: Callable[[], tuple[str, float] | None] | None = None
    talks: Callable[[], tuple[float, bool]] | None = None
    prompt_s: Callable[[Prompt | None], float] = duration_s


@dataclass(eq=False, slots=True)
class _RungLeg:
    id: str
    target: Target
    reaction: Reaction
    attempt: Attempt | None = None
    up: bool = field(default=True)


class SimulatedCall(OnRecord):
    """One scripted call. ``heard`` and ``rang`` tell what the caller heard and whose phone rang."""

    def __init__(
        self, facts: CallFacts, clock: Clock, publish: Callable[[events.CallEvent], None], script: Script
    ) -> None:
        super().__init__(facts, clock, publish)
        self.heard: list[str] = []
        self.whispered: list[str] = []
        self.rang: list[str] = []
        self.recording: bool | None = None
        self.recording_paused = False
        self.music = False
        self.texts: list[SentText] = []
        self.fetched: list[WebRequest] = []
        self._asked: Counter[str] = Counter()
        self._script = script
        self._keypad = Keypad(script.press)
        self._answered = False
        self._keys: deque[str] = deque()
        self._key_pressed: asyncio.Future[None] | None = None
        self._asleep: set[asyncio.Future[None]] = set()
        self._legs = 0
        self._whisper = Prompt(text=facts.whisper)
        self._talking: asyncio.Future[None] | None = None
        loop = asyncio.get_running_loop()
        self._gone: asyncio.Future[str] = loop.create_future()
        if script.hang_up_after_s is not None:
            loop.call_later(script.hang_up_after_s, self.hang_up)

    # What the people do

    def press(self, keys: str) -> None:
        self._keys.extend(keys)
        if self._key_pressed is not None:
            _wake(self._key_pressed)

    def hang_up(self, cause: str = "caller_hung_up") -> None:
        if not self._gone.done():
            self._gone.set_result(cause)
            for waiting in self._asleep:
                _wake(waiting)

    def agent_hangs_up(self) -> None:
        if self._talking is not None and not self._talking.done():
            self._talking.set_result(None)

    # What is known

    @property
    def answered(self) -> bool:
        return self._answered

    async def caller_history(self) -> CallerHistory:
        self._still_there()
        return self._script.history if self._facts.caller else CallerHistory()

    # The caller's side

    async def until(self, awaitable: Awaitable[T]) -> T:
        return await unless_gone(self._gone, awaitable)

    async def _pass(self, seconds: float) -> None:
        """Let time pass; the same as waiting for a sleep until the caller leaves, at a tenth of its cost."""
        self._still_there()
        if seconds <= 0:
            return
        loop = asyncio.get_running_loop()
        passed: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(seconds, _wake, passed)
        self._asleep.add(passed)
        try:
            await passed
        finally:
            timer.cancel()
            self._asleep.discard(passed)
        self._still_there()

    def _still_there(self) -> None:
        if self._gone.done():
            raise CallerGone(self._gone.result())

    async def answer(self) -> None:
        self._still_there()
        if not self._answered:
            self._answered = True
            self.publish(events.CallAnswered)

    async def play(self, prompt: Prompt) -> None:
        await self.answer()
        self._hear(prompt)
        await self._pass(self._script.prompt_s(prompt))

    def _hear(self, prompt: Prompt) -> None:
        self.music = False
        self.heard.append(prompt.file.name if prompt.file else prompt.text)

    async def _ask(self, prompt: Prompt | None, most: int, timeout_s: float, is_end: IsEnd) -> None:
        if not self._keys and (pressed := self._pressed(most, is_end)):
            keys, after_s = pressed
            thinks_s = min(after_s, self._script.prompt_s(prompt) + timeout_s - SHORT_S)
            asyncio.get_running_loop().call_later(thinks_s, self.press, keys)
        if prompt is not None and not self._keys:
            self._hear(prompt)
            await self._key_within(self._script.prompt_s(prompt))

    def _pressed(self, most: int, is_end: IsEnd) -> tuple[str, float] | None:
        """The keys of this prompt, and how long the caller takes for them; None to let it pass."""
        if self._script.presses is not None:
            return self._script.presses()
        keys = self._keypad.at_prompt(most, is_end)
        return (keys, THINKS_S) if keys else None

    async def _next_key(self, timeout_s: float) -> str | None:
        return self._keys.popleft() if await self._key_within(timeout_s) else None

    async def _key_within(self, seconds: float) -> bool:
        self._still_there()
        if not self._keys:
            self._key_pressed = asyncio.get_running_loop().create_future()
            await any_done((self._key_pressed, self._gone), seconds)
            self._still_there()
        return bool(self._keys)

    async def wait(self, seconds: float) -> None:
        await self.answer()
        await self._pass(seconds)

    async def start_music(self) -> None:
        await self.answer()
        self.music = True

    async def stop_music(self) -> None:
        self.music = False

    # Somebody to talk to

    async def dial(
        self,
        targets: Sequence[Target],
        *,
        together: bool,
        timeout_s: float,
        caller_hears: CallerHears = CallerHears.RINGBACK,
    ) -> DialResult:
        self._still_there()
        if caller_hears is CallerHears.MUSIC:
            await self.start_music()
        attempts: list[Attempt] = []
        try:
            for group in [targets] if together else [[target] for target in targets]:
                winner = await self._ring(group, timeout_s, attempts)
                if winner is not None:
                    return DialResult(DialOutcome.ANSWERED, winner, tuple(attempts))
        finally:
            self.music = False
        return DialResult(says_most([attempt.outcome for attempt in attempts]), None, tuple(attempts))

    async def _ring(
        self, targets: Sequence[Target], timeout_s: float, attempts: list[Attempt]
    ) -> AnsweredLeg | None:
        legs = [self._invite(target) for target in targets]
        winner = None
        cause = "cancelled"
        try:
            winner = await self._first_answer(legs, timeout_s)
            cause = "cancelled" if winner else "no_answer"
        finally:
            for leg in legs:
                if leg.up:
                    self._end(leg, DialOutcome.NO_ANSWER, cause)
        attempts += [leg.attempt for leg in legs if leg.attempt]
        return AnsweredLeg(winner.id, winner.target) if winner else None

    async def _first_answer(self, legs: Sequence[_RungLeg], timeout_s: float) -> _RungLeg | None:
        """Let the phones react in their order until one answers or the time is up."""
        passed_s = 0.0
        for leg in sorted(legs, key=lambda leg: leg.reaction.after_s):
            outcome, after_s = leg.reaction.outcome, leg.reaction.after_s
            if outcome is DialOutcome.NO_ANSWER:
                continue
            if after_s > timeout_s:
                break
            await self._pass(after_s - passed_s)
            passed_s = after_s
            if outcome is DialOutcome.ANSWERED:
                leg.up, leg.attempt = False, Attempt(leg.target, outcome, 200)
                self.publish(events.LegAnswered, leg_id=leg.id)
                return leg
            self._end(leg, outcome, cause_of(outcome))
        if any(leg.up for leg in legs):
            await self._pass(timeout_s - passed_s)
        return None

    def _invite(self, target: Target) -> _RungLeg:
        self._legs += 1
        leg = _RungLeg(f"leg-{self._legs}", target, self._script.reacts(target))
        agent = agent_of(target)
        self.publish(
            events.LegStarted,
            leg_id=leg.id,
            role="agent" if agent else "number",
            target=str(target),
            agent=agent,
            sip_call_id="",
        )
        if leg.reaction.outcome is not DialOutcome.UNREACHABLE:
            self.rang.append(str(target))
        return leg

    def _end(self, leg: _RungLeg, outcome: DialOutcome, cause: str) -> None:
        leg.up, leg.attempt = False, Attempt(leg.target, outcome)
        self.publish(events.LegEnded, leg_id=leg.id, cause=cause, sip_status=None)

    async def bridge(self, winner: AnsweredLeg, *, whisper: Prompt | None = None) -> BridgeResult:
        agent = str(winner.target)
        cause = "cancelled"
        try:
            said = self._whisper if whisper is None else whisper
            if said.text:
                self.whispered.append(said.text)
                await self._pass(duration_s(said))
            await self.answer()
            began = self._clock.monotonic()
            self.publish(events.AgentConnected, leg_id=winner.leg_id, agent=agent)
            try:
                await self._talk()
                cause = "agent_hung_up"
            finally:
                talk_s = self._clock.monotonic() - began
                self.publish(events.AgentDisconnected, leg_id=winner.leg_id, agent=agent, talk_s=talk_s)
        finally:
            self.publish(events.LegEnded, leg_id=winner.leg_id, cause=cause, sip_status=None)
        return BridgeResult(talk_s)

    async def _talk(self) -> None:
        self._talking = asyncio.get_running_loop().create_future()
        script = self._script
        talk_s, agent_hangs_up = script.talks() if script.talks else (script.talk_s, script.agent_hangs_up)
        await self.until(any_done((self._talking,), talk_s))
        if not self._talking.done() and not agent_hangs_up:
            self.hang_up()
            self._still_there()

    async def confer(
        self,
        room: Room,
        *,
        sounds: RoomSounds = PLAIN_SOUNDS,
        leave_key: str = "",
        partner: AnsweredLeg | None = None,
    ) -> RoomResult:
        await self.answer()
        self._keys.clear()
        began = self._clock.monotonic()
        with room.seated(_Seat(self, sounds)), in_record(self.publish, self._clock, room, partner):
            by_key = await self.until(self._left_by_key(room, leave_key))
        return RoomResult(self._clock.monotonic() - began, by_key)

    async def _left_by_key(self, room: Room, leave_key: str) -> bool:
        """False when the room was closed; a caller who has stayed as long as a talk lasts hangs up."""
        loop = asyncio.get_running_loop()
        if self._script.talk_s is not None:
            loop.call_later(self._script.talk_s, self.hang_up)
        while not room.closed.done():
            self._key_pressed = loop.create_future()
            await asyncio.wait((self._key_pressed, room.closed), return_when=asyncio.FIRST_COMPLETED)
            while self._keys:
                if self._keys.popleft() == leave_key:
                    return True
        return False

    # Messages and the record

    async def take_message(self, *, max_s: float, silence_s: float | None = None) -> MessageResult:
        await self.answer()
        self.music = False
        await self._pass(TONE_S)
        self._keys.clear()
        if self._script.message_s is not None:
            asyncio.get_running_loop().call_later(self._script.message_s, self.press, "#")
        began = self._clock.monotonic()
        try:
            pressed = await self._key_within(max_s)
            self._keys.clear()
        finally:
            duration_s = self._clock.monotonic() - began
            if duration_s > 0:
                self.publish(events.VoicemailLeft, duration_s=duration_s)
        return MessageResult(duration_s, "key" if pressed else "limit")

    async def fetch(self, step: str, request: WebRequest) -> WebAnswer:
        self._still_there()
        self.fetched.append(request)
        answers = self._script.webhooks.get(step, (NOTHING_SAID,))
        answer = answers[min(self._asked[step], len(answers) - 1)]
        self._asked[step] += 1
        await self._pass(request.timeout_s if answer.problem == TIMEOUT else answer.took_s)
        return answer

    def send_text(self, to: str, text: str, *, via: str = "") -> str:
        self.texts.append(SentText(to, text, via))
        return ""

    def set_whisper(self, prompt: Prompt) -> None:
        self._whisper = prompt

    def set_recording(self, on: bool) -> None:
        self.recording = on

    def pause_recording(self, paused: bool) -> None:
        if paused != self.recording_paused:
            self.recording_paused = paused
            self.publish(events.RecordingPaused if paused else events.RecordingResumed, by="flow")


def _wake(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)


class _Seat:
    """The caller's place in a room: what they hear there is written down."""

    def __init__(self, call: SimulatedCall, sounds: RoomSounds) -> None:
        self._call = call
        self._sounds = sounds

    def hears(self, others: Sequence[Seat]) -> None:
        self._call.music = self._sounds.music_alone and not others

    def told(self, news: News) -> None:
        sound = self._sounds.of(news)
        if sound not in (TONE, SILENT):
            self._call.heard.append(sound)

    def released(self) -> None:
        self._call.music = False
