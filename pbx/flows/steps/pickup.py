"""``pickup: orbit`` joins this caller to whoever is parked there."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pbx.flows.control import AnsweredLeg, CallControl, NumberTarget, noted
from pbx.flows.filling import filled
from pbx.flows.step import Exit, Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Pickup(Step):
    """For colleagues who call in from outside; agents pick up with a feature code."""

    kind: ClassVar[str] = "pickup"
    takes_input: ClassVar[bool] = True
    example: ClassVar[str] = """
orbit: {collect: "Which orbit?", digits: 2, next: fetch}
fetch: {pickup: "{orbit}", on_nobody: hangup}
"""

    pickup: str = Field(
        coerce_numbers_to_str=True,
        min_length=1,
        json_schema_extra={"type": ["string", "integer"]},
        description="The orbit; `{step}` for digits that were collected.",
    )
    on_nobody: str | None = Field(
        None, description="Where to go when nobody is parked there; without it the call ends."
    )
    next: str | None = Field(None, description="Where to go when the other hangs up first.")

    @property
    def detail(self) -> str:
        return self.pickup

    def exits(self) -> list[Exit]:
        ways = [Exit("nobody is parked there", self.on_nobody, ("on_nobody",))]
        return (
            ways if self.next is None else [*ways, Exit("after the talk", self.next, ("next",), served=True)]
        )

    def templates(self) -> list[tuple[tuple[str | int, ...], str]]:
        return [(("pickup",), self.pickup)]

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        orbit = await filled(self.pickup, call, around)
        facts = call.facts
        me = AnsweredLeg(facts.call_id, NumberTarget(facts.caller or "a withheld number", None))
        room = around.parking.pick_up(orbit, me)
        if room is None:
            return Turn(self.on_nobody, f"nobody is parked at {orbit}", way="nobody is parked there")
        with noted(f"the caller picked up the call at {orbit}"):
            talk = await call.confer(room)
        because = f"talked to the call that was parked at {orbit} for {talk.stayed_s:.0f} s"
        return Turn(self.next, because, way="after the talk")
