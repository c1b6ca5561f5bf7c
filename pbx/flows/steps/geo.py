"""``geo:`` sends callers on by where their number is from."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from pbx.flows.control import CallControl
from pbx.flows.step import Exit, Step, Turn
from pbx.geo import match

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Area(BaseModel):
    """One rule: its areas, and where callers from there go."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, description="What the area is called, for the trace.")
    areas: list[str] = Field(min_length=1, description='Number prefixes ("+1212"), states or countries.')
    to: str


class Geo(Step):
    """The first rule that holds the caller's number wins."""

    kind: ClassVar[str] = "geo"

    geo: list[Area] = Field(min_length=1, description="Rules, tried in order.")
    otherwise: str | None = Field(None, description="Where callers from elsewhere go; `next` if not given.")

    @property
    def detail(self) -> str:
        return ", ".join(area.name for area in self.geo)

    def exits(self) -> list[Exit]:
        ways = [Exit(area.name, area.to, ("geo", index, "to")) for index, area in enumerate(self.geo)]
        name = "otherwise" if self.otherwise is not None or self.next is None else "next"
        return [*ways, Exit("otherwise", self.otherwise or self.next, (name,))]

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        elsewhere = self.otherwise or self.next
        caller = call.facts.caller
        if not caller:
            return Turn(elsewhere, "the caller withheld the number", value="")
        for area in self.geo:
            if reason := match(area.areas, caller):
                return Turn(area.to, f"{area.name}: {reason}", value=area.name)
        return Turn(elsewhere, "the caller's number is from none of the areas", value="")
