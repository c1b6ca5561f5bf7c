"""How much strangers may try, and for how long they are not heard after that."""

from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network

from pydantic import Field

from pbx.config.fields import Duration, Model


class Defence(Model):
    strikes: int = Field(10, ge=1, description="Offences within ten minutes that make a ban.")
    ban: Duration = Field(
        timedelta(minutes=10), description="How long the first ban lasts; each further one twice as long."
    )
    allow: list[IPv4Network | IPv6Network] = Field(
        default_factory=list,
        description="Never banned, as trunks and registered phones are not.",
    )
    answers_per_second: float = Field(20, gt=0, description="Refusals that one unknown address gets at most.")
    max_calls: int = Field(4000, ge=1, description="Legs at the same time; more are refused with 503.")
