"""``geo`` steps and the server's country: where ZIP codes lie is known of the United States only."""

from collections.abc import Sequence

from pbx import geo
from pbx.config.flowfile import Draft
from pbx.flows.steps.geo import NUMBER, Geo

HOME = "US"


def check_geo_steps(country: str, drafts: Sequence[Draft]) -> None:
    """Rules that a postal code typed in can never meet."""
    if country == HOME:
        return
    for draft in drafts:
        for name, step in draft.steps.items():
            if isinstance(step, Geo) and any(by != NUMBER for by in step.by):
                _check_rules(country, draft, name, step)


def _check_rules(country: str, draft: Draft, name: str, step: Geo) -> None:
    numbers_too = NUMBER in step.by
    for index, rule in enumerate(step.geo):
        if rule.offices:
            loc, met = ("steps", name, "geo", index, "offices"), "distances"
        elif not any(map(geo.is_code, rule.areas)):
            loc, met = ("steps", name, "geo", index, "areas"), "states and towns"
        else:
            continue
        message = (
            f"{met} are known of ZIP codes of the United States, not of postal codes of {country};"
            ' write the beginnings of codes, such as areas: ["SW1*"]'
        )
        if numbers_too:  # it still serves those who are placed by their number
            draft.document.warn(loc, message, code="never")
        else:
            draft.document.error(loc, message, at_key=True)
