"""``channels`` of config.yaml: forms, chats and other services' webhooks."""

from typing import Literal

from pydantic import Field

from pbx.config.fields import Model
from pbx.config.inbound import Receive


class Service(Model):
    """A service that tells us of its messages: ``POST /api/inbound/NAME``."""

    channel: Literal["social", "lead"] = Field(description="What it brings.")
    source: str = Field("", description="The source that its messages are attributed to.")
    receive: Receive = Field(description="How it signs, and where its fields stand.")


class Channels(Model):
    forms: bool = Field(True, description="Whether POST /api/forms takes forms.")
    capture: bool = Field(False, description="Whether the tracking code sends the website's forms here, too.")
    callback: list[str] = Field(
        default_factory=list,
        description="Who is rung when a form asks to be called: the first of these agents who is free.",
    )
    chat: bool = Field(False, description="Whether the tracking code offers a chat.")
    greeting: str = Field("How can we help?", description="What the chat says first.")
    away: str = Field(
        "Nobody is here just now. Leave a message and how to reach you.",
        description="What the chat says when nobody answers.",
    )
    services: dict[str, Service] = Field(
        default_factory=dict, description="Social networks and lead forms that call us, by name."
    )
