"""``whisper: text`` says what the next agent hears before the caller."""

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from pbx.flows.control import CallControl
from pbx.flows.languages import Words
from pbx.flows.prompts import Said, shown, whisper_of
from pbx.flows.step import Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Whisper(Step):
    """In place of the number's whisper, for the rest of the call; a ``dial``'s own beats it."""

    kind: ClassVar[str] = "whisper"
    example: ClassVar[str] = """
vip: {whisper: "A returning customer, from {source}", next: sales}
"""

    whisper: Words | Literal[""] = Field(
        description="What agents hear from here on: a text, or one per language; an empty text for nothing."
    )

    @property
    def detail(self) -> str:
        return shown(self.whisper)

    def said(self) -> list[Said]:
        return [Said(("whisper",), self.whisper, to_agent=True)] if self.whisper else []

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        call.set_whisper(await whisper_of(self.whisper, call, around))
        return Turn(
            self.next, f"agents will hear {self.detail}" if self.whisper else "agents will hear nothing"
        )
