"""Carriers: where calls come from and go to, and how each wants its numbers written."""

from datetime import timedelta
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Literal

from pydantic import Field

from pbx.config.fields import Country, Duration, Host, KeyWay, Model, SrtpWish

Prefix = Annotated[
    str,
    Field(
        coerce_numbers_to_str=True,
        pattern=r"^[0-9*#+]{0,10}$",
        json_schema_extra={"type": ["string", "integer"]},
    ),
]


class NumberFormat(StrEnum):
    """How a number is written towards a carrier, or by it."""

    E164 = "e164"  # +12125550100
    DIGITS = "digits"  # 12125550100
    NATIONAL = "national"  # 2125550100; elsewhere with the prefix for calls abroad


class Trunk(Model):
    allow_from: list[IPv4Network | IPv6Network] = Field(
        default_factory=list, description="Calls from these addresses are this trunk's."
    )
    host: Host | None = Field(None, description="Where calls out go; without it the trunk only takes calls.")
    port: int | None = Field(
        None, ge=1, le=65535, description="The port there; without it the DNS says (SRV), else 5060, or 5061."
    )
    transport: Literal["udp", "tcp", "tls", "auto"] = Field(
        "udp", description="How calls out go there; auto lets the DNS say (NAPTR)."
    )
    priority: int = Field(1, ge=0, description="Of several trunks, the lowest number is tried first.")
    username: str | None = Field(None, description="The carrier's digest user name.")
    password: str | None = Field(None, description="The carrier's digest password.")
    domain: Host | None = Field(None, description="The domain of our address there, if not the host.")
    register_: bool = Field(
        False,
        alias="register",
        description="Register with the carrier; calls from its host are then the trunk's.",
    )
    expires: Duration = Field(timedelta(hours=1), description="How long a registration is asked for.")
    probe: Duration | None = Field(
        None, description="How often OPTIONS asks whether the carrier answers; never if not given."
    )
    country: Country | None = Field(
        None, description="Of its numbers in national form; without it, server.country."
    )
    numbers_out: NumberFormat = Field(
        NumberFormat.E164, description="How it wants numbers: e164, digits or national."
    )
    numbers_in: NumberFormat = Field(
        NumberFormat.E164, description="How it writes numbers: e164, digits or national."
    )
    prefix_out: Prefix = Field("", description="Put before each number that we call.")
    prefix_in: Prefix = Field("", description="Taken off each number that it sends.")
    srtp: SrtpWish = Field(
        "optional", description="Encrypted media: off, optional (taken if offered) or required."
    )
    dtmf: KeyWay = Field(
        "inband",
        description="How it is sent keys where its SDP names no telephone-event: inband tones, or SIP info.",
    )
    identity: Literal["from", "p-asserted-identity", "both"] = Field(
        "both", description="Which header tells the carrier our number; From alone may be a name to it."
    )
    trust_identity: bool = Field(
        True, description="Whether its P-Asserted-Identity and verstat are believed."
    )
