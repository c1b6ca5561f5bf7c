"""How a flow writes what is spoken: a text, ``{say: text}`` or ``{play: file}``."""

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pbx.flows.control import Prompt
from pbx.flows.step import Reference, ReferenceKind

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


def _or_bare_text(schema: dict[str, Any]) -> None:
    """In the schema as in the validator below: a bare text stands for {say: text}."""
    mapping = dict(schema)
    schema.clear()
    schema["anyOf"] = [{"type": "string"}, mapping]


class Spoken(BaseModel):
    """A text for the synthesiser, or an audio file beside the flow or in ``prompts/``."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_or_bare_text)

    say: str | None = Field(None, min_length=1)
    play: str | None = Field(None, min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _bare_text(cls, value: Any) -> Any:
        return {"say": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_of_them(self) -> "Spoken":
        if (self.say is None) == (self.play is None):
            raise ValueError("write a text, {say: text} or {play: file}")
        return self

    def prompt(self, around: "Surroundings") -> Prompt:
        """What the call plays. Raises StepFailed for a file that is not there."""
        return around.prompt_file(self.play) if self.play is not None else Prompt(text=self.say or "")

    def references(self, *loc: str | int) -> list[Reference]:
        if self.play is None:
            return []
        return [Reference(ReferenceKind.AUDIO, self.play, (*loc, "play"))]

    def __str__(self) -> str:
        return self.play if self.play is not None else f"“{self.say}”"
