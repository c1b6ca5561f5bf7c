"""``hangup:`` ends the call."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pbx.flows.control import CallControl
from pbx.flows.step import Exit, Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Hangup(Step):
    """Ends the call; a target ``hangup`` does the same without a step."""

    kind: ClassVar[str] = "hangup"

    hangup: str | bool | None = Field(description="Nothing, or why, for the record.")
    next: None = None

    @property
    def detail(self) -> str:
        return self.hangup if isinstance(self.hangup, str) else ""

    @property
    def is_meant_to_end(self) -> bool:
        """Who writes down why wants it so."""
        return bool(self.detail)

    def exits(self) -> list[Exit]:
        return []

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        return Turn(None, self.detail or "the flow hangs up")
