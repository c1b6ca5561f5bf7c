"""A live call: the verbs that a flow drives, on real legs.

:class:`LiveCall` is :class:`~pbx.flows.control.CallControl` over :mod:`pbx.legs`. One task runs the
flow; the caller's hang-up (or the loss of the media, or the server's stop) resolves ``_gone``, which
every verb races against and turns into :class:`~pbx.flows.control.CallerGone`. Whatever a verb
started, it ends in its own ``finally``: so nobody is rung after the caller has left, and no port,
recording or agent stays behind. :meth:`LiveCall.run` is the whole life, from the first step to the
closed row.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from media.engine import (
    Edge,
    EndpointId,
    EndpointStats,
    FileSource,
    MediaEngine,
    Tone,
)
from pbx import events
from pbx.call_recording import CallRecording, RecordingHabits
from pbx.channels.texts import OutgoingText
from pbx.clock import Clock
from pbx.flows.control import (
    AnsweredLeg,
    BridgeResult,
    CallerGone,
    CallerHears,
    CallerHistory,
    CallFacts,
    DialResult,
    MessageResult,
    Prompt,
    RoomResult,
    Target,
    unless_gone,
)
from pbx.flows.known import language_of
from pbx.flows.meeting import in_record
from pbx.flows.on_record import IsEnd, OnRecord
from pbx.flows.own_words import own
from pbx.httpcalls import WebAnswer, WebRequest
from pbx.httpclient import WebClient
from pbx.legs import Leg, LegEnd, Replaces, figures, ignore
from pbx.ringing import Ringing, Router
from pbx.rooms import PLAIN_SOUNDS, Room, RoomSounds
from pbx.seats import LegSeat
from pbx.supervision import Audience, LiveCalls
from pbx.talk import Talk
from pbx.transfer import TransferRules

log = logging.getLogger(__name__)
T = TypeVar("T")

HISTORY_LIMIT_S = 1.0
"""How long a call waits for the store to say what it knows of the caller."""
DECLINE_S = 3.0
"""How long after the consent text a key still declines."""
SHORTEST_MESSAGE_S = 0.5
"""A message shorter than this is a caller who hung up at the tone, not a voicemail."""


class Speak(Protocol):
    def __call__(self, text: str, language: str = "", *, keep: bool = True) -> Awaitable[Path]:
        """The file that says a text; one that is not kept is its asker's to remove."""
        ...


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a live call works with; one for all calls."""

    engine: MediaEngine
    router: Router
    clock: Clock
    publish: Callable[[events.CallEvent], None]
    speak: Speak
    data_dir: Path
    record_from: str | None  # "agent", "answer", or None: recording is off unless a flow says otherwise
    web: WebClient
    send_text: Callable[[OutgoingText], str]  # what is in the way, "" for nothing
    history: Callable[[str, str], Awaitable[CallerHistory]]  # of a number, but for the call of that id
    transfers: TransferRules | None = None  # None: nobody transfers
    habits: RecordingHabits = field(default_factory=RecordingHabits)
    live: LiveCalls = field(default_factory=LiveCalls)


class LiveCall(OnRecord):
    """One call from the trunk, as its flow sees and drives it."""

    def __init__(self, facts: CallFacts, caller: Leg, equipment: Equipment) -> None:
        super().__init__(facts, equipment.clock, equipment.publish)
        self.caller = caller
        self._with = equipment
        self._gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._keys: deque[str] = deque()
        self._key_pressed = asyncio.Event()
        self.audience: Audience | None = None  # while two hear each other
        self.recording = CallRecording(
            facts.call_id,
            equipment.engine,
            equipment.clock,
            self.publish,
            equipment.data_dir,
            equipment.habits,
            wanted=equipment.record_from is not None,
        )
        self._consent_asked = False
        self._record_at_answer = equipment.record_from == "answer"
        self._winners: dict[str, Leg] = {}
        self._whisper = Prompt(text=facts.whisper)
        self.live = equipment.live
        self.live.add(self)
        caller.on_key = self._on_key
        caller.ended.add_done_callback(self._caller_ended)

    # What is known

    @property
    def answered(self) -> bool:
        return self.caller.answered

    async def caller_history(self) -> CallerHistory:
        """A store that is away or slow must not keep the caller waiting: then nothing is known of them."""
        if not self._facts.caller:
            return CallerHistory()
        asking = self._with.history(self._facts.caller, self._facts.call_id)
        try:
            return await self.until(asyncio.wait_for(asking, HISTORY_LIMIT_S))
        except CallerGone:
            raise
        except Exception as problem:
            log.error("call %s: what earlier calls there were is unknown: %r", self._facts.call_id, problem)
            return CallerHistory()

    def end(self, cause: str) -> None:
        """End the call from outside; every verb raises CallerGone from here on."""
        if not self._gone.done():
            self._gone.set_result(cause)

    # The caller's side

    async def key_before(self, over: asyncio.Future[None]) -> str:
        """The next key the party presses, or "" when ``over`` comes first."""
        pressed = asyncio.ensure_future(self._wait_for_key())
        try:
            await self.until(asyncio.wait((pressed, over), return_when=asyncio.FIRST_COMPLETED))
        finally:
            pressed.cancel()
        return self._keys.popleft() if self._keys else ""

    def _on_key(self, key: str) -> None:
        self._keys.append(key)
        self._key_pressed.set()

    def _caller_ended(self, ended: asyncio.Future[LegEnd]) -> None:
        if ended is self.caller.ended:  # else it is the caller no more
            self.end(ended.result().cause)

    async def until(self, awaitable: Awaitable[T]) -> T:
        """Its result, unless the caller leaves first: then it is cancelled and CallerGone raised."""
        return await unless_gone(self._gone, awaitable)

    async def answer(self) -> None:
        if self.caller.answered:
            return
        try:
            await self.until(self.caller.answer())
        finally:
            # Also of a caller who is gone by now: a 200 that went out was an answer.
            if self.caller.answered:
                self.publish(events.CallAnswered)
        await self._ask_consent()
        if self._record_at_answer:
            self.record_talk()

    async def _ask_consent(self) -> None:
        """Say to a caller from outside that the call is recorded, before it is; a key may decline it."""
        habits = self.recording.habits
        if self._consent_asked or not habits.consent or not self.recording.wanted or self.caller.agent:
            return
        self._consent_asked = True
        consent = own(habits.consent, language_of(self))
        pressed = ""
        if habits.decline_key:
            await self.until(self._play_until_key(consent))
            key = await self.until(self._next_key(DECLINE_S))
            pressed = key or ""
            if pressed and pressed != habits.decline_key:
                self._keys.appendleft(pressed)  # meant for the menu that follows
        else:
            await self.until(self._play(consent))
        declined = pressed != "" and pressed == habits.decline_key
        if declined:
            self.recording.decline()
        self.publish(events.RecordingConsent, given=not declined)

    async def play(self, prompt: Prompt) -> None:
        await self.answer()
        await self.until(self._play(prompt))

    async def _play(self, prompt: Prompt) -> None:
        async with self._sound(prompt) as path:
            if problem := await self.caller.play(FileSource(path)):
                log.error("call %s could not hear %s: %s", self._facts.call_id, path.name, problem)

    @contextlib.asynccontextmanager
    async def _sound(self, prompt: Prompt) -> AsyncIterator[Path]:
        """The file to play; one that says what this call alone is about is gone afterwards."""
        if not prompt.passing:
            yield prompt.file or await self._with.speak(prompt.text, prompt.language)
            return
        path = await self._with.speak(prompt.text, prompt.language, keep=False)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    async def _ask(self, prompt: Prompt | None, most: int, timeout_s: float, is_end: IsEnd) -> None:
        if prompt is not None and not self._keys:
            await self.until(self._play_until_key(prompt))

    async def _play_until_key(self, prompt: Prompt) -> None:
        playing = asyncio.ensure_future(self._play(prompt))
        pressed = asyncio.ensure_future(self._wait_for_key())
        try:
            await asyncio.wait((playing, pressed), return_when=asyncio.FIRST_COMPLETED)
            if playing.done():
                playing.result()
        finally:
            for task in (playing, pressed):
                task.cancel()
            await asyncio.wait((playing, pressed))

    async def _wait_for_key(self) -> None:
        while not self._keys:
            self._key_pressed.clear()
            await self._key_pressed.wait()

    async def _next_key(self, timeout_s: float) -> str | None:
        return await self.until(self._key_within(timeout_s))

    async def _key_within(self, timeout_s: float) -> str | None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._wait_for_key()
        except TimeoutError:
            return None
        return self._keys.popleft()

    async def echo(self) -> None:
        """Let the caller hear themselves, until they leave."""
        await self.answer()
        endpoint = await self.caller.open_media()
        self._with.engine.set_edges(endpoint.id, [Edge(endpoint.id, endpoint.id)])
        await self.until(asyncio.get_running_loop().create_future())

    async def wait(self, seconds: float) -> None:
        await self.answer()
        await self.until(self.clock.sleep(seconds))

    async def start_music(self) -> None:
        await self.answer()
        self.caller.loop(Tone.MUSIC)

    async def stop_music(self) -> None:
        self.caller.stop_playing()

    # Somebody to talk to

    async def dial(
        self,
        targets: Sequence[Target],
        *,
        together: bool,
        timeout_s: float,
        caller_hears: CallerHears = CallerHears.RINGBACK,
        on_ringing: Callable[[], None] | None = None,
    ) -> DialResult:
        ringing = Ringing(
            self,
            self._with.router,
            self._with.publish,
            early_media=caller_hears is CallerHears.RINGBACK,
            rules=self._with.transfers,
            on_ringing=on_ringing,
        )
        if caller_hears is CallerHears.MUSIC:
            await self.start_music()
        elif self.caller.answered:
            self.caller.loop(Tone.RINGBACK)
        try:
            result = await self.until(ringing.run(targets, together=together, timeout_s=timeout_s))
        except BaseException:
            # Also a phone that answered in the very moment of the cancellation must be let go.
            await ringing.close(keep_winner=False)
            raise
        finally:
            self.caller.stop_playing()
        if ringing.winner is not None:
            self._winners[ringing.winner.id] = ringing.winner
        await ringing.close(keep_winner=True)
        return result

    async def bridge(self, winner: AnsweredLeg, *, whisper: Prompt | None = None) -> BridgeResult:
        talk = Talk(self, self.take_winner(winner))
        return await talk.run(self._whisper if whisper is None else whisper)

    # What a talk needs of its call

    @property
    def engine(self) -> MediaEngine:
        return self._with.engine

    @property
    def transfers(self) -> TransferRules | None:
        return self._with.transfers

    def take_winner(self, winner: AnsweredLeg) -> Leg:
        """The leg that answered ``dial``; who takes it must see to its end."""
        return self._winners.pop(winner.leg_id)

    def leg_of(self, replaces: Replaces) -> Leg | None:
        return self._with.router.exchange.leg_of(replaces)

    def serve(self, leg: Leg) -> None:
        """From here on ``leg`` is the call's party; the one before is no more to it than any other."""
        self.caller.on_key = ignore
        self._keys.clear()
        self.caller = leg
        leg.on_key = self._on_key
        leg.ended.add_done_callback(self._caller_ended)

    def joined_by(self, leg: Leg) -> None:
        """A leg out of another call is this one's from now on."""
        self.publish(
            events.LegStarted,
            leg_id=leg.id,
            role="agent" if leg.agent else "number",
            target=leg.agent or leg.number or self._facts.caller,
            agent=leg.agent,
            sip_call_id=leg.sip_call_id,
        )
        self.publish(events.LegAnswered, leg_id=leg.id)

    def left(self, leg: Leg) -> None:
        """A leg of this call is another's from now on."""
        self.publish(events.LegEnded, leg_id=leg.id, cause="transferred", sip_status=None)

    @contextlib.contextmanager
    def together(self, party: Leg, leg: Leg) -> Iterator[None]:
        """Both hear each other inside the block; beeps say that they are recorded, if the site wants it."""
        audience = Audience(self.engine, party, leg)
        beeping = asyncio.ensure_future(self._beep(audience)) if self.recording.habits.beep_s else None
        try:
            with audience.joined():
                self.audience = audience
                audience.on_speakers = self.recording.take_beside
                yield
        finally:
            self.audience = None
            if beeping is not None:
                beeping.cancel()

    async def _beep(self, audience: Audience) -> None:
        while True:
            await self.clock.sleep(self.recording.habits.beep_s)
            for leg in (audience.agent, audience.customer):
                if self.recording.state == "recording" and leg.endpoint is not None:
                    self.engine.play(leg.endpoint.id, Tone.RECORDING)

    def toggle_pause(self, by: Leg) -> None:
        """An agent pressed the key that pauses the recording, or lets it go on."""
        if self.recording.started:
            self.recording.pause(not self.recording.paused, by.agent or "")

    def note_supervision(self, agent: str, mode: str) -> None:
        self.publish(events.Supervised, agent=agent, mode=mode)

    def billed(self, party: Leg, leg: Leg) -> list[tuple[Leg, str, bool]]:
        """Whose talk it is: leg, who, and whether it counts beside another's for this leg alone."""
        if leg.agent is None and party.agent is not None:  # an agent called a number
            return [(party, party.agent, False)]
        talks = (leg, leg.agent or leg.number, False)
        return [talks] if party.agent is None else [talks, (party, party.agent, True)]

    async def whisper(self, leg: Leg, prompt: Prompt) -> None:
        """Spoken to the agent alone; an agent who hangs up meanwhile ends it."""

        async def whisper() -> None:
            speaking = asyncio.ensure_future(self._say_to(leg, prompt))
            try:
                await asyncio.wait((speaking, leg.ended), return_when=asyncio.FIRST_COMPLETED)
            finally:
                speaking.cancel()
                await asyncio.wait((speaking,))
            if not speaking.cancelled() and (problem := speaking.exception()):
                # The caller matters more than knowing where they come from.
                log.error("call %s: the whisper could not be said: %s", self._facts.call_id, problem)

        await self.until(whisper())

    async def _say_to(self, leg: Leg, prompt: Prompt) -> None:
        async with self._sound(prompt) as path:
            await leg.play(FileSource(path))

    async def finish(self, leg: Leg, cause: str, status: int | None) -> None:
        leg.hang_up()
        stats = EndpointStats()
        try:
            stats = await leg.close()
        finally:
            self.publish(events.LegEnded, leg_id=leg.id, cause=cause, sip_status=status, stats=figures(stats))

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
        seat = LegSeat(self.caller, self._with.engine, self._with.speak, sounds, self._record_room)
        began = self.clock.monotonic()
        with room.seated(seat), in_record(self.publish, self.clock, room, partner):
            by_key = await self.until(self._left_by_key(room, leave_key))
        return RoomResult(self.clock.monotonic() - began, by_key)

    async def _left_by_key(self, room: Room, leave_key: str) -> bool:
        """Whether the caller left the room by key; False when it was closed."""
        pressed = asyncio.ensure_future(self._pressed(leave_key))
        try:
            await asyncio.wait((pressed, room.closed), return_when=asyncio.FIRST_COMPLETED)
            return pressed.done() and not room.closed.done()
        finally:
            pressed.cancel()
            await asyncio.wait((pressed,))

    async def _pressed(self, key: str) -> None:
        while True:
            await self._wait_for_key()
            if self._keys.popleft() == key:
                return

    def _record_room(self, others: Sequence[EndpointId]) -> None:
        """The caller on the left, whoever else is in the room on the right."""
        if others or self.recording.started:
            self._record_sides(_endpoint_of(self.caller), next(iter(others), None), others[1:])

    # Recording and messages

    async def take_message(self, *, max_s: float, silence_s: float | None = None) -> MessageResult:
        await self.answer()
        await self.until(self.caller.play(Tone.BEEP))
        self._keys.clear()
        wanted, declined = self.recording.wanted, self.recording.declined
        self.recording.declined = False
        self.set_recording(True)  # a message is recorded whatever the site, the flow or the caller said
        self.record_talk()
        began = self.clock.monotonic()
        try:
            ended_by = await self.until(self._message_end(max_s, silence_s))
        finally:
            duration_s = self.clock.monotonic() - began
            self.recording.declined = declined
            self.set_recording(wanted)
            if duration_s >= SHORTEST_MESSAGE_S:
                self.publish(events.VoicemailLeft, duration_s=duration_s)
        return MessageResult(duration_s, ended_by)

    async def _message_end(self, max_s: float, silence_s: float | None) -> str:
        """Wait for a key, the limit, or so long a silence."""
        silence: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.caller.on_silence = lambda _: None if silence.done() else silence.set_result(None)
        self.recording.watch_for_silence(silence_s)
        key = asyncio.ensure_future(self._next_key(max_s))
        try:
            await asyncio.wait((key, silence), return_when=asyncio.FIRST_COMPLETED)
            if not key.done():
                return "silence"
            return "limit" if key.result() is None else "key"
        finally:
            key.cancel()
            self.recording.watch_for_silence(None)
            self.caller.on_silence = ignore

    async def fetch(self, step: str, request: WebRequest) -> WebAnswer:
        answer = await self.until(self._with.web.send(request))
        if not answer.ok:
            log.warning(
                "call %s: %s answered %s: %s", self._facts.call_id, step, request.host, answer.in_words
            )
        return answer

    def send_text(self, to: str, text: str, *, via: str = "") -> str:
        return self._with.send_text(OutgoingText(to, text, via, self._facts.call_id))

    def set_whisper(self, prompt: Prompt) -> None:
        self._whisper = prompt

    def set_recording(self, on: bool) -> None:
        self.recording.want(on)

    def pause_recording(self, paused: bool) -> None:
        self.recording.pause(paused, "flow")

    def record_talk(self, other: Leg | None = None) -> None:
        """Record the caller, and ``other`` on the second channel. The customer is on the left, whoever
        called whom."""
        left: Leg | None = self.caller
        right: Leg | None = other
        if right is not None and right.agent is None and self.caller.agent is not None:
            left, right = right, left
        self._record_sides(_endpoint_of(left), _endpoint_of(right))

    def _record_sides(
        self, left: EndpointId | None, right: EndpointId | None, beside: Sequence[EndpointId] = ()
    ) -> None:
        if self.caller.endpoint is not None:
            self.recording.take(left, right, beside)

    async def close(self, cause: str, sip_status: int) -> None:
        """Let go of everything the call held. ``sip_status`` refuses a caller who was never answered."""
        self.end(cause)
        self.live.discard(self)
        self.caller.hang_up(sip_status)  # first: nobody is to wait for what the rest takes
        for leg in tuple(self._winners.values()):
            await self.finish(leg, "cancelled", None)
        self._winners.clear()
        await self.recording.finish()
        stats = await self.caller.close()
        self.caller.on_key = ignore  # so that the call is gone with the last who asks for it
        self.publish(
            events.LegEnded, leg_id=self.caller.id, cause=cause, sip_status=None, stats=figures(stats)
        )


def _endpoint_of(leg: Leg | None) -> EndpointId | None:
    return leg.endpoint.id if leg is not None and leg.endpoint is not None else None
