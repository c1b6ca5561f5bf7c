"""``play: file.wav``: plays an audio file."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pbx.flows.control import CallControl
from pbx.flows.step import Reference, ReferenceKind, Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Play(Step):
    """Play a file that lies beside the flow or in ``prompts/``, then go on."""

    kind: ClassVar[str] = "play"

    play: str = Field(min_length=1, description="A WAV file, beside the flow or in prompts/.")

    def references(self) -> list[Reference]:
        return [Reference(ReferenceKind.AUDIO, self.play, ("play",))]

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        await call.play(around.prompt_file(self.play))
        return Turn(self.next, "played")
