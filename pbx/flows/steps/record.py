"""``record: on`` and ``record: off``."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from pbx.flows.control import CallControl
from pbx.flows.step import Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Record(Step):
    """Whether what follows is recorded; beats ``recording.enabled``."""

    kind: ClassVar[str] = "record"

    record: Literal["on", "off"] = Field(description="on or off, from here to the end of the call.")

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        call.set_recording(self.record == "on")
        return Turn(self.next, f"recording {self.record}")
