"""Which calls agents may make: the section that keeps a stolen password from becoming a telephone bill."""

from enum import StrEnum

from pydantic import Field

from pbx.config.fields import Country, Model


class CallerId(StrEnum):
    """Which number a call out shows."""

    FIRST = "first"  # the tracking number that the customer called first
    LAST = "last"  # the one they called last
    DEFAULT = "default"  # always the agent's own, else the site's


class Outbound(Model):
    caller_id: CallerId = Field(
        CallerId.FIRST,
        description="What the customer sees: the tracking number they called first or last, or the default.",
    )
    number: str | None = Field(
        None, description="The number shown to who has never called, where the agent has none of their own."
    )
    countries: list[Country] = Field(
        default_factory=list, description="Where agents may call; without it, server.country alone."
    )
    per_hour: int = Field(200, ge=0, description="Calls out within an hour, of all agents together.")
    per_agent_hour: int = Field(40, ge=0, description="Calls out within an hour, of one agent.")
    at_once: int = Field(20, ge=0, description="Calls out at the same time, of all agents together.")
    per_agent_at_once: int = Field(2, ge=0, description="Calls out at the same time, of one agent.")
