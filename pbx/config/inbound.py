"""How another service's webhook to us is signed, and where its fields stand."""

from typing import Literal

from pydantic import Field, model_validator

from pbx.config.fields import Model


class Signature(Model):
    """How the other side proves that a request is its own."""

    scheme: Literal["dialtrace", "hmac-sha256", "hmac-sha1", "url-params-sha1", "token"] = Field(
        "dialtrace",
        description="dialtrace: as we sign ourselves; hmac-…: over the body; url-params-sha1: over the URL"
        " and the sorted form fields; token: the secret itself.",
    )
    header: str = Field("Dialtrace-Signature", description="The header that carries it.")
    prefix: str = Field("", description="What stands before the digest, such as sha256=.")
    encoding: Literal["hex", "base64"] = Field("hex", description="How the digest is written.")
    secret: str = Field(min_length=1, description="What only the two of us know.")


class Receive(Model):
    """``POST /api/messages/NAME`` takes it; of what came in, ``fields`` says what stands where."""

    signature: Signature = Field(description="Without a good one nothing is taken.")
    fields: dict[str, str] = Field(
        description="Our names (from, to, text, id …) and where each stands in the JSON or the form."
    )
    items: str = Field("", description="Where the list stands, if one request may bring several.")
    verify_token: str | None = Field(
        None, description="Answers hub.challenge when the other side asks with this token."
    )

    @model_validator(mode="after")
    def _something(self) -> "Receive":
        if not self.fields:
            raise ValueError("say where the fields stand, such as {from: data.from, text: data.text}")
        return self
