"""``voicemail``: takes a message."""

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from pbx.config.models import Duration, parse_duration, seconds
from pbx.flows.control import CallControl
from pbx.flows.prompts import Spoken
from pbx.flows.step import Reference, Step, Turn

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings


class Mailbox(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    max: Duration = Field(parse_duration("120s"), description="The longest message.")
    tag: str | None = Field(None, description="A tag for the call.")
    greeting: Spoken | None = Field(None, description="Spoken before the tone.")


class Voicemail(Step):
    """Play the tone and record until a key, the limit, or the caller hangs up."""

    kind: ClassVar[str] = "voicemail"
    takes_input: ClassVar[bool] = True

    voicemail: Mailbox = Field(default_factory=Mailbox)

    def references(self) -> list[Reference]:
        greeting = self.voicemail.greeting
        return greeting.references("voicemail", "greeting") if greeting else []

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        box = self.voicemail
        if box.tag:
            call.tag(box.tag, "reached voicemail")
        if box.greeting:
            await call.play(box.greeting.prompt(around))
        message = await call.take_message(max_s=seconds(box.max))
        return Turn(self.next, f"a message of {message.duration_s:.0f} s, ended by {message.ended_by}")
