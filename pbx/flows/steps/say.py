"""``say: "text"``: speaks."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pbx.flows.control import CallControl, Prompt
from pbx.flows.step import Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Say(Step):
    """Speak a text, then go on."""

    kind: ClassVar[str] = "say"

    say: str = Field(min_length=1, description="What is spoken.")

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        await call.play(Prompt(text=self.say))
        return Turn(self.next, "said")
