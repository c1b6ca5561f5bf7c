"""``say: text`` speaks a text to the caller."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pbx.flows.control import CallControl, Prompt
from pbx.flows.step import Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Say(Step):
    """Answers if need be, speaks to the end, goes on."""

    kind: ClassVar[str] = "say"

    say: str = Field(min_length=1, description="The text; spoken by the server's synthesiser.")

    @property
    def detail(self) -> str:
        return f"“{self.say}”"

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        await call.play(Prompt(text=self.say))
        return Turn(self.next, "the text was spoken")
