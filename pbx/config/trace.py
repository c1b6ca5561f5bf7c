"""What is kept of each call's signalling, and where it is sent."""

from datetime import timedelta

from pydantic import Field

from pbx.config.fields import Duration, HostAndPort, Model


class Trace(Model):
    enabled: bool = Field(True, description="Whether each call's SIP messages are kept.")
    keep: Duration = Field(timedelta(days=7), description="For how long.")
    homer: HostAndPort | None = Field(None, description="A HOMER collector that hears every message (HEPv3).")
    homer_id: int = Field(2001, ge=0, le=2**32 - 1, description="What this server calls itself there.")
    homer_password: str = Field("", description="The collector's key, if it wants one.")
