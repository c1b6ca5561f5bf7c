"""``record: on`` and ``off``: whether the call is recorded from here on; ``pause`` and ``resume``: what
is cut out of the recording, such as a card number."""

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from pbx.flows.control import CallControl
from pbx.flows.step import Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Record(Step):
    """The flow's word beats config's."""

    kind: ClassVar[str] = "record"
    example: ClassVar[str] = """
card: {record: off, next: reception}
"""

    record: Literal["on", "off", "pause", "resume"] = Field(description="on, off, pause or resume.")

    @field_validator("record", mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        return {True: "on", False: "off"}[value] if isinstance(value, bool) else value

    @property
    def detail(self) -> str:
        return self.record

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        if self.record in ("pause", "resume"):
            call.pause_recording(self.record == "pause")
            return Turn(self.next, f"recording is {self.record}d from here")
        call.set_recording(self.record == "on")
        return Turn(self.next, f"recording is {self.record} from here")
