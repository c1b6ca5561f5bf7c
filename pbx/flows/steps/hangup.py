"""``hangup:`` ends the call."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pbx.flows.control import CallControl
from pbx.flows.filling import filled
from pbx.flows.step import HANGUP, Exit, Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Hangup(Step):
    """Ends the call, also within a flow that would come back; a target ``hangup`` does the same."""

    kind: ClassVar[str] = "hangup"
    example: ClassVar[str] = """
bye: {hangup: "spam from {caller}"}
"""

    hangup: str | bool | None = Field(description="Nothing, or the reason, which the call's record keeps.")
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

    def templates(self) -> list[tuple[tuple[str | int, ...], str]]:
        return [(("hangup",), self.detail)] if self.detail else []

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        reason = await filled(self.detail, call, around)
        return Turn(HANGUP, reason or "the flow hangs up", reason=reason)
