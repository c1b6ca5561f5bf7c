"""``outgoing`` of config.yaml: which machines of the inner network HTTP requests may reach."""

from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field

from pbx.config.addresses import check_host
from pbx.config.fields import Model


def _host_or_network(value: str) -> str:
    if "/" in value:
        ip_network(value)  # says what is wrong itself
    else:
        check_host(value)
    return value


class Outgoing(Model):
    """Webhooks, texts and conversions go out under these rules."""

    private: list[Annotated[str, AfterValidator(_host_or_network)]] = Field(
        default_factory=list,
        description="Host names and networks that are not public and may be called all the same.",
    )
