"""``wait: 60s``: answers and stays silent."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pbx.config.models import Duration, seconds
from pbx.flows.control import CallControl
from pbx.flows.step import Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Wait(Step):
    """Answer, and stay silent for a while."""

    kind: ClassVar[str] = "wait"
    takes_input: ClassVar[bool] = True  # it takes time, so that a loop through it does not spin

    wait: Duration = Field(description="How long.")

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        await call.wait(seconds(self.wait))
        return Turn(self.next, f"waited {seconds(self.wait):g} s")
