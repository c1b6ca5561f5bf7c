"""``dial:`` rings somebody: one, several in order, or several together.

Agents are rung whether or not they talk to somebody already: their phone says if it is busy. (A
queue is what spares busy agents.) The board knows of the ringing and talking all the same, so that
no queue rings them meanwhile.
"""

import re
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, field_validator

from pbx.config.fields import OneOrMore, SomeTime, parse_duration, seconds
from pbx.flows.control import (
    AgentTarget,
    CallControl,
    DialOutcome,
    DialResult,
    NumberTarget,
    Target,
    agent_of,
    noted,
)
from pbx.flows.languages import Words
from pbx.flows.prompts import Said, whisper_of
from pbx.flows.step import Exit, Reference, ReferenceKind, Step, Turn
from pbx.numbering import normalise

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

_NUMBER = re.compile(r"[+(]?\d[\d\s().\-/]*")

WORDS = {
    DialOutcome.ANSWERED: "answered",
    DialOutcome.NO_ANSWER: "did not answer",
    DialOutcome.BUSY: "is busy",
    DialOutcome.DECLINED: "declined",
    DialOutcome.UNREACHABLE: "cannot be reached",
    DialOutcome.FAILED: "could not be rung",
}


def is_number(name: str) -> bool:
    """Whether a name in ``dial`` is a telephone number, not an agent."""
    return _NUMBER.fullmatch(name) is not None


class Dial(Step):
    """Rings, whispers to who answers, joins them; goes on when they hang up first."""

    kind: ClassVar[str] = "dial"
    takes_input: ClassVar[bool] = True
    gives: ClassVar[tuple[str, ...]] = ("", "agent", "talked")
    example: ClassVar[str] = """
reception:
  dial: [desk, alice, "+19735550150"]
  ring: in-order
  trunk: carrier
  timeout: 20s
  whisper: "The main line, from {source}"
  on_busy: message
  on_no_answer: message
  next: hangup
"""

    dial: list[str] = Field(min_length=1, description="An agent, a number, or a list of them.")
    ring: Literal["in-order", "all"] = Field("in-order", description="One after the other, or all together.")
    trunk: str | None = Field(
        None, description="The trunk that numbers are reached over; else the first with a host."
    )
    timeout: SomeTime = Field(parse_duration("20s"), description="How long each rings.")
    whisper: Words | Literal[""] | None = Field(
        None, description="Spoken to who answers, in place of the number's: a text, or one per language."
    )
    on_no_answer: str | None = Field(
        None, description="Where to go when nobody answered; without it the call ends."
    )
    on_busy: str | None = Field(
        None, description="Where to go when somebody was busy or declined; `on_no_answer` if not given."
    )
    next: str | None = Field(None, description="Where to go when who answered hangs up first.")

    @field_validator("dial", mode="before", json_schema_input_type=OneOrMore)
    @classmethod
    def _one(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @property
    def detail(self) -> str:
        return (" + " if self.ring == "all" else ", ").join(self.dial)

    def exits(self) -> list[Exit]:
        ways = [Exit("no answer", self.on_no_answer, ("on_no_answer",))]
        if self.on_busy is not None:
            ways.append(Exit("busy", self.on_busy, ("on_busy",)))
        if self.next is not None:
            ways.append(Exit("after the talk", self.next, ("next",), served=True))
        return ways

    def references(self) -> list[Reference]:
        found = [
            Reference(ReferenceKind.NUMBER if is_number(name) else ReferenceKind.AGENT, name, ("dial", index))
            for index, name in enumerate(self.dial)
        ]
        if self.trunk is not None:
            found.append(Reference(ReferenceKind.TRUNK, self.trunk, ("trunk",)))
        return found

    def said(self) -> list[Said]:
        return [Said(("whisper",), self.whisper, to_agent=True)] if self.whisper else []

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        targets = [self._target(name, around, call.facts.country) for name in self.dial]
        agents = [target.agent for target in targets if isinstance(target, AgentTarget)]
        with around.board.ringing(agents) as held:
            result = await call.dial(targets, together=self.ring == "all", timeout_s=seconds(self.timeout))
            if result.winner is None:
                return self._nobody(result)
            who = result.winner.target
            held.connected(agent_of(who))
            with noted(f"{who} answered"):
                own = self.whisper
                whisper = None if own is None else await whisper_of(own, call, around)
                talk = await call.bridge(result.winner, whisper=whisper)
        return Turn(
            self.next,
            f"{who} answered and hung up after {talk.talk_s:.0f} s",
            value=result.outcome,
            details={"agent": str(who), "talked": f"{talk.talk_s:.0f}"},
            way="after the talk",
        )

    def _target(self, name: str, around: "Surroundings", country: str) -> Target:
        if name in around.agents:
            return AgentTarget(name)
        number = normalise(name, country)
        if number is None:
            raise ValueError(f"{name!r} is neither an agent nor a telephone number")
        return NumberTarget(number, self.trunk)

    def _nobody(self, result: DialResult) -> Turn:
        because = "; ".join(f"{attempt.target} {WORDS[attempt.outcome]}" for attempt in result.attempts)
        busy = result.outcome in (DialOutcome.BUSY, DialOutcome.DECLINED)
        if busy and self.on_busy is not None:
            return Turn(self.on_busy, because, value=result.outcome, way="busy")
        return Turn(self.on_no_answer, because, value=result.outcome, way="no answer")
