"""``hangup``: ends the call."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pbx.flows.control import CallControl
from pbx.flows.step import Exit, Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Hangup(Step):
    """End the call, for the reason given."""

    kind: ClassVar[str] = "hangup"

    hangup: str | None = Field(None, description="Why, for the record.")

    def exits(self) -> list[Exit]:
        return []

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        return Turn(None, self.hangup or "hung up")
