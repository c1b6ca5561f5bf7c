"""``menu: prompt`` asks for a key.

Every repetition is a turn of its own that leads back to the step, so the path of a caller who
needed three tries shows the menu three times, and each turn says what was wrong with the last try.
"""

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, Field

from pbx.config.models import Duration, parse_duration, seconds
from pbx.flows.control import CallControl
from pbx.flows.prompts import Said, Spoken
from pbx.flows.step import AGAIN, Exit, Reference, Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

DIGITS = frozenset("0123456789*#")
MOST_DIGITS = 8
TERMINATOR = "#"


def _readable_keys(keys: str) -> str:
    if not 1 <= len(keys) <= MOST_DIGITS or not set(keys) <= DIGITS:
        raise ValueError(f"{keys!r} is no key of a telephone; the keys are 0 to 9, * and #")
    return keys


# Checked one by one, so that each mistake is told at its own place.
Keys = Annotated[str, AfterValidator(_readable_keys)]


class Menu(Step):
    """Plays the prompt (a key interrupts it), takes keys, and goes where they lead."""

    kind: ClassVar[str] = "menu"
    takes_input: ClassVar[bool] = True
    gives: ClassVar[tuple[str, ...]] = ("",)
    example: ClassVar[str] = """
menu:
  menu: "Press 1 for sales, 2 for support."
  keys: {"1": sales, "2": support, "42": secret}
  timeout: 5s
  retries: 2
  otherwise: reception
"""

    menu: Spoken = Field(description="What is asked: a text, or {play: file}.")
    keys: dict[Keys, str] = Field(min_length=1, description='Where each key leads, such as {"1": sales}.')
    timeout: Duration = Field(
        parse_duration("5s"), description="How long after the prompt to wait for a key."
    )
    retries: int = Field(2, ge=0, le=20, description="How often to ask again.")
    otherwise: str | None = Field(
        None, description="Where to go when no try brought a valid key; `next` if not given."
    )

    @property
    def detail(self) -> str:
        return str(self.menu)

    def exits(self) -> list[Exit]:
        ways = [Exit(f"key {key}", target, ("keys", key)) for key, target in self.keys.items()]
        name = "otherwise" if self.otherwise is not None or self.next is None else "next"
        return [*ways, Exit("otherwise", self.otherwise or self.next, (name,))]

    def references(self) -> list[Reference]:
        return self.menu.references("menu")

    def said(self) -> list[Said]:
        return self.menu.said("menu")

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        pressed = await call.collect(
            await self.menu.prompt(call, around),
            max_digits=max(map(len, self.keys)),
            timeout_s=seconds(self.timeout),
            terminators="" if any(TERMINATOR in keys for keys in self.keys) else TERMINATOR,
            enough=self._leads_no_further,
        )
        if pressed in self.keys:
            return Turn(
                self.keys[pressed], f"the caller pressed {pressed}", value=pressed, way=f"key {pressed}"
            )
        fault = self._fault(pressed)
        if visit < self.retries:
            return Turn(AGAIN, f"{fault}; asking again ({visit + 1} of {self.retries})")
        because = f"{fault}, and that was the last try"
        return Turn(self.otherwise or self.next, because, value="", way="otherwise")

    def _leads_no_further(self, pressed: str) -> bool:
        return bool(pressed) and not any(keys != pressed and keys.startswith(pressed) for keys in self.keys)

    def _fault(self, pressed: str) -> str:
        if not pressed:
            return f"no key within {seconds(self.timeout):g} s"
        return f"the caller pressed {pressed}, which is none of {', '.join(self.keys)}"
