"""``goto: flow`` goes on in another flow; ``goto: {flow, return}`` comes back when that one is over.

With ``return``, the other flow is a part that several flows can share, such as asking for a ZIP code:
where one of its steps leads nowhere, the call comes back to the step named. ``hangup`` in it ends the
call all the same. What it found out (``{zip}``) is there afterwards.
"""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pbx.flows.control import CallControl
from pbx.flows.step import Exit, Reference, ReferenceKind, Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


def _or_bare_name(schema: dict[str, Any]) -> None:
    mapping = dict(schema)
    schema.clear()
    schema["anyOf"] = [{"type": "string"}, mapping]


class Place(BaseModel):
    """A flow, a step of it, or a step of this flow; and where to come back to."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, json_schema_extra=_or_bare_name
    )

    flow: str | None = Field(None, description="The flow; this one if not given.")
    step: str | None = Field(None, description="The step; the flow's start if not given.")
    return_: str | None = Field(
        None, alias="return", description="The step of this flow to come back to when that one is over."
    )

    @model_validator(mode="before")
    @classmethod
    def _bare_flow(cls, value: Any) -> Any:
        return {"flow": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _somewhere(self) -> "Place":
        if self.flow is None and self.step is None:
            raise ValueError("write the name of a flow, {flow: name, step: name}, or {step: name}")
        if self.flow is None and self.return_ is not None:
            raise ValueError("only another flow can come back; name it: {flow: name, return: step}")
        return self


class Goto(Step):
    """Never comes back, unless ``return`` says where to."""

    kind: ClassVar[str] = "goto"
    example: ClassVar[str] = """
emergency: {goto: emergency}
again: {goto: {step: menu}}
there: {goto: {flow: main, step: menu}}
ask_for_zip: {goto: {flow: ask-for-zip, return: nearest}}
"""

    goto: Place = Field(
        description="A flow's name, `{flow, step}`, `{flow, return}`, or `{step}` of this flow."
    )
    next: None = None

    @property
    def detail(self) -> str:
        return "/".join(part for part in (self.goto.flow, self.goto.step) if part)

    def exits(self) -> list[Exit]:
        """The step of this flow, or the one to come back to; another flow is a reference."""
        if self.goto.return_ is not None:
            return [Exit(f"after {self.goto.flow}", self.goto.return_, ("goto", "return"))]
        return [] if self.goto.flow else [Exit("goto", self.goto.step, ("goto", "step"))]

    def references(self) -> list[Reference]:
        if self.goto.flow is None:
            return []
        return [Reference(ReferenceKind.FLOW, self.goto.flow, ("goto", "flow"), self.goto.step)]

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        back = f", then comes back to {self.goto.return_}" if self.goto.return_ else ""
        because = f"the flow goes on at {self.detail}{back}"
        return Turn(self.goto.step, because, flow=self.goto.flow, back=self.goto.return_)
