"""``queue``: waits in line for an agent."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pbx.flows.control import CallControl
from pbx.flows.step import Exit, Reference, ReferenceKind, Step, Turn
from pbx.queues import QueueEnd, serve

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Queue(Step):
    """Wait in a queue of config.yaml, with music, until an agent answers or ``max_wait`` is over."""

    kind: ClassVar[str] = "queue"
    takes_input: ClassVar[bool] = True

    queue: str = Field(description="A queue of config.yaml.")
    on_timeout: str | None = Field(None, description="Where to go after max_wait; else the call ends.")
    on_empty: str | None = Field(None, description="Where to go at once when no member is reachable.")

    def exits(self) -> list[Exit]:
        ways = [Exit("timeout", self.on_timeout or self.next, ("on_timeout",))]
        return [*ways, Exit("empty", self.on_empty, ("on_empty",))] if self.on_empty else ways

    def references(self) -> list[Reference]:
        return [Reference(ReferenceKind.QUEUE, self.queue, ("queue",))]

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        name = self.queue
        result = await serve(
            call,
            name,
            around.queues[name],
            around.lines[name],
            around.board,
            leave_if_empty=self.on_empty is not None,
        )
        match result.end:
            case QueueEnd.ANSWERED:
                return Turn(None, f"{result.agent} answered after {result.waited_s:.0f} s and talked")
            case QueueEnd.EMPTY:
                return Turn(self.on_empty, f"no member of {name} is reachable")
            case QueueEnd.TIMEOUT:
                return Turn(
                    self.on_timeout or self.next, f"nobody of {name} answered within {result.waited_s:.0f} s"
                )
