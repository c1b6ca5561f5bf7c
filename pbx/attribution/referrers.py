"""Which hosts send visitors: groups of referrers, click identifiers, and who is no referrer at all.

A host pattern is a glob over a referrer's host, as in ``google.*`` or ``*.example.com``:

* ``www.`` and ``m.`` at the front of a host do not count: ``google.*`` means www.google.com too, but
  not mail.google.com, which is another thing.
* a ``*`` at the end, behind a dot, stands for a top-level domain: ``com``, ``co.uk``, ``com.br``.
  ``google.*`` is no invitation to google.example.com.
* any other ``*`` stands for anything, dots included.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

CLICK_IDS: Mapping[str, tuple[str, ...]] = {
    "google": ("gclid", "gbraid", "wbraid", "dclid"),
    "microsoft": ("msclkid",),
    "meta": ("fbclid",),
    "tiktok": ("ttclid",),
    "linkedin": ("li_fat_id",),
    "x": ("twclid",),
    "snapchat": ("sccid",),
    "pinterest": ("epik",),
    "reddit": ("rdt_cid",),
    "yandex": ("yclid",),
}
"""By platform: the parameters by which it marks a click on one of its links."""

PLATFORM_OF: Mapping[str, str] = {name: platform for platform, names in CLICK_IDS.items() for name in names}

GROUPS: Mapping[str, tuple[str, ...]] = {
    "search": (
        "google.*",
        "bing.com",
        "duckduckgo.com",
        "search.yahoo.com",
        "*.search.yahoo.com",
        "ecosia.org",
        "yandex.*",
        "baidu.com",
        "search.brave.com",
        "startpage.com",
        "qwant.com",
        "com.google.android.googlequicksearchbox",
    ),
    "social": (
        "facebook.com",
        "*.facebook.com",
        "instagram.com",
        "*.instagram.com",
        "linkedin.com",
        "*.linkedin.com",
        "lnkd.in",
        "x.com",
        "twitter.com",
        "t.co",
        "tiktok.com",
        "pinterest.*",
        "reddit.com",
        "*.reddit.com",
        "youtube.com",
        "nextdoor.com",
        "threads.net",
        "threads.com",
        "bsky.app",
        "com.facebook.katana",
        "com.linkedin.android",
    ),
    "assistants": (
        "chatgpt.com",
        "chat.openai.com",
        "perplexity.ai",
        "claude.ai",
        "gemini.google.com",
        "copilot.microsoft.com",
    ),
    "directories": (
        "yelp.*",
        "maps.google.*",
        "yellowpages.*",
        "angi.com",
        "thumbtack.com",
        "homeadvisor.com",
        "bbb.org",
        "tripadvisor.*",
    ),
    "mail": ("mail.google.com", "outlook.*", "mail.yahoo.com", "mail.proton.me", "com.google.android.gm"),
}
"""Groups of referrers that need not be listed by hand; ``tracking.referrer_groups`` adds to them."""

PAYMENT_PAGES = (
    "paypal.com",
    "checkout.stripe.com",
    "pay.google.com",
    "appleid.apple.com",
    "klarna.com",
    "*.klarna.com",
    "*.adyen.com",
    "*.worldpay.com",
    "*.squareup.com",
    "checkout.shopify.com",
    "*.authorize.net",
    "*.3dsecure.io",
)
"""From which visitors only come back: what brought them is what came before."""

_SUFFIX = r"(?:[a-z]{2,24}|(?:co|com|net|org|gov|edu|ac)\.[a-z]{2})"


@lru_cache(4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    folded = pattern.casefold()
    ending = folded.endswith(".*")
    body = folded[:-2] if ending else folded
    anything = "".join(".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", body))
    return re.compile(anything + (rf"\.{_SUFFIX}" if ending else ""))


@lru_cache(1 << 14)
def host_matches(host: str, pattern: str) -> bool:
    """Whether a referrer's host is one of those that ``pattern`` means."""
    compiled = _compiled(pattern)
    return bool(compiled.fullmatch(host) or compiled.fullmatch(bare_host(host)))


def bare_host(host: str) -> str:
    """Without the ``www.`` or ``m.`` that says nothing."""
    for front in ("www.", "m."):
        if host.startswith(front) and host.count(".") > 1:
            return host.removeprefix(front)
    return host


def group_of(host: str, groups: Mapping[str, Iterable[str]] = GROUPS) -> str | None:
    """The first group that the host belongs to."""
    return next((name for name, hosts in groups.items() if any(host_matches(host, h) for h in hosts)), None)
