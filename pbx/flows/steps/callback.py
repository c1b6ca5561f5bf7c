"""``callback: queue`` promises to call back: the caller hangs up and keeps the place in the line."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pbx.flows.control import CallControl
from pbx.flows.filling import filled
from pbx.flows.prompts import Said, Spoken
from pbx.flows.step import Exit, Reference, ReferenceKind, Step, Turn
from pbx.numbering import display, normalise

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

ACCEPT = "1"
ANSWER_S = 5.0
PLACE = "place"


class Callback(Step):
    """When the turn comes, an agent is rung first, then the customer, as a call linked to this one."""

    kind: ClassVar[str] = "callback"
    takes_input: ClassVar[bool] = True
    serves: ClassVar[bool] = True
    gives: ClassVar[tuple[str, ...]] = ("", "place")
    example: ClassVar[str] = """
sales: {queue: sales, keys: {"2": call_me}, on_timeout: call_me}
call_me:
  callback: sales
  offer: "Press 1 and we call you back when it is your turn."
  confirm: "Thank you. You are number {place} in line, and we will call you."
  otherwise: message
"""

    callback: str = Field(min_length=1, description="A queue of config.yaml.")
    offer: Spoken | None = Field(
        None, description="What is asked: 1 accepts. Without it, coming to the step is consent enough."
    )
    confirm: Spoken | None = Field(None, description="What is said then; {place} is the place in line.")
    number: str = Field(
        "{caller}", min_length=1, description="Whom to call: a number or a {value} with one; else the caller."
    )
    trunk: str | None = Field(None, description="The trunk to call over; else the first that can.")
    otherwise: str | None = Field(
        None, description="Where to go when the caller declines, or there is no number to call."
    )
    next: str | None = Field(None, description="Where to go after the promise; without it the call ends.")

    @property
    def detail(self) -> str:
        return self.callback

    def exits(self) -> list[Exit]:
        return [
            Exit("promised", self.next, ("next",), served=True),
            Exit("otherwise", self.otherwise, ("otherwise",)),
        ]

    def references(self) -> list[Reference]:
        found = [Reference(ReferenceKind.QUEUE, self.callback, ("callback",))]
        if self.trunk is not None:
            found.append(Reference(ReferenceKind.TRUNK, self.trunk, ("trunk",)))
        for name, spoken in (("offer", self.offer), ("confirm", self.confirm)):
            found += spoken.references(name) if spoken is not None else []
        return found

    def said(self) -> list[Said]:
        found = self.offer.said("offer") if self.offer is not None else []
        return [*found, *(self.confirm.said("confirm", own=(PLACE,)) if self.confirm is not None else [])]

    def templates(self) -> list[tuple[tuple[str | int, ...], str]]:
        return [(("number",), self.number)]

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        written = await filled(self.number, call, around)
        number = normalise(written, call.facts.country) if written else None
        if number is None:
            return self._not("there is no number to call back")
        if not around.queues.callbacks.possible:
            return self._not("nobody can be called back here")
        if self.offer is not None:
            prompt = await self.offer.prompt(call, around)
            pressed = await call.collect(prompt, max_digits=1, timeout_s=ANSWER_S, terminators="")
            if pressed != ACCEPT:
                what = f"the caller pressed {pressed}" if pressed else "the caller pressed nothing"
                return self._not(f"{what}: no callback")
        with around.queues.promise(self.callback, call, number, self.trunk) as place:
            if self.confirm is not None:
                await call.play(await self.confirm.prompt(call, around, {PLACE: str(place)}))
        because = f"{display(number, call.facts.country)} is called back, as number {place} in line"
        return Turn(self.next, because, value="promised", details={"place": str(place)}, way="promised")

    def _not(self, because: str) -> Turn:
        return Turn(self.otherwise, because, value="declined", way="otherwise")
