"""``menu``: asks for one key."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator

from pbx.config.models import Duration, parse_duration, seconds
from pbx.flows.control import CallControl
from pbx.flows.prompts import Spoken
from pbx.flows.step import AGAIN, Exit, Reference, Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

KEYS = "0123456789*#"


class Menu(Step):
    """Ask for one key and go where it leads; a wrong key or none asks again, then ``otherwise``."""

    kind: ClassVar[str] = "menu"
    takes_input: ClassVar[bool] = True

    menu: Spoken = Field(description="What is asked: a text, or {play: file.wav}.")
    keys: dict[str, str] = Field(min_length=1, description='Which key leads where; quote the keys: "1".')
    timeout: Duration = Field(parse_duration("5s"), description="How long to wait for a key.")
    retries: int = Field(2, ge=0, le=20, description="How often to ask again.")
    otherwise: str | None = Field(None, description="Where to go when no key was right; else the call ends.")

    @field_validator("keys")
    @classmethod
    def _are_keys(cls, keys: dict[str, str]) -> dict[str, str]:
        for key in keys:
            if len(key) != 1 or key not in KEYS:
                raise ValueError(f"{key!r} is no key of a telephone; the keys are 0 to 9, * and #")
        return keys

    def exits(self) -> list[Exit]:
        ways = [Exit(f"key {key}", target, ("keys", key)) for key, target in self.keys.items()]
        return [*ways, Exit("otherwise", self.otherwise or self.next, ("otherwise",))]

    def references(self) -> list[Reference]:
        return self.menu.references("menu")

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        key = await call.collect(
            self.menu.prompt(around), max_digits=1, timeout_s=seconds(self.timeout), terminators=""
        )
        if key in self.keys:
            return Turn(self.keys[key], f"pressed {key}")
        what = f"pressed {key}, which leads nowhere" if key else "no key was pressed"
        if visit < self.retries:
            return Turn(AGAIN, f"{what}; asked again ({visit + 1} of {self.retries})")
        return Turn(self.otherwise or self.next, f"{what}, and not for the first time")
