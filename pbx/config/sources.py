"""``sources``: the buckets that calls are attributed to, and how a website's visitor falls into one."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from pbx.config.fields import Model

Word = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Words = Word | list[Word]
"""One value, or any of several."""

UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id")


class Match(Model):
    """What must be true of a page view. Several keys in one mapping must all be true."""

    any: list["Match"] | None = Field(None, min_length=1, description="One of these must be true.")
    all: list["Match"] | None = Field(None, min_length=1, description="All of these must be true.")
    not_: "Match | None" = Field(None, alias="not", description="This must not be true.")
    referrer: Words | None = Field(
        None, description="The referrer's host is one of these globs; none: there is no referrer."
    )
    referrer_group: Words | None = Field(None, description="The referrer belongs to such a group.")
    landing_page: Words | None = Field(
        None, description="The page's path (/offer/*), or host and path (shop.example.com/*), as globs."
    )
    click_id: Words | None = Field(
        None, description="A click identifier is there: of a platform (google), by name (gclid), or any."
    )
    param: Words | dict[str, Words] | None = Field(
        None, description="A parameter is there and not empty; as a mapping, it has that value."
    )
    utm_source: Words | None = Field(None, description="The whole value, in any case of letters.")
    utm_medium: Words | None = Field(None, description="The whole value, in any case of letters.")
    utm_campaign: Words | None = Field(None, description="The whole value, in any case of letters.")
    utm_term: Words | None = Field(None, description="The whole value, in any case of letters.")
    utm_content: Words | None = Field(None, description="The whole value, in any case of letters.")
    utm_id: Words | None = Field(None, description="The whole value, in any case of letters.")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError(
                "an empty match would be every visitor's; say what must be true, or leave it out"
            )
        return self


class SourceKind(StrEnum):
    ONLINE = "online"
    OFFLINE = "offline"


class Source(Model):
    name: str = Field(description="What people call it.")
    kind: SourceKind = Field(SourceKind.ONLINE, description="Whether it is a website's or the world's.")
    match: Match | None = Field(None, description="Which visitors of the website are this source's.")
    medium: str = Field("", description="The medium in reports where a visit does not name one.")


def values(words: Words | None) -> list[str]:
    """One value or several, as a list."""
    if words is None:
        return []
    return [words] if isinstance(words, str) else list(words)
