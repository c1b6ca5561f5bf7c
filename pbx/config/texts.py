"""``texts`` of config.yaml: the ways in which texts (SMS) leave and come in, by name.

A way is a provider with an HTTP interface, whose fields are mapped here, or a trunk that takes SIP
MESSAGE (RFC 3428).
"""

from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from pbx.config.fields import Model
from pbx.config.inbound import Receive


class Sending(Model):
    """A provider's HTTP interface for sending."""

    url: str | None = Field(None, description="The provider's URL for sending.")
    method: Literal["POST", "PUT"] = Field("POST", description="How it is called.")
    headers: dict[str, str] = Field(default_factory=dict, description="Headers, such as Authorization.")
    body: dict[str, Any] | None = Field(
        None, description="Sent as JSON, with {from}, {to}, {text} and {id} filled in."
    )
    form: dict[str, str] | None = Field(None, description="The same, sent as an HTML form is.")
    secret: str | None = Field(None, description="Signs what is sent; see Webhooks and signatures.")
    message_id: str = Field("id", description="Where the answer says what the provider calls the text.")

    @field_validator("url")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value is not None and (
            urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname
        ):
            raise ValueError(f"{value!r} is no URL; write https://host/path")
        return value

    @model_validator(mode="after")
    def _one_body(self) -> "Sending":
        if self.body is not None and self.form is not None:
            raise ValueError("write body (JSON) or form, not both")
        if self.url is not None and self.body is None and self.form is None:
            raise ValueError('say what is sent, such as body: {from: "{from}", to: "{to}", text: "{text}"}')
        return self


class Texts(Sending):
    """One way."""

    from_: str = Field(alias="from", description="The number that texts are sent from.")
    trunk: str | None = Field(None, description="The trunk that takes SIP MESSAGE; else `url` is called.")
    receive: Receive | None = Field(None, description="How texts that come in are signed and mapped.")

    @model_validator(mode="after")
    def _one_way(self) -> "Texts":
        if self.trunk is not None and self.url is not None:
            raise ValueError("texts go over a trunk or to a url, not both")
        return self

    @model_validator(mode="after")
    def _mapped(self) -> "Texts":
        mapped = self.receive.fields if self.receive is not None else {"from": "", "text": ""}
        missing = [name for name in ("from", "text") if name not in mapped]
        if missing and not {"id", "status"} <= mapped.keys():
            raise ValueError(f"receive.fields does not map {' and '.join(missing)}: no text could be taken")
        return self
