"""``goto``: another step, or another flow."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from pbx.flows.control import CallControl
from pbx.flows.step import Exit, Reference, ReferenceKind, Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class OtherFlow(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    flow: str = Field(description="The flow to go on in, at its start.")


class Goto(Step):
    """Go on at a step of this flow, or at the start of another: ``goto: {flow: main}``."""

    kind: ClassVar[str] = "goto"

    goto: str | OtherFlow = Field(description="A step, or {flow: name}.")

    def exits(self) -> list[Exit]:
        return [Exit("goto", self.goto, ("goto",))] if isinstance(self.goto, str) else []

    def references(self) -> list[Reference]:
        if isinstance(self.goto, str):
            return []
        return [Reference(ReferenceKind.FLOW, self.goto.flow, ("goto", "flow"))]

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        if isinstance(self.goto, str):
            return Turn(self.goto, f"on to {self.goto}")
        return Turn(None, f"on to the flow {self.goto.flow}", flow=self.goto.flow)
