"""``tag: vip`` puts a tag on the call."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, field_validator

from pbx.config.fields import OneOrMore
from pbx.flows.control import CallControl
from pbx.flows.step import Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Tag(Step):
    """For lists, reports and conditions."""

    kind: ClassVar[str] = "tag"
    example: ClassVar[str] = """
vip: {tag: vip, next: menu}
both: {tag: [support, spanish], next: menu}
"""

    tag: list[Annotated[str, Field(min_length=1)]] = Field(
        min_length=1, description="A tag, or a list of them."
    )

    @field_validator("tag", mode="before", json_schema_input_type=OneOrMore)
    @classmethod
    def _one(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @property
    def detail(self) -> str:
        return ", ".join(self.tag)

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        for tag in self.tag:
            call.tag(tag, f"the flow's step {around.step}")
        return Turn(self.next, f"tagged {self.detail}")
