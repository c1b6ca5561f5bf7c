"""A page view as the tracking code reports it: a URL and a referrer, taken apart once.

Only what attribution uses is kept. A page is kept as scheme, host and path; of its query the campaign
parameters, click identifiers and those that the sources ask for: e-mail addresses and whatever else
websites put into their URLs are forgotten here. A referrer is kept as scheme, host and path alone.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pbx.attribution.referrers import PLATFORM_OF
from pbx.config.sources import UTM

LONGEST_URL = 4096
LONGEST_VALUE = 500
MOST_PARAMETERS = 100
NOTHING = urlsplit("")


@dataclass(frozen=True, slots=True)
class PageView:
    """``params`` by lower-case name, without the empty ones; hosts in lower case."""

    page: str  # scheme://host/path
    host: str
    path: str
    params: Mapping[str, str]
    referrer: str  # scheme://host/path, "" if there is none
    referrer_host: str

    @property
    def click_id(self) -> str:
        """The name of the first click identifier there is, "" without one."""
        return next((name for name in self.params if name in PLATFORM_OF), "")

    @property
    def campaigned(self) -> bool:
        """Whether the URL itself says where the visitor comes from."""
        return any(name in PLATFORM_OF or name in UTM for name in self.params)

    def kept_params(self, asked: Collection[str]) -> dict[str, str]:
        """What is stored of the query; ``asked``: the parameters that sources ask for."""
        return {
            name: value
            for name, value in self.params.items()
            if name in UTM or name in PLATFORM_OF or name in asked
        }


class NoPage(ValueError):  # noqa: N818 - says what it is not
    """The text is no URL of a web page."""


def page_view(page: str, referrer: str = "") -> PageView:
    """Raises NoPage for a page that is no http(s) URL; a referrer that is none counts as absent."""
    where, host = _split(page)
    if where.scheme not in ("http", "https") or not host:
        raise NoPage(f"{page[:80]!r} is no URL of a page, such as https://www.example.com/offer")
    pairs = parse_qsl(where.query, max_num_fields=None)[:MOST_PARAMETERS]
    params: dict[str, str] = {}
    for name, value in pairs:
        if name and (cleaned := _clean(value)):
            params.setdefault(name.casefold(), cleaned)
    came, referrer_host = _split(referrer)
    return PageView(
        page=_clean(f"{where.scheme}://{where.netloc.rpartition('@')[2]}{where.path or '/'}"),
        host=host,
        path=where.path or "/",
        params=params,
        referrer=_clean(f"{came.scheme}://{came.netloc.rpartition('@')[2]}{came.path}")
        if referrer_host
        else "",
        referrer_host=referrer_host,
    )


def _split(url: str) -> tuple[SplitResult, str]:
    """A URL's parts and its host; all are empty of what is no URL."""
    try:
        parts = urlsplit(url[:LONGEST_URL].strip())
        _ = parts.port  # raises for what is none
        return parts, parts.hostname or ""
    except ValueError:
        return NOTHING, ""


def _clean(text: str) -> str:
    """As it can be kept and shown."""
    return "".join(filter(str.isprintable, text.strip()[:LONGEST_VALUE]))
