"""``queue: name`` waits in line for an agent; the line itself is :mod:`pbx.queues`."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pbx.flows.control import CallControl
from pbx.flows.step import Exit, Reference, ReferenceKind, Step, Turn
from pbx.queues import QueueEnd

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Queue(Step):
    """Music, announcements, and the first agent who is free; goes on when the agent hangs up first."""

    kind: ClassVar[str] = "queue"
    takes_input: ClassVar[bool] = True

    queue: str = Field(min_length=1, description="A queue of config.yaml.")
    on_timeout: str | None = Field(
        None, description="Where to go after the queue's max_wait; without it the call ends."
    )
    on_empty: str | None = Field(
        None, description="Where to go when no member can be reached; without it the caller waits."
    )
    next: str | None = Field(None, description="Where to go when the agent hangs up first.")

    @property
    def detail(self) -> str:
        return self.queue

    def exits(self) -> list[Exit]:
        ways = [Exit("max_wait is over", self.on_timeout, ("on_timeout",))]
        if self.on_empty is not None:
            ways.append(Exit("nobody reachable", self.on_empty, ("on_empty",)))
        if self.next is not None:
            ways.append(Exit("after the talk", self.next, ("next",)))
        return ways

    def references(self) -> list[Reference]:
        return [Reference(ReferenceKind.QUEUE, self.queue, ("queue",))]

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        result = await around.queues.wait(self.queue, call, leave_if_empty=self.on_empty is not None)
        targets = {
            QueueEnd.TALKED: self.next,
            QueueEnd.TIMEOUT: self.on_timeout,
            QueueEnd.EMPTY: self.on_empty,
        }
        return Turn(
            targets[result.end],
            result.because,
            value=result.end,
            details={"agent": result.agent, "waited": f"{result.waited_s:.0f}"},
        )
