"""``directory: prompt`` finds an agent by the first letters of a name, typed on the keypad.

A name matches when one of its words begins with letters on the keys that were pressed: 255 finds
Bill Allen and Ally McBeal. One match is rung at once; of several, at most eight, the caller chooses.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from pbx.config.fields import SomeTime, parse_duration
from pbx.config.models import Agent
from pbx.flows.control import CallControl, Prompt
from pbx.flows.known import language_of
from pbx.flows.languages import in_language
from pbx.flows.own_words import CHOICE
from pbx.flows.prompts import Said, Spoken
from pbx.flows.step import AGAIN, Exit, Reference, ReferenceKind, Step, Turn
from pbx.flows.steps.dial import Dial

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

_LETTERS = ("abc", "def", "ghi", "jkl", "mno", "pqrs", "tuv", "wxyz")
_KEYS = {letter: str(key) for key, letters in enumerate(_LETTERS, 2) for letter in letters}
MOST_CHOICES = 8
MOST_LETTERS = 10
KEY_TIMEOUT_S = 5.0


def keys_of(word: str) -> str:
    """A word as the keypad types it: accents dropped, what no key carries left out."""
    plain = unicodedata.normalize("NFKD", word.casefold())
    return "".join(letter if letter.isdigit() else _KEYS.get(letter, "") for letter in plain)


def found(pressed: str, agents: Mapping[str, Agent], among: Sequence[str] | None) -> list[str]:
    """The agents whose name begins so, by any of its words, in the order of their names."""
    listed = [name for name, agent in agents.items() if agent.listed] if among is None else list(among)
    matching = [
        name
        for name in listed
        if name in agents and any(keys_of(word).startswith(pressed) for word in agents[name].name.split())
    ]
    return sorted(matching, key=lambda name: agents[name].name)


class Directory(Step):
    """Asks for the letters, speaks who matches, and rings whom the caller chooses."""

    kind: ClassVar[str] = "directory"
    takes_input: ClassVar[bool] = True
    example: ClassVar[str] = """
names:
  directory: "Type the first three letters of the first or last name."
  agents: [alice, desk]
  letters: 3
  retries: 2
  timeout: 20s
  on_nobody: reception
  on_no_answer: message
  next: hangup
"""

    directory: Spoken = Field(description="What is asked: a text, or {play: file}.")
    agents: list[str] | None = Field(None, description="Who can be found; everybody `listed` if not given.")
    letters: int = Field(
        3, ge=1, le=MOST_LETTERS, description="How many letters are asked for; `#` ends sooner."
    )
    retries: int = Field(2, ge=0, le=10, description="How often to ask again when nobody matches.")
    timeout: SomeTime = Field(parse_duration("20s"), description="How long who was chosen rings.")
    on_nobody: str | None = Field(
        None, description="Where to go when nobody was found or chosen; without it the call ends."
    )
    on_no_answer: str | None = Field(
        None, description="Where to go when who was chosen did not answer; `on_nobody` if not given."
    )
    next: str | None = Field(None, description="Where to go when who answered hangs up first.")

    @property
    def detail(self) -> str:
        return str(self.directory)

    def exits(self) -> list[Exit]:
        ways = [Exit("nobody found", self.on_nobody, ("on_nobody",))]
        key = "on_nobody" if self.on_no_answer is None else "on_no_answer"
        ways.append(Exit("no answer", self.on_no_answer or self.on_nobody, (key,)))
        if self.next is not None:
            ways.append(Exit("after the talk", self.next, ("next",), served=True))
        return ways

    def references(self) -> list[Reference]:
        named = [
            Reference(ReferenceKind.AGENT, name, ("agents", index))
            for index, name in enumerate(self.agents or ())
        ]
        return [*self.directory.references("directory"), *named]

    def said(self) -> list[Said]:
        return self.directory.said("directory")

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        pressed = await call.collect(
            await self.directory.prompt(call, around),
            max_digits=self.letters,
            timeout_s=KEY_TIMEOUT_S,
            terminators="#",
        )
        matching = found(pressed, around.agents, self.agents) if pressed else []
        chosen = await self._choose(call, around, matching)
        if chosen is None:
            no_name = "nobody has such a name" if pressed else "no key was pressed"
            fault = "nobody was chosen" if matching else no_name
            if visit < self.retries:
                return Turn(AGAIN, f"{fault}; asking again ({visit + 1} of {self.retries})")
            return Turn(self.on_nobody, f"{fault}, and that was the last try", value="", way="nobody found")
        dial = Dial(
            dial=[chosen],
            timeout=self.timeout,
            on_no_answer=self.on_no_answer or self.on_nobody,
            next=self.next,
        )
        return await dial.run(call, around, 0)

    async def _choose(self, call: CallControl, around: "Surroundings", matching: Sequence[str]) -> str | None:
        if len(matching) <= 1:
            return matching[0] if matching else None
        offered = matching[:MOST_CHOICES]
        *before, last = _choices(around, offered, language_of(call))
        for prompt in before:
            await call.play(prompt)
        key = await call.collect(last, max_digits=1, timeout_s=KEY_TIMEOUT_S)
        return offered[int(key) - 1] if key.isdigit() and 1 <= int(key) <= len(offered) else None


def _choices(around: "Surroundings", offered: Sequence[str], language: str) -> list[Prompt]:
    """``For Alice Moreno, press 1.`` in one breath, except where a name was recorded by its bearer."""
    spoken_in, sentence = in_language(CHOICE, language)
    prompts: list[Prompt] = []
    text = ""
    for key, name in enumerate(offered, 1):
        agent = around.agents[name]
        before, _, after = sentence.replace("{key}", str(key)).partition("{name}")
        if agent.name_file is None:
            text += f"{before}{agent.name}{after} "
            continue
        prompts.append(Prompt(text=f"{text}{before}".strip(), language=spoken_in))
        prompts.append(around.prompt_file(agent.name_file, ""))
        text = f"{after.strip(' ,')} "
    return [*prompts, Prompt(text=text.strip(), language=spoken_in)] if text else prompts
