"""How a flow writes what is spoken: a text, a text per language, or an audio file.

``Hello`` or ``{say: Hello}``, ``{en: Hello, es: Hola}``, ``{play: hello.wav}``. Texts may have values
in them (:mod:`pbx.flows.templates`). An audio file in a folder named after the language, such as
``prompts/es/hello.wav``, is the one that callers in that language hear.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from pbx.flows.control import CallControl, Prompt
from pbx.flows.known import language_of, look_up
from pbx.flows.languages import Words, in_language, is_language
from pbx.flows.spoken_values import Tongue
from pbx.flows.step import Reference, ReferenceKind
from pbx.flows.templates import template

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that a step may say, and the key path where it is written.

    ``own`` are names of values that only this text knows. What is said ``to_agent`` is not in the
    caller's language; ``ours`` is a text of the program's, not the admin's.
    """

    loc: tuple[str | int, ...]
    words: Words | None = None
    file: str | None = None
    own: tuple[str, ...] = ()
    to_agent: bool = False
    ours: bool = False

    def texts(self) -> list[tuple[tuple[str | int, ...], str, str]]:
        """Every text with its key path and its language ("" for every one)."""
        if isinstance(self.words, Mapping):
            return [((*self.loc, language), text, language) for language, text in self.words.items()]
        return [(self.loc, self.words, "")] if self.words is not None else []


def _or_bare_text(schema: dict[str, Any]) -> None:
    """In the schema as in the validator below: a bare text stands for {say: text}."""
    mapping = dict(schema)
    by_language = {"type": "object", "additionalProperties": {"type": "string"}}
    schema.clear()
    schema["anyOf"] = [{"type": "string"}, mapping, by_language]


class Spoken(BaseModel):
    """A text for the synthesiser (one, or one per language), or an audio file."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_or_bare_text)

    say: Words | None = None
    play: str | None = Field(None, min_length=1)

    @model_validator(mode="before")
    @classmethod
    def _bare_text(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"say": value}
        if isinstance(value, dict) and value and all(map(_names_a_language, value)):
            return {"say": value}
        return value

    @model_validator(mode="after")
    def _one_of_them(self) -> "Spoken":
        if (self.say is None) == (self.play is None):
            raise ValueError("write a text, {say: text} or {play: file}")
        return self

    async def prompt(
        self, call: CallControl, around: "Surroundings", own: Mapping[str, str] | None = None
    ) -> Prompt:
        """What this call plays. Raises StepFailed for a file that is not there."""
        if self.play is not None:
            return around.prompt_file(self.play, language_of(call))
        return await prompt_of(self.say or "", call, around, own)

    def said(self, *loc: str | int, own: tuple[str, ...] = (), ours: bool = False) -> list[Said]:
        return [Said(loc, self.say, self.play, own, ours=ours)]

    def references(self, *loc: str | int) -> list[Reference]:
        if self.play is None:
            return []
        return [Reference(ReferenceKind.AUDIO, self.play, (*loc, "play"))]

    def __str__(self) -> str:
        return self.play if self.play is not None else shown(self.say or "")


def _names_a_language(key: Any) -> bool:
    return isinstance(key, str) and key not in Spoken.model_fields and is_language(key)


async def prompt_of(
    words: Words, call: CallControl, around: "Surroundings", own: Mapping[str, str] | None = None
) -> Prompt:
    """The text in the call's language, with its values. ``own`` are values that only this text knows."""
    language, text = in_language(words, language_of(call))
    cut = template(text)
    values = {**await look_up(cut.names, call, around), **(own or {})} if cut.names else {}
    text = cut.fill(values, Tongue(language, call.facts.country))
    return Prompt(text=text, language=language, passing=bool(cut.names))


async def whisper_of(words: Words, call: CallControl, around: "Surroundings") -> Prompt:
    """For an agent's ear: one text is in the agents' own language, of several the caller's is taken."""
    if not isinstance(words, str):
        return await prompt_of(words, call, around)
    cut = template(words)
    values = await look_up(cut.names, call, around) if cut.names else {}
    text = cut.fill(values, Tongue(around.language, call.facts.country))
    return Prompt(text=text, passing=bool(cut.names))


def shown(words: Words) -> str:
    """In one line, for pictures and listings."""
    return f"“{words if isinstance(words, str) else next(iter(words.values()))}”"
