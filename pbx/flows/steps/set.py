"""``set: {name: value}`` keeps values for later steps, and chooses the language."""

from datetime import date
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from pbx.flows.control import CallControl
from pbx.flows.filling import filled
from pbx.flows.known import HISTORY, LANGUAGE, NAMES, QUEUE
from pbx.flows.languages import check_language, is_language
from pbx.flows.outcome import StepFailed
from pbx.flows.step import Doubt, Step, Turn, fault
from pbx.flows.templates import TemplateFault, template

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

Value = Annotated[str, Field(coerce_numbers_to_str=True, json_schema_extra={"type": ["string", "integer"]})]


class Set(Step):
    """Values are texts, and may have other values in them; ``language`` is the one that callers hear."""

    kind: ClassVar[str] = "set"
    example: ClassVar[str] = """
spanish: {set: {language: es}, next: menu}
vip: {set: {department: sales, greeting: "a caller from {source}"}, next: reception}
"""

    set: dict[str, Value] = Field(min_length=1, description="Names and what they stand for from here on.")

    @property
    def detail(self) -> str:
        return ", ".join(f"{name} = {value}" for name, value in self.set.items())

    @property
    def language(self) -> str | None:
        chosen = self.set.get(LANGUAGE, "")
        return chosen if is_language(chosen) else None

    def sets(self) -> list[str]:
        return [name for name in self.set if name != LANGUAGE]

    def templates(self) -> list[tuple[tuple[str | int, ...], str]]:
        return [(("set", name), value) for name, value in self.set.items()]

    def doubts(self, today: date) -> list[Doubt]:
        found = [
            fault(("set", name), f"{name!r} is the call's own; choose another name")
            for name in self.set
            if (name in NAMES and name != LANGUAGE) or name.startswith((HISTORY, QUEUE))
        ]
        if wrong := _language_fault(self.set.get(LANGUAGE)):
            found.append(fault(("set", LANGUAGE), wrong))
        return found

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        values = {name: await filled(value, call, around) for name, value in self.set.items()}
        if LANGUAGE in values and not is_language(values[LANGUAGE]):
            raise StepFailed(f"{values[LANGUAGE]!r} is no language that can be spoken")
        told = "; ".join(f"{name} is {value}" for name, value in values.items())
        return Turn(self.next, told, sets=values)


def _language_fault(written: str | None) -> str | None:
    if written is None:
        return None
    try:
        if not template(written).names:
            check_language(written)
    except TemplateFault:
        return None  # told with the other templates
    except ValueError as wrong:
        return str(wrong)
    return None
