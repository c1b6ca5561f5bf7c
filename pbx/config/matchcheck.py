"""What is wrong with sources' ``match`` rules: names that do not exist, and sources that never get a turn.

The first source that matches wins, so a source whose visitors all match an earlier one is unreachable.
:func:`covers` finds that where it follows from the rules alone; it never claims it wrongly.
"""

from collections.abc import Iterator

from pydantic import ValidationError

from pbx.attribution.match import NO_REFERRER, click_names, glob
from pbx.attribution.referrers import CLICK_IDS, GROUPS, PLATFORM_OF, host_matches
from pbx.config.document import Document, Loc
from pbx.config.problems import did_you_mean
from pbx.config.sources import UTM, Match, SourceKind, values

Atom = tuple[str, str]
"""One rule with one value, such as ``("referrer", "google.*")``."""


def check_matches(document: Document) -> None:
    more = document.get(("tracking", "referrer_groups"))
    groups = {*GROUPS, *(more if isinstance(more, dict) else ())}
    earlier: list[tuple[str, Match]] = []
    for source in document.matching("sources", "*"):
        loc = (*source, "match")
        data = document.get(loc)
        if data is None:
            continue
        _check_names(document, loc, groups)
        if document.text((*source, "kind")) == SourceKind.OFFLINE:
            document.warn(loc, "an offline source has no visitors; its match does nothing")
        try:
            match = Match.model_validate(data)
        except ValidationError:
            continue  # the models say so
        for name, other in earlier:
            if covers(other, match):
                line = document.key_place(("sources", name)).line
                document.warn(
                    loc,
                    f"{source[-1]!r} never gets a visitor: all of its own match {name!r} (line {line}), which"
                    f" comes first; move {source[-1]!r} before it",
                )
                break
        earlier.append((str(source[-1]), match))


def _check_names(document: Document, loc: Loc, groups: set[str]) -> None:
    match = document.get(loc)
    if not isinstance(match, dict):
        return
    for word in ("any", "all"):
        for index in range(len(match[word]) if isinstance(match.get(word), list) else 0):
            _check_names(document, (*loc, word, index), groups)
    _check_names(document, (*loc, "not"), groups)
    for place, name in _texts(document, (*loc, "referrer_group")):
        if name not in groups:
            document.error(place, f"no group of referrers {name!r}{did_you_mean(name, groups)}")
    clicks = {*CLICK_IDS, *PLATFORM_OF, "any"}
    for place, name in _texts(document, (*loc, "click_id")):
        if name not in clicks:
            document.error(
                place,
                f"{name!r} is no click identifier{did_you_mean(name, clicks)}"
                " (for a parameter of your own, use param)",
            )
    for utm in UTM:
        for place, value in _texts(document, (*loc, utm)):
            if "*" in value:
                document.error(
                    place, f"{value!r}: {utm} is compared whole; list the values instead of a glob"
                )
    for place, host in _texts(document, (*loc, "referrer")):
        if "/" in host:
            document.error(
                place, f"{host!r} is no host; write only the host, such as google.* or example.com"
            )


def _texts(document: Document, loc: Loc) -> Iterator[tuple[Loc, str]]:
    """The text at ``loc``, or those of the list there."""
    value = document.get(loc)
    places = [(*loc, index) for index in range(len(value))] if isinstance(value, list) else [loc]
    for place in places:
        if (text := document.text(place)) is not None:
            yield place, text


def covers(wide: Match, narrow: Match) -> bool:
    """Whether every page view that meets ``narrow`` certainly meets ``wide``."""
    return all(_covered(condition, narrow) for condition in _conditions(wide))


Condition = Match | list[Atom]
"""``any``, ``all`` or ``not`` as a match of its own; or a plain rule as the atoms of which one must hold."""


def _conditions(match: Match) -> list[Condition]:
    """What must all be true."""
    found: list[Condition] = []
    if match.any is not None:
        found.append(Match(any=match.any))
    for part in match.all or ():
        found += _conditions(part)
    if match.not_ is not None:
        found.append(Match.model_validate({"not": match.not_}))
    for key in ("referrer", "referrer_group", "landing_page", *UTM):
        words = getattr(match, key)
        if words is not None:
            found.append([(key, word.casefold()) for word in values(words)])
    if match.click_id is not None:
        found.append([("param", name) for name in click_names(values(match.click_id))])
    if isinstance(match.param, dict):
        found += [
            [(f"param={name.casefold()}", w.casefold()) for w in values(v)] for name, v in match.param.items()
        ]
    elif match.param is not None:
        found.append([("param", name.casefold()) for name in values(match.param)])
    return found


def _covered(condition: Condition, narrow: Match) -> bool:
    """Whether ``condition`` is true whenever ``narrow`` is."""
    own = _conditions(narrow)
    if any(
        isinstance(each, Match) and each.any and all(_covered(condition, p) for p in each.any) for each in own
    ):
        return True
    if isinstance(condition, Match):
        if condition.any:
            return any(covers(part, narrow) for part in condition.any)
        nots = [each.not_ for each in own if isinstance(each, Match) and each.not_]
        return condition.not_ is not None and any(covers(each, condition.not_) for each in nots)
    return any(
        isinstance(each, list) and all(any(_wider(wide, atom) for wide in condition) for atom in each)
        for each in own
    )


def _wider(wide: Atom, narrow: Atom) -> bool:
    if wide == narrow:
        return True
    if wide[0] == "param":  # a parameter that has a value is there
        return narrow[0] in (f"param={wide[1]}", wide[1])
    if wide[0] != narrow[0] or wide[0] not in ("referrer", "landing_page") or narrow[1] == NO_REFERRER:
        return False
    if "*" in narrow[1]:  # of two globs nothing is claimed
        return False
    if wide[0] == "referrer":
        return host_matches(narrow[1], wide[1])
    return glob(wide[1]).fullmatch(narrow[1]) is not None
