"""Whether a page view meets a source's ``match``, and why.

:func:`explain` says what each rule found, :func:`holds` whether that is enough. Texts compare without
regard to case; UTM values and parameters are compared whole (``google`` is not ``google-display``);
hosts and landing pages are globs.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pbx.attribution.pageview import PageView
from pbx.attribution.referrers import CLICK_IDS, GROUPS, PLATFORM_OF, host_matches
from pbx.config.sources import UTM, Match, Words, values

NO_REFERRER = "none"


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule's outcome, in words; ``depth`` is how far inside any, all and not it stands."""

    holds: bool
    said: str
    depth: int = 0


def holds(match: Match, view: PageView, groups: Mapping[str, Sequence[str]] = GROUPS) -> bool:
    return all(finding.holds for finding in explain(match, view, groups) if finding.depth == 0)


def explain(
    match: Match, view: PageView, groups: Mapping[str, Sequence[str]] = GROUPS, depth: int = 0
) -> list[Finding]:
    """What each rule of the mapping found; those of ``depth`` must all hold."""
    found: list[Finding] = list(_plain(match, view, groups, depth))
    for word, parts, every in (("any", match.any, False), ("all", match.all, True)):
        if parts is not None:
            inner = [explain(part, view, groups, depth + 1) for part in parts]
            met = [_together(each, depth + 1) for each in inner]
            found.append(Finding(all(met) if every else any(met), f"{word} of {len(parts)}", depth))
            found += [finding for each in inner for finding in each]
    if match.not_ is not None:
        inner_not = explain(match.not_, view, groups, depth + 1)
        found += [Finding(not _together(inner_not, depth + 1), "not", depth), *inner_not]
    return found


def _together(findings: Iterable[Finding], depth: int) -> bool:
    return all(finding.holds for finding in findings if finding.depth == depth)


def _plain(
    match: Match, view: PageView, groups: Mapping[str, Sequence[str]], depth: int
) -> Iterator[Finding]:
    if match.referrer is not None:
        yield Finding(_referrer(view, values(match.referrer)), _came(view, match.referrer), depth)
    if match.referrer_group is not None:
        wanted = values(match.referrer_group)
        met = any(host_matches(view.referrer_host, host) for name in wanted for host in groups.get(name, ()))
        yield Finding(bool(view.referrer_host) and met, f"{_came(view, wanted)} (group)", depth)
    if match.landing_page is not None:
        met = any(page_matches(view, pattern) for pattern in values(match.landing_page))
        yield Finding(met, f"landing page {view.path}, wanted {_shown(match.landing_page)}", depth)
    if match.click_id is not None:
        names = click_names(values(match.click_id))
        there = [name for name in names if name in view.params]
        said = f"click id {there[0]}" if there else f"no click id {_shown(match.click_id)}"
        yield Finding(bool(there), said, depth)
    if match.param is not None:
        yield from _params(match.param, view, depth)
    for name in UTM:
        words: Words | None = getattr(match, name)
        if words is not None:
            yield _value(name, view, words, depth)


def _referrer(view: PageView, patterns: Sequence[str]) -> bool:
    if not view.referrer_host:
        return NO_REFERRER in patterns
    return any(host_matches(view.referrer_host, each) for each in patterns if each != NO_REFERRER)


def _came(view: PageView, wanted: Words) -> str:
    return f"referrer {view.referrer_host or NO_REFERRER}, wanted {_shown(wanted)}"


def _params(wanted: Words | dict[str, Words], view: PageView, depth: int) -> Iterator[Finding]:
    if isinstance(wanted, dict):
        for name, words in wanted.items():
            yield _value(name.casefold(), view, words, depth)
        return
    there = [name for name in values(wanted) if name.casefold() in view.params]
    said = f"parameter {there[0]} is there" if there else f"no parameter {_shown(wanted)}"
    yield Finding(bool(there), said, depth)


def _value(name: str, view: PageView, words: Words, depth: int) -> Finding:
    value = view.params.get(name, "")
    met = value.casefold() in (word.casefold() for word in values(words)) and bool(value)
    return Finding(met, f"{name} is {value or 'absent'}, wanted {_shown(words)}", depth)


def page_matches(view: PageView, pattern: str) -> bool:
    """``/offer/*`` against the path, ``shop.example.com/*`` against host and path."""
    subject = view.path if pattern.startswith("/") else view.host + view.path
    return glob(pattern).fullmatch(subject) is not None


@lru_cache(1024)
def glob(pattern: str) -> re.Pattern[str]:
    """``*`` is anything; everything else is itself, in any case of letters."""
    return re.compile(
        "".join(".*" if part == "*" else re.escape(part) for part in re.split(r"(\*)", pattern)),
        re.IGNORECASE | re.DOTALL,
    )


def click_names(words: Iterable[str]) -> list[str]:
    """Click identifiers by platform (``google``), by name (``gclid``), or ``any``."""
    found: list[str] = []
    for word in words:
        found += PLATFORM_OF if word == "any" else CLICK_IDS.get(word, (word,))
    return found


def _shown(words: Words) -> str:
    return " or ".join(values(words))


def parameters(match: Match) -> set[str]:
    """The query parameters that a match asks for."""
    own: set[str] = set()
    if isinstance(match.param, dict):
        own = {name.casefold() for name in match.param}
    elif match.param is not None:
        own = {name.casefold() for name in values(match.param)}
    inner = [*(match.any or ()), *(match.all or ()), *([match.not_] if match.not_ else ())]
    return own.union(*(parameters(part) for part in inner))
