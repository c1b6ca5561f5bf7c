"""``play: file`` plays an audio file to the caller."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pbx.flows.control import CallControl
from pbx.flows.known import language_of
from pbx.flows.prompts import Said
from pbx.flows.step import Reference, ReferenceKind, Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Play(Step):
    """Answers if need be, plays to the end, goes on."""

    kind: ClassVar[str] = "play"
    example: ClassVar[str] = """
jingle: {play: jingle.wav, next: menu}
"""

    play: str = Field(min_length=1, description="A WAV file, beside the flow or in prompts/.")

    @property
    def detail(self) -> str:
        return self.play

    def references(self) -> list[Reference]:
        return [Reference(ReferenceKind.AUDIO, self.play, ("play",))]

    def said(self) -> list[Said]:
        return [Said(("play",), file=self.play)]

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        await call.play(around.prompt_file(self.play, language_of(call)))
        return Turn(self.next, f"{self.play} was played")
