"""``message: text`` sends a text (SMS) to the caller, or to another number."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pbx.flows.control import CallControl
from pbx.flows.filling import filled
from pbx.flows.step import Reference, ReferenceKind, Step, Turn
from pbx.numbering import masked, normalise

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

CALLER = "{caller}"


class Message(Step):
    """Hands the text over and goes on: whether it arrives is in the events, and fails no call."""

    kind: ClassVar[str] = "message"
    gives: ClassVar[tuple[str, ...]] = ("",)
    example: ClassVar[str] = """
confirm: {message: "Thanks for calling on {date}. We will be in touch.", to: "{caller}", next: hangup}
"""

    message: str = Field(min_length=1, description="The text, with `{name}` filled in.")
    to: str = Field(
        CALLER, description="The number; `{name}` for one that the call knows. The caller if not given."
    )
    via: str | None = Field(None, description="A way of `texts`; the first if not given.")

    @property
    def detail(self) -> str:
        return f"“{self.message}”"

    def references(self) -> list[Reference]:
        return [] if self.via is None else [Reference(ReferenceKind.TEXTS, self.via, ("via",))]

    def templates(self) -> list[tuple[tuple[str | int, ...], str]]:
        return [(("message",), self.message), (("to",), self.to)]

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        written = await filled(self.to, call, around)
        number = normalise(written, call.facts.country)
        if number is None:
            why = (
                "the caller withheld the number" if self.to == CALLER and not written else "that is no number"
            )
            return Turn(self.next, f"no text was sent: {why}", value="unsent")
        text = await filled(self.message, call, around)
        problem = call.send_text(number, text, via=self.via or "")
        if problem:
            return Turn(self.next, f"no text was sent: {problem}", value="unsent")
        return Turn(self.next, f"a text to {masked(number)} was handed over", value="handed over")
