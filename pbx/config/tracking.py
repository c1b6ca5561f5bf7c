"""``pools`` and ``tracking``: numbers lent to a website's visitors, and how visitors are recognised."""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from pbx.attribution.referrers import PAYMENT_PAGES
from pbx.config.fields import Duration, Model
from pbx.flows.languages import Language


class Pool(Model):
    numbers: list[str] = Field(description="The tracking numbers that are lent.")
    flow: str = Field(description="The flow that their calls run.")
    targets: list[str] = Field(default_factory=list, description="Numbers on the website, to be swapped.")
    hold: Duration = Field(
        timedelta(minutes=30),
        description="How long a number stays a visitor's after the last sign of life.",
    )
    sources: list[str] = Field(
        default_factory=list, description="Whose visitors get numbers; everybody's if there are none."
    )
    whisper: str = Field(
        "",
        description="Spoken to the agent before the two are joined, with `{source}` and the like filled in.",
    )
    language: Language | None = Field(None, description="Of its calls; else the flow's, else the server's.")


class Consent(StrEnum):
    """What holds for a page that does not say whether its visitor consents."""

    AUTO = "auto"  # required where the server's country has the GDPR or a law like it, else implied
    IMPLIED = "implied"
    REQUIRED = "required"


class Signal(StrEnum):
    """A setting of the browser that says: do not track me."""

    DNT = "dnt"
    GPC = "gpc"


class ImageRule(Model):
    """An image that shows a target number is exchanged with the number."""

    image: str = Field(min_length=1, description="The image's URL, as a glob.")
    target: str = Field(description="The number that it shows.")
    becomes: str = Field("", description="A URL with {number} or {digits}; drawn as text without one.")
    color: str = Field(
        "#000", pattern=r"^[#A-Za-z0-9(),.% ]{1,40}$", description="Of a number drawn as text."
    )


class Tracking(Model):
    consent: Consent = Field(
        Consent.AUTO, description="What holds when a page does not say: implied, required, or by country."
    )
    honour: list[Signal] = Field(
        default_factory=lambda: list(Signal),
        description="Browser settings that count as a refusal: Do Not Track, Global Privacy Control.",
    )
    session: Duration = Field(
        timedelta(minutes=30), description="A visit is over when nothing was seen for so long."
    )
    keep: Duration = Field(timedelta(days=400), description="How long visitors and their touches are kept.")
    ignore_referrers: list[Annotated[str, Field(min_length=1)]] = Field(
        default_factory=lambda: list(PAYMENT_PAGES),
        description="Hosts (globs) that only send visitors back: payment pages.",
    )
    referrer_groups: dict[str, list[str]] = Field(
        default_factory=dict, description="More groups of referrers, or hosts for those there are."
    )
    link_sites: bool = Field(
        True, description="Whether links between web.sites of several domains hand the visitor over."
    )
    images: list[ImageRule] = Field(default_factory=list, description="Images that show a target number.")
