"""The interpreter: walks a flow's steps over a :class:`~pbx.flows.control.CallControl`.

Live calls, ``pbx simulate`` and ``pbx test`` all run this function on the same steps; only the call
under it differs. The trace is written here, from what each step returns, so that no step can forget
it: :class:`~pbx.events.StepEntered` on arrival, :class:`~pbx.events.TurnTaken` on leaving.

Steps of the flow that a call began with appear under their own names; those of a flow that it went
on to by ``goto`` as ``flow/step``.

A flow may loop, as long as somebody has a say in it: more than ``MOST_IDLE_STEPS`` steps without
input, or whose input took no time at all, are a circle that would never end, and a failure.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pbx import events
from pbx.agents import AgentBoard
from pbx.config.conferences import Conference
from pbx.config.models import Agent
from pbx.failures import CATALOGUE
from pbx.flows.control import CallControl, CallerGone, Prompt, SentOn
from pbx.flows.flow import Flow, ends_call
from pbx.flows.known import language_of
from pbx.flows.outcome import EndedBy, Outcome, StepFailed
from pbx.flows.own_words import APOLOGY, own
from pbx.flows.prompts import whisper_of
from pbx.flows.step import AGAIN, Step, Turn, shown_value
from pbx.parking import ParkingLot
from pbx.queues import Queues
from pbx.rooms import Rooms

if TYPE_CHECKING:
    from pbx.config.site import Site

log = logging.getLogger(__name__)

Publish = Callable[[events.CallEvent], None]

MOST_IDLE_STEPS = 100
SHORTEST_INPUT_S = 0.5
"""A step that takes input for less than this did not really wait for anybody."""

DEEPEST = 8
"""How many flows may wait for others to come back."""

APOLOGY_LIMIT_S = 10.0


@dataclass(slots=True)
class Surroundings:
    """What steps need beyond the call itself. ``flow`` and ``step`` are those that run: each walk has a
    copy of its own, and keeps them so."""

    flows: Mapping[str, Flow]
    agents: Mapping[str, Agent]
    queues: Queues
    board: AgentBoard
    find_audio: Callable[[Flow, str], Path | None]
    conferences: Mapping[str, Conference] = field(default_factory=dict)
    rooms: Rooms = field(default_factory=Rooms)
    parking: ParkingLot = field(default_factory=ParkingLot)
    language: str = "en"  # that agents are spoken to in
    flow: Flow | None = None
    step: str = ""

    @classmethod
    def of(
        cls,
        site: "Site",
        board: AgentBoard,
        queues: Queues,
        *,
        rooms: Rooms | None = None,
        parking: ParkingLot | None = None,
    ) -> "Surroundings":
        """``rooms`` and ``parking`` are the server's; a simulated call has its own."""
        config = site.config
        return cls(
            site.flows,
            config.agents,
            queues,
            board,
            site.find_audio,
            conferences=config.conferences,
            rooms=rooms or Rooms(),
            parking=parking or ParkingLot(config.parking.numbers),
            language=config.server.language,
        )

    def prompt_file(self, name: str, language: str = "") -> Prompt:
        """The audio file of that name as the running flow finds it: the one in the folder of that
        language, if there is one. Raises StepFailed."""
        path = None
        if self.flow is not None:
            path = (self.find_audio(self.flow, f"{language}/{name}") if language else None) or (
                self.find_audio(self.flow, name)
            )
        if path is None:
            raise StepFailed(f"the audio file {name} is neither beside the flow nor in prompts/")
        return Prompt(file=path)


async def run(call: CallControl, flow: Flow, around: Surroundings, publish: Publish) -> Outcome:
    """Walk ``flow`` from its start until a turn leads nowhere, the caller leaves, or a step fails."""
    walk = _Walk(call, flow, around, publish)
    try:
        await walk.to_the_end()
    except CallerGone as gone:
        walk.broke_off(_in_words(gone))
        return Outcome(tuple(walk.path), EndedBy.CALLER, gone.cause)
    except Exception as problem:
        failure = StepFailed(f"flow {walk.flow.id}, step {walk.name}: {problem or type(problem).__name__}")
        failure.__cause__ = problem.__cause__ if isinstance(problem, StepFailed) else problem
        walk.broke_off(str(problem) or type(problem).__name__)
        log.error("call %s failed: %s", call.facts.call_id, failure, exc_info=failure.__cause__)
        await _apologise(call)
        return Outcome(tuple(walk.path), EndedBy.FAILURE, "flow_error", failure)
    return Outcome(tuple(walk.path), EndedBy.FLOW, "flow_ended", reason=walk.reason)


def _in_words(gone: CallerGone) -> str:
    """``alice answered; the caller hung up``"""
    known = CATALOGUE.get(gone.cause)
    end = known.text[0].lower() + known.text[1:].rstrip(".") if known else gone.cause
    return "; ".join((*getattr(gone, "__notes__", ()), end))


async def _apologise(call: CallControl) -> None:
    """A caller whom we answered is not left in silence; one whom we did not gets a SIP status."""
    if call.answered:
        with contextlib.suppress(Exception):
            async with asyncio.timeout(APOLOGY_LIMIT_S):
                await call.play(own(APOLOGY, language_of(call)))


class _Walk:
    """Where one call is in its flows."""

    def __init__(self, call: CallControl, flow: Flow, around: Surroundings, publish: Publish) -> None:
        self.flow = flow
        self.name = flow.start
        self.path: list[str] = []
        self.reason = ""
        self._first_flow = flow
        self._came_from: list[tuple[Flow, str]] = []  # the flows to come back to, and their steps
        self._call = call
        self._around = replace(around, flow=flow)
        self._publish = publish
        self._idle_steps = 0
        self._unfinished: str | None = None

    async def to_the_end(self) -> None:
        visit = 0
        if whisper := self._call.facts.whisper:
            self._call.set_whisper(await whisper_of(whisper, self._call, self._around))
        while True:
            turn = await self._take(self._step(), visit)
            if turn.flow is not None:
                self._enter_flow(turn.flow, turn.back)
                self.name, visit = turn.next or self.flow.start, 0
            elif turn.next is None and self._came_from:
                self.flow, self.name = self._came_from.pop()
                self._around.flow, visit = self.flow, 0
            elif turn.next is None or ends_call(turn.next):
                self.reason = turn.reason
                return
            else:
                self.name, visit = turn.next, visit + 1 if turn.next == self.name else 0
            # Steps that wait for nothing must not keep other calls from running.
            await asyncio.sleep(0)

    def broke_off(self, because: str) -> None:
        """The step that the walk is in will not come to a turn of its own."""
        if self._unfinished is not None:
            self._trace(events.TurnTaken, step=self._unfinished, next=None, because=because)

    def _step(self) -> Step:
        step = self.flow.steps.get(self.name)
        if step is None:
            raise StepFailed("there is no such step")
        return step

    def _enter_flow(self, name: str, back: str | None) -> None:
        flow = self._around.flows.get(name)
        if flow is None:
            raise StepFailed(f"there is no flow {name}")
        if back is not None:
            if len(self._came_from) == DEEPEST:
                raise StepFailed(f"flows lead into each other {DEEPEST} deep, each to come back")
            self._came_from.append((self.flow, back))
        self.flow = self._around.flow = flow

    async def _take(self, step: Step, visit: int) -> Turn:
        self._unfinished = shown = self._shown(self.flow, self.name)
        self.path.append(shown)
        self._trace(events.StepEntered, step=shown, step_kind=step.kind)
        began = self._call.clock.monotonic()
        turn = await self._run(step, shown, visit)
        self._mind_circles(step, self._call.clock.monotonic() - began)
        self._keep(turn)
        if turn.next == AGAIN:
            turn = replace(turn, next=self.name)
        self._unfinished = None
        self._trace(events.TurnTaken, step=shown, next=self._target(turn), because=turn.because, way=turn.way)
        return turn

    async def _run(self, step: Step, shown: str, visit: int) -> Turn:
        """The step's turn, or that of the agent who transferred the caller meanwhile."""
        try:
            self._around.step = shown
            return await step.run(self._call, self._around, visit)
        except SentOn as sent:
            self._came_from.clear()
            if isinstance(sent.flow, str):
                return Turn(None, sent.because, flow=sent.flow)
            self._around.flows = {**self._around.flows, sent.flow.id: sent.flow}
            return Turn(None, sent.because, flow=sent.flow.id)

    def _keep(self, turn: Turn) -> None:
        """What the step found out becomes the call's to use."""
        found = {f"{self.name}.{detail}": value for detail, value in turn.details.items()}
        if turn.value is not None:
            found[self.name] = turn.value
        found.update(turn.sets)
        self._call.values.update(found)
        for name, value in found.items():
            self._trace(events.ValueSet, name=name, value=shown_value(value))

    def _trace(self, event: type[events.CallEvent], **values: object) -> None:
        self._publish(event(call_id=self._call.facts.call_id, at=self._call.clock.now(), **values))

    def _mind_circles(self, step: Step, took_s: float) -> None:
        self._idle_steps += 1
        if step.takes_input and took_s >= SHORTEST_INPUT_S:
            self._idle_steps = 0
        if self._idle_steps > MOST_IDLE_STEPS:
            circle = " → ".join(dict.fromkeys(self.path[-MOST_IDLE_STEPS:]))
            raise StepFailed(f"{MOST_IDLE_STEPS} steps without waiting for anybody: {circle}, and again")

    def _target(self, turn: Turn) -> str | None:
        if turn.flow is None:
            if turn.next is not None:
                return self._shown(self.flow, turn.next)
            return self._shown(*self._came_from[-1]) if self._came_from else None
        other = self._around.flows.get(turn.flow)
        return self._shown(other, turn.next or other.start) if other else turn.flow

    def _shown(self, flow: Flow, step: str) -> str:
        return step if flow is self._first_flow or ends_call(step) else f"{flow.id}/{step}"
