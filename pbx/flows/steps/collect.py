"""``collect: prompt`` asks for digits: a ZIP code, an order's number.

Every try is a turn of its own that leads back to the step, as in a menu. Keys that cannot be right
(too few, not of the ``pattern``) are told with ``invalid`` and asked for again. With ``confirm`` they
are read back, and only what the caller confirms with 1 counts. The keys end at ``terminator``, at the
greatest number of them, or when none follows for ``timeout``.
"""

import re
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from pbx.config.fields import Duration, parse_duration, seconds
from pbx.flows import own_words
from pbx.flows.control import CallControl
from pbx.flows.prompts import Said, Spoken
from pbx.flows.step import AGAIN, Doubt, Exit, Hidden, Reference, Step, Turn, fault, shown_value

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

MOST_DIGITS = 32
YES = "1"
ENTERED = "entered"
READ_BACK = Spoken(say=own_words.READ_BACK)
_WORDS = {"yes": True, "true": True, "no": False, "false": False}
_RANGE = re.compile(r"(\d{1,2})(?:\s*-\s*(\d{1,2}))?")


class Collect(Step):
    """Asks, checks, reads back; the digits are the step's value, as in ``{zip}`` for a step ``zip``."""

    kind: ClassVar[str] = "collect"
    takes_input: ClassVar[bool] = True
    gives: ClassVar[tuple[str, ...]] = ("",)
    example: ClassVar[str] = """
zip:
  collect: "Please enter your five digit ZIP code."
  digits: 5
  invalid: "That is no ZIP code."
  confirm: "You entered {entered}. Press 1 to confirm, or 2 to enter it again."
  retries: 2
  next: nearest
  otherwise: reception
order:
  collect: "Please enter the number of your order, then the hash key."
  digits: 6-10
  pattern: "[1-9][0-9]*"
  next: reception
"""

    collect: Spoken = Field(description="What is asked: a text, one per language, or {play: file}.")
    digits: str = Field("1-20", description="How many: `5`, or a range such as `3-10`.")
    pattern: str | None = Field(
        None, description="A regular expression that all of the keys must match; else digits alone do."
    )
    terminator: Literal["#", "*", "none"] = Field("#", description="The key that ends them early.")
    timeout: Duration = Field(parse_duration("5s"), description="How long to wait for each key.")
    retries: int = Field(2, ge=0, le=20, description="How often to ask again.")
    invalid: Spoken | None = Field(
        None, description="Said when the keys cannot be right, before asking again."
    )
    confirm: Spoken | bool = Field(
        False, description="yes, or how to read them back: `You entered {entered}. Press 1 to confirm.`"
    )
    hidden: bool = Field(False, description="Keep the digits out of trace and record.")
    otherwise: str | None = Field(
        None, description="Where to go when no try brought digits; `next` if not given."
    )
    next: str | None = Field(None, description="Where to go with the digits.")

    @field_validator("digits", mode="before", json_schema_input_type=str | int)
    @classmethod
    def _a_number(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("confirm", mode="before")
    @classmethod
    def _a_word(cls, value: Any) -> Any:
        """`confirm: yes` is a word in YAML 1.2, and none that anybody wants read back."""
        return _WORDS.get(value, value) if isinstance(value, str) else value

    @property
    def detail(self) -> str:
        return str(self.collect)

    @cached_property
    def fewest_and_most(self) -> tuple[int, int]:
        """Raises ValueError."""
        found = _RANGE.fullmatch(self.digits.strip())
        fewest, most = (int(found[1]), int(found[2] or found[1])) if found else (0, 0)
        if not 1 <= fewest <= most <= MOST_DIGITS:
            raise ValueError(
                f"{self.digits!r} is no number of digits; write 5, or a range such as 3-10"
                f" (at most {MOST_DIGITS})"
            )
        return fewest, most

    @cached_property
    def form(self) -> re.Pattern[str]:
        """Raises re.error."""
        return re.compile(self.pattern if self.pattern is not None else "[0-9]+")

    @property
    def read_back(self) -> Spoken | None:
        """How the digits are confirmed, if they are."""
        return READ_BACK if self.confirm is True else self.confirm or None

    def exits(self) -> list[Exit]:
        name = "otherwise" if self.otherwise is not None or self.next is None else "next"
        return [
            Exit("digits", self.next, ("next",)),
            Exit("otherwise", self.otherwise or self.next, (name,)),
        ]

    def references(self) -> list[Reference]:
        found = self.collect.references("collect")
        for key, spoken in (("invalid", self.invalid), ("confirm", self.confirm)):
            if isinstance(spoken, Spoken):
                found += spoken.references(key)
        return found

    def said(self) -> list[Said]:
        found = self.collect.said("collect")
        if self.invalid is not None:
            found += self.invalid.said("invalid")
        if self.read_back is not None:
            found += self.read_back.said("confirm", own=(ENTERED,), ours=self.confirm is True)
        return found

    def doubts(self, today: date) -> list[Doubt]:
        found = []
        try:
            _ = self.fewest_and_most
        except ValueError as wrong:
            found.append(fault(("digits",), str(wrong)))
        try:
            _ = self.form
        except re.error as wrong:
            found.append(fault(("pattern",), f"{self.pattern!r} is no regular expression: {wrong}"))
        if self.hidden and self.confirm:
            message = "hidden digits are not read back: what is spoken is kept as an audio file"
            found.append(fault(("confirm",), message))
        return found

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        _, most = self.fewest_and_most
        keys = await call.collect(
            await self.collect.prompt(call, around),
            max_digits=most,
            timeout_s=seconds(self.timeout),
            terminators="" if self.terminator == "none" else self.terminator,
            hidden=self.hidden,
        )
        entered = Hidden(keys) if self.hidden else keys
        wrong = self._fault(entered)
        if not wrong and self.read_back is not None:
            wrong = await self._confirmed(self.read_back, entered, call, around)
        if not wrong:
            return Turn(self.next, f"the caller entered {shown_value(entered)}", value=entered, way="digits")
        if visit >= self.retries:
            return Turn(
                self.otherwise or self.next, f"{wrong}, and that was the last try", value="", way="otherwise"
            )
        if keys and self._fault(entered) and self.invalid is not None:
            await call.play(await self.invalid.prompt(call, around))
        return Turn(AGAIN, f"{wrong}; asking again ({visit + 1} of {self.retries})")

    def _fault(self, entered: str) -> str:
        """What is wrong with the keys; "" if nothing is."""
        fewest, most = self.fewest_and_most
        if not entered:
            return f"no key within {seconds(self.timeout):g} s"
        if len(entered) < fewest:
            wanted = str(fewest) if fewest == most else f"{fewest} to {most}"
            return f"the caller entered {shown_value(entered)}, {len(entered)} of {wanted} digits"
        if not self.form.fullmatch(entered):
            return f"the caller entered {shown_value(entered)}, which is not of the form {self.form.pattern}"
        return ""

    async def _confirmed(
        self, read_back: Spoken, entered: str, call: CallControl, around: "Surroundings"
    ) -> str:
        prompt = await read_back.prompt(call, around, {ENTERED: entered})
        key = await call.collect(prompt, max_digits=1, timeout_s=seconds(self.timeout))
        if key == YES:
            return ""
        answer = f"pressed {key}" if key else f"did not confirm it within {seconds(self.timeout):g} s"
        return f"the caller entered {shown_value(entered)} and {answer}"
