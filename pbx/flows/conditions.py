"""Conditions as flows write them, what they ask for, and whether they hold.

A mapping holds if every line of it does: ``{source: radio, caller.calls: ">= 3"}``. A line is

* ``name: word``, which the value of that name (:mod:`pbx.flows.known`) must equal, upper or lower case
  alike; ``*`` and ``?`` in a word stand for any letters. A list of words is any of them.
* ``name: ">= 3"``, with ``>``, ``>=``, ``<``, ``<=`` or ``!=``. Amounts may be durations (``"> 2m"``, of
  seconds), dates (``">= 2026-12-01"``) or times.
* ``day: mon-fri`` and ``time: "17:00-22:00"``, as in a schedule.
* ``all:`` or ``any:`` with a list of mappings, ``not:`` with one.

A value that there is not yet equals the empty word, and is neither more nor less than anything.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from typing import Any

from pbx.config.fields import parse_duration, seconds
from pbx.flows.hours import DAYS, parse_days, parse_hours
from pbx.flows.step import Doubt, fault

Loc = tuple[str | int, ...]
Values = Mapping[str, str]

TAG = "tag"
_DAY_MINUTES = 24 * 60
_COMPARISON = re.compile(r"(>=|<=|!=|>|<)\s*(.*)", re.DOTALL)
_MISWRITTEN = re.compile(r"[=<>!~]{1,3}")
_MEANT = {"=>": ">=", "=<": "<=", "<>": "!=", "==": "", "=": "", "=!": "!=", "!==": "!=", "===": ""}
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    ">": lambda value, bound: value > bound,
    ">=": lambda value, bound: value >= bound,
    "<": lambda value, bound: value < bound,
    "<=": lambda value, bound: value <= bound,
}


@dataclass(frozen=True, slots=True)
class Test:
    """One line: a name, and the words of which one must fit its value."""

    name: str
    words: tuple[str, ...]

    def holds(self, values: Values) -> bool:
        value = values.get(self.name, "")
        found = value.split(", ") if self.name == TAG else [value]
        return any(_fits(self.name, each, word) for word in self.words for each in found)

    def names(self) -> Iterator[str]:
        yield self.name

    def __str__(self) -> str:
        words = " or ".join(word or "empty" for word in self.words)
        return f"{self.name} {words}" if _COMPARISON.match(words) else f"{self.name} is {words}"


@dataclass(frozen=True, slots=True)
class AllOf:
    parts: tuple["Condition", ...]

    def holds(self, values: Values) -> bool:
        return all(part.holds(values) for part in self.parts)

    def names(self) -> Iterator[str]:
        for part in self.parts:
            yield from part.names()

    def __str__(self) -> str:
        return " and ".join(_bracketed(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple["Condition", ...]

    def holds(self, values: Values) -> bool:
        return any(part.holds(values) for part in self.parts)

    def names(self) -> Iterator[str]:
        for part in self.parts:
            yield from part.names()

    def __str__(self) -> str:
        return " or ".join(_bracketed(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not:
    part: "Condition"

    def holds(self, values: Values) -> bool:
        return not self.part.holds(values)

    def names(self) -> Iterator[str]:
        return self.part.names()

    def __str__(self) -> str:
        return f"not ({self.part})"


Condition = Test | AllOf | AnyOf | Not


def _bracketed(part: Condition) -> str:
    return f"({part})" if isinstance(part, AllOf | AnyOf) and len(part.parts) > 1 else str(part)


# --- from YAML -----------------------------------------------------------------------------------


def condition(written: Any) -> Condition:
    """Raises ValueError for what :func:`faults` tells in full."""
    found: list[Doubt] = []
    result = _mapping(written, (), found)
    if found:
        raise ValueError(found[0].message)
    return result


def faults(written: Any, loc: Loc) -> list[Doubt]:
    """Everything that is wrong with a condition, each at its place."""
    found: list[Doubt] = []
    _mapping(written, loc, found)
    return found


def asked(written: Any, loc: Loc) -> Iterator[tuple[Loc, str]]:
    """Every name that it asks for, with the key path that names it."""
    for key, value in written.items() if isinstance(written, dict) else ():
        if key in ("all", "any"):
            for index, part in enumerate(value if isinstance(value, list) else ()):
                yield from asked(part, (*loc, key, index))
        elif key == "not":
            yield from asked(value, (*loc, key))
        else:
            yield (*loc, key), str(key)


def tests(written: Any, loc: Loc) -> Iterator[tuple[Loc, Test]]:
    """Every line that can be read, with its key path."""
    for key, value in written.items() if isinstance(written, dict) else ():
        if key in ("all", "any"):
            for index, part in enumerate(value if isinstance(value, list) else ()):
                yield from tests(part, (*loc, key, index))
        elif key == "not":
            yield from tests(value, (*loc, key))
        elif isinstance(line := _line(str(key), value, (*loc, key), []), Test):
            yield (*loc, key), line


def is_comparison(word: str) -> bool:
    return _COMPARISON.match(word) is not None


def _mapping(written: Any, loc: Loc, found: list[Doubt]) -> Condition:
    if not isinstance(written, dict) or not written:
        found.append(fault(loc, "a condition is a mapping, such as {source: radio, caller.new: yes}"))
        return AllOf(())
    parts = tuple(_line(str(key), value, (*loc, key), found) for key, value in written.items())
    return parts[0] if len(parts) == 1 else AllOf(parts)


def _line(key: str, value: Any, loc: Loc, found: list[Doubt]) -> Condition:
    if key == "not":
        return Not(_mapping(value, loc, found))
    if key in ("all", "any"):
        if not isinstance(value, list) or not value:
            found.append(fault(loc, f"{key!r} takes a list of conditions: {key}: [{{source: radio}}, …]"))
            return AllOf(())
        parts = tuple(_mapping(part, (*loc, index), found) for index, part in enumerate(value))
        return AllOf(parts) if key == "all" else AnyOf(parts)
    words = value if isinstance(value, list) else [value]
    if not words:
        found.append(fault(loc, f"{key!r} is compared with nothing"))
    readable = [_word(key, word, loc, found) for word in words]
    return Test(key, tuple(readable))


def _word(name: str, word: Any, loc: Loc, found: list[Doubt]) -> str:
    if isinstance(word, dict | list):
        found.append(fault(loc, f"{name!r} is compared with a word, or with a list of words"))
        return ""
    text = _as_text(word)
    if (wrong := _MISWRITTEN.match(text)) and (meant := _MEANT.get(wrong[0])) is not None:
        found.append(
            fault(loc, f"{text!r} is no comparison; write {text.replace(wrong[0], meant, 1).strip()!r}")
        )
    try:
        if name == "day" and not _COMPARISON.match(text):
            parse_days(text)
        elif name == "time" and "-" in text:
            parse_hours(text)
    except ValueError as wrong:
        found.append(fault(loc, str(wrong)))
    return text


def _as_text(word: Any) -> str:
    if word is None:
        return ""
    if isinstance(word, bool):
        return "yes" if word else "no"
    return word.isoformat() if isinstance(word, date) else str(word)


# --- a word and a value --------------------------------------------------------------------------


def _fits(name: str, value: str, word: str) -> bool:
    if comparison := _COMPARISON.fullmatch(word):
        operator, bound = comparison[1], comparison[2].strip()
        if operator == "!=":
            return not _fits(name, value, bound)
        return _compared(operator, value, bound)
    if name == "day":
        return value in DAYS and DAYS.index(value) in parse_days(word)
    if name == "time" and "-" in word:
        return bool(value) and _within(value, word)
    return fnmatchcase(value.casefold(), word.casefold()) if _is_glob(word) else _same(value, word)


def _is_glob(word: str) -> bool:
    return "*" in word or "?" in word


def _same(value: str, word: str) -> bool:
    return value.casefold() == word.casefold()


def _compared(operator: str, value: str, bound: str) -> bool:
    if not value:
        return False
    amount, limit = _amount(value), _amount(bound)
    if amount is not None and limit is not None:
        return _COMPARE[operator](amount, limit)
    return _COMPARE[operator](value, bound)  # dates and times, written so that they sort as text


def _amount(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return seconds(parse_duration(text))
    except ValueError:
        return None


def _within(value: str, hours: str) -> bool:
    hour, _, minute = value.partition(":")
    at = int(hour) * 60 + int(minute)
    return any(each.start <= now < each.end for each in parse_hours(hours) for now in (at, at + _DAY_MINUTES))
