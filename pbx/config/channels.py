"""``channels`` of config.yaml: forms, chats and other services' webhooks."""

from datetime import timedelta
from typing import Literal

from pydantic import Field, model_validator

from pbx.config.fields import Duration, Model
from pbx.config.inbound import Receive
from pbx.config.texts import Sending


class Service(Model):
    """A service that tells us of its messages: ``POST /api/inbound/NAME``."""

    channel: Literal["social", "lead"] = Field(description="What it brings.")
    source: str = Field("", description="The source that its messages are attributed to.")
    receive: Receive = Field(description="How it signs, and where its fields stand.")
    reply: Sending | None = Field(None, description="How answers are sent; without it, by text or call.")

    @model_validator(mode="after")
    def _where_to(self) -> "Service":
        if self.reply is not None and self.reply.url is None:
            raise ValueError("say where answers go: reply: {url: https://…, body: {…}}")
        return self


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
    missed_after: Duration = Field(
        timedelta(minutes=1), description="When a chat that nobody answers is a missed one."
    )
    services: dict[str, Service] = Field(
        default_factory=dict, description="Social networks and lead forms that call us, by name."
    )
