"""``voicemail: {max, tag, greeting, silence}`` takes a message."""

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, field_validator

from pbx.config.fields import Duration, SomeTime, parse_duration, seconds
from pbx.flows.control import CallControl
from pbx.flows.prompts import Said, Spoken
from pbx.flows.step import Reference, Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Mailbox(BaseModel):
    """How the message is taken."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max: SomeTime = Field(parse_duration("120s"), description="The longest message.")
    tag: str | None = Field(None, min_length=1, description="A tag that the call gets.")
    silence: Duration = Field(
        parse_duration("10s"), description="So long a silence ends the message; 0s: none does."
    )
    greeting: Spoken | None = Field(None, description="Spoken or played before the tone.")


class Voicemail(Step):
    """Greeting, tone, recording; ends at a key, at ``max``, at long silence, or with the call."""

    kind: ClassVar[str] = "voicemail"
    takes_input: ClassVar[bool] = True
    serves: ClassVar[bool] = True
    gives: ClassVar[tuple[str, ...]] = ("",)
    example: ClassVar[str] = """
message:
  voicemail: {max: 120s, tag: voicemail, greeting: "Please leave a message."}
  next: hangup
"""

    voicemail: Mailbox = Field(
        description="{max: 120s, tag: name, greeting: text, silence: 10s}; all may be left out."
    )

    @field_validator("voicemail", mode="before", json_schema_input_type=Mailbox | None)
    @classmethod
    def _nothing_said(cls, value: Any) -> Any:
        return {} if value is None else value

    @property
    def detail(self) -> str:
        return f"at most {seconds(self.voicemail.max):g} s"

    def references(self) -> list[Reference]:
        greeting = self.voicemail.greeting
        return greeting.references("voicemail", "greeting") if greeting else []

    def said(self) -> list[Said]:
        greeting = self.voicemail.greeting
        return greeting.said("voicemail", "greeting") if greeting else []

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        box = self.voicemail
        if box.greeting:
            await call.play(await box.greeting.prompt(call, around))
        if box.tag:
            # Before the tone: most callers end their message by hanging up, which ends the step.
            call.tag(box.tag, "the call came to the voicemail")
        message = await call.take_message(max_s=seconds(box.max), silence_s=seconds(box.silence) or None)
        said = f"{message.duration_s:.0f}"
        return Turn(self.next, f"a message of {said} s, ended by {message.ended_by}", value=said)
