"""``say: text`` speaks a text to the caller."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pbx.flows.control import CallControl
from pbx.flows.known import language_of, look_up
from pbx.flows.languages import Words, in_language
from pbx.flows.prompts import Said, prompt_of, shown
from pbx.flows.step import Step, Turn, shown_value
from pbx.flows.templates import template

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Say(Step):
    """Answers if need be, speaks to the end, goes on."""

    kind: ClassVar[str] = "say"
    example: ClassVar[str] = """
hello: {say: "This call may be recorded.", next: waiting}
waiting:
  say:
    en: "You are number {queue.sales.position} in line. It is {day}, {time}."
    es: "Usted es el número {queue.sales.position} en la fila."
  next: menu
"""

    say: Words = Field(description="The text, or one per language: `{en: Hello, es: Hola}`.")

    @property
    def detail(self) -> str:
        return shown(self.say)

    def said(self) -> list[Said]:
        return [Said(("say",), self.say)]

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        because = await self._because(call, around)
        await call.play(await prompt_of(self.say, call, around))
        return Turn(self.next, because)

    async def _because(self, call: CallControl, around: "Surroundings") -> str:
        """With the values as they were when the text was spoken."""
        names = template(in_language(self.say, language_of(call))[1]).names
        values = await look_up(names, call, around)
        told = [
            f"{name} is {shown_value(values[name])}" if name in values else f"{name} has no value yet"
            for name in names
        ]
        return "; ".join(("the text was spoken", *told))
