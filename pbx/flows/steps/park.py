"""``park:`` lets the caller wait, with music, at an orbit until somebody picks the call up there."""

import asyncio
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, Field

from pbx.config.fields import SomeTime, parse_duration, seconds
from pbx.flows.control import CallControl, noted
from pbx.flows.step import Exit, Step, Turn
from pbx.parking import LotFull, Parked, PickedUp

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

ANY = "any"


def _orbit(value: str) -> str:
    if value != ANY and not (value.isdigit() and value.isascii()):
        raise ValueError(f'{value!r} is no orbit; write its digits, such as "71", or any')
    return value


Orbit = Annotated[
    str,
    Field(coerce_numbers_to_str=True, json_schema_extra={"type": ["string", "integer"]}),
    AfterValidator(_orbit),
]


class Park(Step):
    """The orbit is in the call's events; whoever knows it picks the call up with ``*7`` and the orbit."""

    kind: ClassVar[str] = "park"
    takes_input: ClassVar[bool] = True
    example: ClassVar[str] = """
wait_for_anna: {park: any, timeout: 2m, on_timeout: message, on_full: message, next: hangup}
"""

    park: Orbit = Field(description="`any` for the first orbit that is free, or the digits of one.")
    timeout: SomeTime = Field(parse_duration("2m"), description="How long the call stays parked.")
    on_timeout: str | None = Field(
        None, description="Where to go when nobody picked the call up; without it the call ends."
    )
    on_full: str | None = Field(
        None, description="Where to go when the orbit is taken, or all are; `on_timeout` if not given."
    )
    next: str | None = Field(None, description="Where to go when who picked the call up hangs up first.")

    @property
    def detail(self) -> str:
        return "" if self.park == ANY else self.park

    def exits(self) -> list[Exit]:
        ways = [Exit("nobody picked up", self.on_timeout, ("on_timeout",))]
        if self.on_full is not None:
            ways.append(Exit("no orbit free", self.on_full, ("on_full",)))
        if self.next is not None:
            ways.append(Exit("after the talk", self.next, ("next",), served=True))
        return ways

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        facts = call.facts
        orbit = None if self.park == ANY else self.park
        try:
            with around.parking.place(facts.call_id, facts.caller, orbit) as parked:
                found = await self._wait(call, parked)
                if found is None:
                    waited = f"within {seconds(self.timeout):g} s"
                    because = f"nobody picked the call up from {parked.orbit} {waited}"
                    return Turn(self.on_timeout, because, way="nobody picked up")
                who = f"{found.by.target} picked the call up from {parked.orbit}"
                with noted(who):
                    talk = await call.confer(found.room, partner=found.by)
        except LotFull:
            what = "every orbit is taken" if orbit is None else f"orbit {orbit} is taken"
            return Turn(self.on_full or self.on_timeout, what, way="no orbit free")
        because = f"{who} and hung up after {talk.stayed_s:.0f} s"
        return Turn(self.next, because, way="after the talk")

    async def _wait(self, call: CallControl, parked: Parked) -> PickedUp | None:
        """Whoever picks the call up within the time, or None."""
        await call.start_music()
        began = call.clock.monotonic()
        because = "the caller left"
        call.parked(parked.orbit)
        try:
            await call.until(asyncio.wait((parked.picked_up,), timeout=seconds(self.timeout)))
            found = parked.picked_up.result() if parked.picked_up.done() else None
            because = f"{found.by.target} picked it up" if found else "the time is over"
        finally:
            call.unparked(parked.orbit, call.clock.monotonic() - began, because)
        await call.stop_music()
        return found
