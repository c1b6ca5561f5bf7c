"""``split: {new: 20, old: 80}`` sends each caller to one of several steps, always the same one.

Which one follows from the caller's number and the step's name alone, so that who calls again hears
what they heard before, on any server and after any restart; two splits are independent of each
other. Changing the shares moves as few callers as it can: everybody keeps their place between 0
and 100, only the borders move. Callers who withhold their number are drawn anew with each call.
"""

import hashlib
from datetime import date
from itertools import accumulate
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from pbx.flows.control import CallControl
from pbx.flows.step import Doubt, Exit, Step, Turn, fault

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

WHOLE = 100.0
Share = Annotated[float, Field(gt=0, le=WHOLE)]


def place(*identity: str) -> float:
    """Where somebody stands between 0 and 100: evenly spread, and always the same."""
    digest = hashlib.sha256("\0".join(identity).encode()).digest()
    return int.from_bytes(digest[:6]) / 2**48 * WHOLE


class Split(Step):
    """For trials of a new flow, and for sharing calls between places by percentages."""

    kind: ClassVar[str] = "split"
    gives: ClassVar[tuple[str, ...]] = ("",)
    example: ClassVar[str] = """
trial:
  split: {new_menu: 20, menu: 80}
"""

    split: dict[str, Share] = Field(
        min_length=2, description="Steps and the percentage of callers that each gets; together 100."
    )
    next: None = None

    @property
    def detail(self) -> str:
        return ", ".join(f"{share:g} % {step}" for step, share in self.split.items())

    def exits(self) -> list[Exit]:
        return [Exit(f"{share:g} %", step, ("split", step)) for step, share in self.split.items()]

    def doubts(self, today: date) -> list[Doubt]:
        total = sum(self.split.values())
        if abs(total - WHOLE) < 1e-6:
            return []
        return [fault(("split",), f"the shares are {total:g} % together, not 100")]

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        who = call.facts.caller or call.facts.call_id
        at = place(around.flow.id if around.flow else "", around.step.rpartition("/")[2], who)
        step, first, last = self.chosen(at)
        by = "caller" if call.facts.caller else "call, whose number is withheld,"
        return Turn(
            step,
            f"this {by} stands at {at:.1f}, {step} has {first:g} to {last:g}",
            value=step,
            way=f"{self.split[step]:g} %",
        )

    def chosen(self, at: float) -> tuple[str, float, float]:
        """The step at a place between 0 and 100, and the range that it has."""
        first = 0.0
        for step, last in zip(self.split, accumulate(self.split.values()), strict=True):
            if at < last:
                return step, first, last
            first = last
        step, share = list(self.split.items())[-1]
        return step, WHOLE - share, WHOLE
