"""``goto: flow`` goes on in another flow; ``goto: {flow, step}`` at a step of it, or of this one."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pbx.flows.control import CallControl
from pbx.flows.step import Exit, Reference, ReferenceKind, Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Place(BaseModel):
    """A flow, a step of it, or a step of this flow."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    flow: str | None = Field(None, description="The flow; this one if not given.")
    step: str | None = Field(None, description="The step; the flow's start if not given.")

    @model_validator(mode="before")
    @classmethod
    def _bare_flow(cls, value: Any) -> Any:
        return {"flow": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _somewhere(self) -> "Place":
        if self.flow is None and self.step is None:
            raise ValueError("write the name of a flow, {flow: name, step: name}, or {step: name}")
        return self


class Goto(Step):
    """Never comes back: what follows is the other flow's."""

    kind: ClassVar[str] = "goto"

    goto: Place = Field(description="A flow's name, {flow, step}, or {step} of this flow.")
    next: None = None

    @property
    def detail(self) -> str:
        return "/".join(part for part in (self.goto.flow, self.goto.step) if part)

    def exits(self) -> list[Exit]:
        """The step of this flow; another flow is a reference."""
        return [] if self.goto.flow else [Exit("goto", self.goto.step, ("goto", "step"))]

    def references(self) -> list[Reference]:
        if self.goto.flow is None:
            return []
        return [Reference(ReferenceKind.FLOW, self.goto.flow, ("goto", "flow"), self.goto.step)]

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        return Turn(self.goto.step, f"the flow goes on at {self.detail}", flow=self.goto.flow)
