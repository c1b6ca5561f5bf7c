"""Which source a website's visitor comes from.

The sources of ``config.yaml`` are asked in the order of the file, and the first whose ``match`` holds
is the visitor's; if none does, the source is ``unknown``. Before that, a referrer that only sends
visitors back is dropped: one of our own sites (a self-referral), or a payment page
(``tracking.ignore_referrers``). What was dropped counts as no referrer.

Medium, campaign and keyword come from the same page view: its UTM parameters where it has them, else
what the click identifier or the referrer's group says of the medium.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pbx.attribution.match import Finding, explain, holds, parameters
from pbx.attribution.pageview import PageView
from pbx.attribution.referrers import GROUPS, bare_host, group_of, host_matches
from pbx.config.models import Config
from pbx.config.sources import Match

UNKNOWN = "unknown"
"""The source of what no rule attributes."""

_MEDIUM_OF_GROUP = {
    "search": "organic",
    "social": "social",
    "assistants": "assistant",
    "directories": "referral",
    "mail": "email",
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where a visitor came from: every field from one and the same page view."""

    source: str
    medium: str
    campaign: str
    keyword: str
    content: str
    click_id: str  # its name and value, "gclid=…"; "" without one
    landing_page: str
    referrer: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One source's answer to a page view."""

    source: str
    matches: bool
    findings: tuple[Finding, ...]


class Sources:
    """The site's sources, ready to be asked; made anew when the config is reloaded."""

    def __init__(self, config: Config) -> None:
        self._rules: list[tuple[str, Match]] = [
            (name, source.match) for name, source in config.sources.items() if source.match is not None
        ]
        self._media = {name: source.medium for name, source in config.sources.items()}
        self._sites = frozenset(bare_host(host_of(site)) for site in config.web.sites)
        self._ignored = tuple(config.tracking.ignore_referrers)
        self.groups = merged_groups(config.tracking.referrer_groups)
        self.params = frozenset().union(*(parameters(match) for _, match in self._rules))

    def seen(self, view: PageView) -> tuple[PageView, str]:
        """The view as the rules see it, and why its referrer was dropped ("" if it was not)."""
        host = view.referrer_host
        if not host:
            return view, ""
        dropped = ""
        if bare_host(host) == bare_host(view.host) or bare_host(host) in self._sites:
            dropped = f"{host} is one of our own sites"
        elif any(host_matches(host, pattern) for pattern in self._ignored):
            dropped = f"{host} is a page that only sends visitors back (tracking.ignore_referrers)"
        return (replace(view, referrer="", referrer_host=""), dropped) if dropped else (view, "")

    def source_of(self, view: PageView) -> str:
        """The first source that matches. ``view`` is one that :meth:`seen` gave."""
        return next((name for name, match in self._rules if holds(match, view, self.groups)), UNKNOWN)

    def arrival(self, view: PageView) -> Arrival:
        source = self.source_of(view)
        params, click = view.params, view.click_id
        return Arrival(
            source=source,
            medium=params.get("utm_medium") or self._media.get(source, "") or self._medium(view),
            campaign=params.get("utm_campaign", ""),
            keyword=params.get("utm_term", ""),
            content=params.get("utm_content", ""),
            click_id=f"{click}={params[click]}" if click else "",
            landing_page=view.page,
            referrer=view.referrer,
        )

    def _medium(self, view: PageView) -> str:
        if view.click_id:
            # Facebook marks links in free posts, too: fbclid alone is no paid click.
            return "social" if view.click_id == "fbclid" else "cpc"
        if view.referrer_host:
            group = group_of(view.referrer_host, self.groups)
            return _MEDIUM_OF_GROUP.get(group or "", "referral")
        return "" if view.campaigned else "none"

    def asked(self, view: PageView) -> list[Asked]:
        """Every source with rules, in order, with what each rule found."""
        return [
            Asked(name, holds(match, view, self.groups), tuple(explain(match, view, self.groups)))
            for name, match in self._rules
        ]


def host_of(origin: str) -> str:
    """``https://www.example.com:8443`` → ``www.example.com``."""
    rest = origin.partition("://")[2]
    return (rest.partition("]")[0].strip("[") if rest.startswith("[") else rest.partition(":")[0]).lower()


def merged_groups(more: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """The groups there are, with the config's own."""
    groups = {name: tuple(hosts) for name, hosts in GROUPS.items()}
    for name, hosts in more.items():
        groups[name] = (*groups.get(name, ()), *hosts)
    return groups
