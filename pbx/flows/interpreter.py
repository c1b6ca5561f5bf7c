"""The interpreter: walks a flow's steps over a :class:`~pbx.flows.control.CallControl`.

Live calls, ``pbx simulate`` and ``pbx test`` all run this function on the same steps; only the call
under it differs. The trace is written here, from what each step returns, so that no step can forget
it: :class:`~pbx.events.StepEntered` on arrival, :class:`~pbx.events.TurnTaken` on leaving.

:class:`~pbx.flows.control.CallerGone` passes through: the end of a call is its owner's to record.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pbx import events
from pbx.agents import AgentBoard
from pbx.config.models import Queue
from pbx.flows.control import CallControl, Prompt
from pbx.flows.flow import Flow
from pbx.flows.step import AGAIN, HANGUP, Turn
from pbx.queues import Line

MOST_TURNS = 500
"""More turns than any caller makes: a flow that gets there runs in circles."""


class StepFailed(Exception):  # noqa: N818 - a state of the flow, found in a call
    """A step failed or the flow runs in circles; the message names flow and step."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What steps need beyond the call itself."""

    flows: Mapping[str, Flow]
    queues: Mapping[str, Queue]
    lines: Mapping[str, Line]
    board: AgentBoard
    find_audio: Callable[[Flow, str], Path | None]
    flow: Flow | None = None

    def prompt_file(self, name: str) -> Prompt:
        """The audio file of that name as the running flow finds it. Raises StepFailed."""
        path = self.find_audio(self.flow, name) if self.flow else None
        if path is None:
            raise StepFailed(f"the audio file {name} is neither beside the flow nor in prompts/")
        return Prompt(file=path)


async def run(
    call: CallControl,
    flow: Flow,
    around: Surroundings,
    publish: Callable[[events.CallEvent], None],
) -> None:
    """Walk ``flow`` from its start until a turn leads nowhere.

    Raises CallerGone when the caller leaves, StepFailed when a step cannot do its work.
    """
    around = replace(around, flow=flow)
    name: str | None = flow.start
    visit = 0
    for _ in range(MOST_TURNS):
        if name is None or name == HANGUP:
            return
        turn = await _take(call, flow, name, around, visit, publish)
        if turn.flow is not None:
            flow = around.flows[turn.flow]
            around = replace(around, flow=flow)
            name, visit = turn.next or flow.start, 0
        else:
            name, visit = turn.next, visit + 1 if turn.next == name else 0
        # A loop of steps that never wait must not starve the other calls.
        await asyncio.sleep(0)
    raise StepFailed(f"{flow.id}: {MOST_TURNS} turns without an end; the flow runs in circles at {name}")


async def _take(
    call: CallControl,
    flow: Flow,
    name: str,
    around: Surroundings,
    visit: int,
    publish: Callable[[events.CallEvent], None],
) -> Turn:
    step = flow.steps.get(name)
    if step is None:
        raise StepFailed(f"{flow.id} has no step {name}")
    call_id = call.facts.call_id
    publish(events.StepEntered(call_id=call_id, at=call.clock.now(), step=name, step_kind=step.kind))
    try:
        turn = await step.run(call, around, visit)
    except StepFailed as error:
        raise StepFailed(f"{flow.id}, step {name}: {error}") from error
    if turn.next == AGAIN:
        turn = replace(turn, next=name)
    publish(
        events.TurnTaken(
            call_id=call_id, at=call.clock.now(), step=name, next=turn.next, because=turn.because
        )
    )
    return turn
