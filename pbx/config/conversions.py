"""``conversions`` of config.yaml: what is told to the ad platforms, off unless it is written.

``events`` say once what converts; each platform says in ``send`` which of them it is told, and what it
calls them.
"""

import re
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from pbx.config.fields import Duration, Model
from pbx.events import CallStatus

Of = Literal["calls", "texts", "forms", "chats", "leads", "social"]
Outcome = Literal["sale", "no_sale", "lead", "spam"]
Shared = Literal["phone", "email"]

_ONLY_CALLS = ("status", "outcome", "tag", "min_score", "min_talk")

GA_NAME = re.compile(r"(?!_|firebase_|ga_|google_|gtag\.)[A-Za-z][A-Za-z0-9_]{0,39}")
GA_RESERVED = frozenset(
    [
        "ad_activeview",
        "ad_click",
        "ad_exposure",
        "ad_query",
        "ad_reward",
        "adunit_exposure",
        "app_background",
        "app_clear_data",
        "app_exception",
        "app_install",
        "app_remove",
        "app_store_refund",
        "app_update",
        "app_upgrade",
        "dynamic_link_app_open",
        "dynamic_link_app_update",
        "dynamic_link_first_open",
        "error",
        "first_open",
        "first_visit",
        "in_app_purchase",
        "notification_dismiss",
        "notification_foreground",
        "notification_open",
        "notification_receive",
        "os_update",
        "screen_view",
        "session_start",
        "user_engagement",
    ]
)
"""Names of events that only Google's own code may send."""


def _ga_name(value: str) -> str:
    if not GA_NAME.fullmatch(value) or value in GA_RESERVED:
        raise ValueError(
            f"{value!r} is no name of a GA4 event; write at most 40 letters, digits and _, beginning with a"
            " letter, such as generate_lead"
        )
    return value


def _conversion_action(value: str) -> str:
    if not re.fullmatch(r"[0-9]{1,20}|customers/[0-9]+/conversionActions/[0-9]+", value):
        raise ValueError(
            f"{value!r} is no conversion action; write its id (ctId in its page's address), quoted"
        )
    return value


def _customer(value: str) -> str:
    digits = value.replace("-", "")
    if not re.fullmatch(r"[0-9]{10}", digits):
        raise ValueError(f"{value!r} is no customer ID; write its ten digits, such as 123-456-7890")
    return digits


def _url(value: str) -> str:
    if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname:
        raise ValueError(f"{value!r} is no URL; write https://host")
    return value.rstrip("/")


Url = Annotated[str, AfterValidator(_url)]
Customer = Annotated[str, AfterValidator(_customer)]
Secret = Annotated[str, Field(min_length=1)]


class ConversionEvent(Model):
    """What counts as this event; all that is given must hold."""

    of: list[Of] = Field(["calls"], min_length=1, description="Which contacts.")
    status: list[CallStatus] = Field(default_factory=list, description="The call's status is one of these.")
    outcome: list[Outcome] = Field(default_factory=list, description="The call's outcome is one of these.")
    tag: list[str] = Field(default_factory=list, description="The call bears one of these tags.")
    source: list[str] = Field(default_factory=list, description="It is of one of these sources.")
    min_score: int | None = Field(None, ge=1, le=5, description="The call is rated so well at least.")
    min_talk: Duration | None = Field(None, description="They talked so long at least.")
    milestone: Literal["lead", "qualified", "sale"] | None = Field(
        None, description="The visitor reached it by this contact: the first of all, the first lead, or sale."
    )
    value: float | dict[Outcome, float] | None = Field(
        None, description="What it is worth, or each outcome, where the call has no value of its own."
    )

    @model_validator(mode="after")
    def _fits(self) -> "ConversionEvent":
        given = [name for name in _ONLY_CALLS if getattr(self, name)]
        if isinstance(self.value, dict):
            given.append("value by outcome")
        others = [each for each in self.of if each != "calls"]
        if given and others:
            raise ValueError(f"{given[0]} is something that only calls have, not {others[0]}")
        return self


class Ga4(Model):
    """Google Analytics 4, by its Measurement Protocol."""

    measurement_id: str = Field(pattern=r"^G-[A-Z0-9]{4,20}$", description="The data stream's.")
    api_secret: Secret = Field(description="Made in the data stream's settings.")
    send: dict[str, Annotated[str, AfterValidator(_ga_name)]] = Field(
        description="What GA4 calls each event."
    )
    url: Url = Field("https://www.google-analytics.com", description="The service.")


class GoogleAds(Model):
    """Google Ads, as offline conversions of clicks."""

    customer_id: Customer = Field(description="The account that the conversion actions are in.")
    login_customer_id: Customer | None = Field(None, description="The manager account, if access is its.")
    developer_token: Secret = Field(description="Of the manager account's API centre.")
    client_id: Secret = Field(description="OAuth client.")
    client_secret: Secret = Field(description="OAuth client's secret.")
    refresh_token: Secret = Field(description="OAuth refresh token of a user with access.")
    send: dict[str, Annotated[str, AfterValidator(_conversion_action)]] = Field(
        description="Which conversion action each event is."
    )
    share: list[Shared] = Field(
        default_factory=list, description="Hashed with SHA-256, for enhanced conversions; nothing by default."
    )
    api_version: str = Field("v26", pattern=r"^v[0-9]{1,3}$", description="Of the Google Ads API.")
    url: Url = Field("https://googleads.googleapis.com", description="The service.")
    token_url: Url = Field(
        "https://oauth2.googleapis.com/token", description="Where access tokens come from."
    )


class MetaPixel(Model):
    """Meta's Conversions API."""

    pixel_id: str = Field(pattern=r"^[0-9]{5,25}$", description="The pixel (dataset).")
    access_token: Secret = Field(description="Made in the Events Manager.")
    send: dict[str, Annotated[str, Field(min_length=1, max_length=50)]] = Field(
        description="What Meta calls each event, such as Lead."
    )
    share: list[Shared] = Field(
        default_factory=list, description="Hashed with SHA-256, for matching; nothing by default."
    )
    test_event_code: str | None = Field(None, description="Shows events under Test events.")
    api_version: str = Field("v24.0", pattern=r"^v[0-9]{1,3}\.[0-9]$", description="Of the Graph API.")
    url: Url = Field("https://graph.facebook.com", description="The service.")


class Conversions(Model):
    """Nothing is sent unless a platform is written here."""

    events: dict[str, ConversionEvent] = Field(default_factory=dict, description="What converts, by name.")
    currency: str | None = Field(
        None, pattern=r"^[A-Z]{3}$", description="Of all values (ISO 4217); reports.currency if left out."
    )
    certainty: float = Field(0.9, ge=0, le=1, description="How sure it must be that it was this visitor.")
    retry: Duration = Field(
        timedelta(days=3), description="How long a platform that does not answer is tried, at most."
    )
    ga4: Ga4 | None = Field(None, description="Google Analytics 4.")
    google_ads: GoogleAds | None = Field(None, description="Google Ads.")
    meta: MetaPixel | None = Field(None, description="Meta (Facebook, Instagram).")

    @property
    def wanted(self) -> bool:
        """Whether anything is sent at all."""
        return not (self.ga4 is None and self.google_ads is None and self.meta is None)
