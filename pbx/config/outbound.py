"""Which calls agents may make: the section that keeps a stolen password from becoming a telephone bill."""

from pydantic import Field

from pbx.config.fields import Country, Model


class Outbound(Model):
    countries: list[Country] = Field(
        default_factory=list, description="Where agents may call; without it, server.country alone."
    )
    per_hour: int = Field(200, ge=0, description="Calls out within an hour, of all agents together.")
    per_agent_hour: int = Field(40, ge=0, description="Calls out within an hour, of one agent.")
    at_once: int = Field(20, ge=0, description="Calls out at the same time, of all agents together.")
    per_agent_at_once: int = Field(2, ge=0, description="Calls out at the same time, of one agent.")
