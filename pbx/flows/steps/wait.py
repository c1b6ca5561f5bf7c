"""``wait: 2s`` answers and stays silent."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pbx.config.models import Duration, seconds
from pbx.flows.control import CallControl
from pbx.flows.step import Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Wait(Step):
    """Answers if need be and lets time pass."""

    kind: ClassVar[str] = "wait"
    example: ClassVar[str] = """
breath: {wait: 2s, next: menu}
"""

    wait: Duration = Field(description="How long.")

    @property
    def detail(self) -> str:
        return f"{seconds(self.wait):g} s"

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        await call.wait(seconds(self.wait))
        return Turn(self.next, f"{seconds(self.wait):g} s have passed")
