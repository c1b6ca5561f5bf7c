"""``geo:`` sends callers on by where their number is from."""

from datetime import date
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from pbx.flows.control import CallControl
from pbx.flows.step import Doubt, Exit, Step, Turn
from pbx.geo import fault, match

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Area(BaseModel):
    """One rule: its areas, and where callers from there go."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, description="What the area is called, for the trace.")
    areas: list[str] = Field(min_length=1, description='Number prefixes ("+1212"), states or countries.')
    to: str


def _holds(earlier: str, place: str) -> bool:
    """Whether everybody from ``place`` is from ``earlier``, as far as that is plain to see."""
    return place.casefold() == earlier or (earlier[:1] == "+" and place.startswith(earlier))


class Geo(Step):
    """The first rule that holds the caller's number wins."""

    kind: ClassVar[str] = "geo"
    gives: ClassVar[tuple[str, ...]] = ("",)
    example: ClassVar[str] = """
nearest:
  geo:
    - {name: Manhattan, areas: ["+1212", "+1646"], to: reception}
    - {name: New Jersey, areas: ["NJ", "Newark, NJ"], to: newark}
    - {name: Britain, areas: [GB], to: london}
  otherwise: reception
"""

    geo: list[Area] = Field(min_length=1, description="Rules, tried in order.")
    otherwise: str | None = Field(None, description="Where callers from elsewhere go; `next` if not given.")

    @property
    def detail(self) -> str:
        return ", ".join(area.name for area in self.geo)

    def exits(self) -> list[Exit]:
        ways = [Exit(area.name, area.to, ("geo", index, "to")) for index, area in enumerate(self.geo)]
        name = "otherwise" if self.otherwise is not None or self.next is None else "next"
        return [*ways, Exit("otherwise", self.otherwise or self.next, (name,))]

    def doubts(self, today: date) -> list[Doubt]:
        """Areas that nobody knows, and rules that an earlier one leaves nothing for."""
        found: list[Doubt] = []
        earlier: dict[str, str] = {}
        for rule, area in enumerate(self.geo):
            for index, place in enumerate(area.areas):
                loc = ("geo", rule, "areas", index)
                if wrong := fault(place):
                    found.append(Doubt("value", loc, wrong, is_error=True))
                elif taken := next((own for begin, own in earlier.items() if _holds(begin, place)), None):
                    found.append(
                        Doubt("never", loc, f"callers from {place!r} go to {taken!r} already; put it before")
                    )
            earlier |= {place.casefold(): area.name for place in area.areas}
        return found

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        elsewhere = self.otherwise or self.next
        caller = call.facts.caller
        if not caller:
            return Turn(elsewhere, "the caller withheld the number", value="", way="otherwise")
        for area in self.geo:
            if reason := match(area.areas, caller):
                return Turn(area.to, f"{area.name}: {reason}", value=area.name, way=area.name)
        because = "the caller's number is from none of the areas"
        return Turn(elsewhere, because, value="", way="otherwise")
