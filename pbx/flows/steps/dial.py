"""``dial``: rings somebody."""

from contextlib import nullcontext
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from pbx.config.models import Duration, parse_duration, seconds
from pbx.flows.control import AgentTarget, CallControl, DialOutcome, NumberTarget, Target
from pbx.flows.step import Exit, Reference, ReferenceKind, Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

_SAID = {
    DialOutcome.NO_ANSWER: "did not answer",
    DialOutcome.BUSY: "was busy",
    DialOutcome.DECLINED: "declined",
    DialOutcome.UNREACHABLE: "could not be reached",
    DialOutcome.FAILED: "could not be called",
}


class Dial(Step):
    """Ring agents or numbers, in order or all together; the first to answer gets the call."""

    kind: ClassVar[str] = "dial"
    takes_input: ClassVar[bool] = True

    dial: str | list[str] = Field(description='An agent, a number ("+1973…"), or a list of them.')
    ring: Literal["in-order", "all"] = Field("in-order", description="One after the other, or all together.")
    timeout: Duration = Field(parse_duration("20s"), description="How long each rings.")
    trunk: str | None = Field(None, description="The trunk that carries numbers; else the first with a host.")
    whisper: str | None = Field(None, description="Spoken to who answers, instead of the number's whisper.")
    on_no_answer: str | None = Field(None, description="Where to go if nobody takes it; else the end.")
    on_busy: str | None = Field(None, description="The same, when the last word was busy.")

    @field_validator("dial")
    @classmethod
    def _names_somebody(cls, value: str | list[str]) -> str | list[str]:
        if not value:
            raise ValueError("dial names nobody")
        return value

    @property
    def names(self) -> list[str]:
        return [self.dial] if isinstance(self.dial, str) else list(self.dial)

    def exits(self) -> list[Exit]:
        ways = [Exit("no answer", self.on_no_answer or self.next, ("on_no_answer",))]
        return [*ways, Exit("busy", self.on_busy, ("on_busy",))] if self.on_busy else ways

    def references(self) -> list[Reference]:
        found = []
        for index, name in enumerate(self.names):
            kind = ReferenceKind.NUMBER if is_number(name) else ReferenceKind.AGENT
            found.append(Reference(kind, name, ("dial",) if isinstance(self.dial, str) else ("dial", index)))
        if self.trunk:
            found.append(Reference(ReferenceKind.TRUNK, self.trunk, ("trunk",)))
        return found

    def _target(self, name: str) -> Target:
        return NumberTarget(name, self.trunk) if is_number(name) else AgentTarget(name)

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        result = await call.dial(
            [self._target(name) for name in self.names],
            together=self.ring == "all",
            timeout_s=seconds(self.timeout),
        )
        if result.winner is not None:
            target = result.winner.target
            busy = around.board.talking(target.agent) if isinstance(target, AgentTarget) else nullcontext()
            with busy:
                talk = await call.bridge(result.winner, whisper=self.whisper)
            return Turn(None, f"{target} answered and talked for {talk.talk_s:.0f} s")
        took = ", ".join(f"{attempt.target} {_SAID[attempt.outcome]}" for attempt in result.attempts)
        if result.outcome is DialOutcome.BUSY and self.on_busy:
            return Turn(self.on_busy, took)
        return Turn(self.on_no_answer or self.next, took)


def is_number(name: str) -> bool:
    """Agents have names; what starts with + or a digit is dialled."""
    return name[:1] == "+" or name[:1].isdigit()
