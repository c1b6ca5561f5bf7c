"""``outgoing`` of config.yaml: which machines of the inner network HTTP requests may reach."""

from ipaddress import ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator

from pbx.config.addresses import check_host
from pbx.config.fields import Model


def _host_or_network(value: str) -> str:
    if "/" in value:
        ip_network(value)  # says what is wrong itself
    else:
        check_host(value)
    return value


class Webhook(Model):
    """A program that is told of events."""

    url: str = Field(description="Where each event is posted.")
    secret: str = Field(min_length=1, description="Signs each request; see Webhooks and signatures.")
    events: list[str] = Field(
        default_factory=lambda: ["*"],
        description="Which kinds of events, such as `call.ended` or `message.*`.",
    )
    headers: dict[str, str] = Field(default_factory=dict, description="Further headers.")

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname:
            raise ValueError(f"{value!r} is no URL; write https://host/path")
        return value


class Outgoing(Model):
    """Webhooks, texts and conversions go out under these rules."""

    private: list[Annotated[str, AfterValidator(_host_or_network)]] = Field(
        default_factory=list,
        description="Host names and networks that are not public and may be called all the same.",
    )
