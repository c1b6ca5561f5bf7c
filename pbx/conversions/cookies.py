"""The platforms' own cookies on the website, as the tracking code reports them: ``_ga``, ``_fbp``, ``_fbc``.

Anybody may report anything, so only what has the right form is believed.
"""

import re
from collections.abc import Iterable

_FORMS = {
    "_ga": ("ga", re.compile(r"GA\d+\.\d+\.(\d{1,12}\.\d{6,12})")),
    "_fbp": ("fbp", re.compile(r"(fb\.\d\.\d{10,14}\.\d{1,20})")),
    "_fbc": ("fbc", re.compile(r"(fb\.\d\.\d{10,14}\.[\w.-]{1,300})", re.ASCII)),
}


def read_cookies(cookies: Iterable[str]) -> dict[str, str]:
    """``["_ga=GA1.1.123.1700000000"]`` → ``{"ga": "123.1700000000"}``."""
    found: dict[str, str] = {}
    for cookie in cookies:
        name, _, value = cookie.partition("=")
        if name in _FORMS:
            key, form = _FORMS[name]
            if match := form.fullmatch(value):
                found[key] = match[1]
    return found
