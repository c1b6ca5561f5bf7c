"""``score: 4`` rates the call."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pbx.flows.control import CallControl
from pbx.flows.step import Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Score(Step):
    """What a person says of the call later replaces it."""

    kind: ClassVar[str] = "score"
    example: ClassVar[str] = """
good: {score: 4, next: reception}
"""

    score: int = Field(ge=1, le=5, description="1 to 5, as on the dashboard.")

    @property
    def detail(self) -> str:
        return f"{self.score} of 5"

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        call.score(self.score, f"the flow's step {around.step}")
        return Turn(self.next, f"scored {self.detail}")
