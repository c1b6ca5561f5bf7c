"""What is recorded, from when, how it is kept, and what the caller is told: the section ``recording``."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from pbx.config.fields import Duration, Model
from pbx.flows.languages import Words

InCallCode = Annotated[
    str,
    Field(
        coerce_numbers_to_str=True,
        pattern=r"^([*#][0-9*#]{0,5})?$",
        json_schema_extra={"type": ["string", "integer"]},
    ),
]
Key = Annotated[
    str,
    Field(
        coerce_numbers_to_str=True, pattern=r"^[0-9*#]?$", json_schema_extra={"type": ["string", "integer"]}
    ),
]


class Consent(Model):
    say: Words = Field(
        description="Spoken to callers before anything is recorded; a text, or one per language."
    )
    decline: Key = Field("", description="The key by which the caller declines; none if not given.")


class Recording(Model):
    enabled: bool = Field(True, description="Whether calls are recorded; a flow's record step beats it.")
    keep: Duration = Field(timedelta(days=365), description="How long recordings are kept.")
    from_: Literal["agent", "answer"] = Field(
        "agent", alias="from", description="Start when an agent answers, or at the first answer."
    )
    channels: Literal[1, 2] = Field(
        2, description="Caller and agent on a channel each, or mixed on one; transcripts want two."
    )
    format: Literal["wav", "flac", "opus"] = Field(
        "wav", description="How files are kept once the call is over; flac loses nothing, opus is smallest."
    )
    beep: Duration | None = Field(None, description="How often both hear a beep while they are recorded.")
    pause_key: InCallCode = Field(
        "*9", description="What the agent presses during a call to pause the recording, and to resume it."
    )
    consent: Consent | None = Field(None, description="What callers are told before they are recorded.")
