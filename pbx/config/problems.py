"""What is wrong in a file: where, what, and what would be right."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake. ``line`` and ``column`` count from 1, as editors do; the end is just behind it.

    ``message`` says what is wrong and, behind a semicolon, what would be right. ``code`` is one of
    :data:`pbx.config.codes.CODES`.
    """

    file: Path
    line: int
    column: int
    message: str
    severity: Severity = Severity.ERROR
    code: str = "value"
    end: tuple[int, int] | None = None  # None: nobody knows

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR

    @property
    def suggestion(self) -> str:
        """What would be right, as far as the message says so."""
        return self.message.partition("; ")[2]

    def as_json(self) -> dict[str, Any]:
        """The shape that ``pbx check --json`` promises to editors."""
        line, column = self.end or (self.line, self.column)
        return {
            "file": str(self.file),
            "line": self.line,
            "column": self.column,
            "end": {"line": line, "column": column},
            "severity": self.severity.value,
            "code": self.code,
            "message": self.message,
            "suggestion": self.suggestion,
        }

    def __str__(self) -> str:
        word = "" if self.is_error else "warning: "
        return f"{self.file}:{self.line}:{self.column}: {word}{self.message}"


class ConfigErrors(Exception):  # noqa: N818 - it is many
    """The files cannot be used; ``problems`` holds everything found, warnings too."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems if problem.is_error))
        self.problems = tuple(problems)


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Each once, in the order in which a reader of the files meets them."""
    return sorted(set(problems), key=lambda p: (str(p.file), p.line, p.column, p.message))


def closest(written: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant."""
    folded = {name.casefold(): name for name in sorted(known)}
    close = get_close_matches(written.casefold(), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def did_you_mean(written: str, known: Iterable[str]) -> str:
    """``"; did you mean 'sales'?"``, or the few names there are, or nothing."""
    names = sorted(set(known))
    if close := closest(written, names):
        return f"; did you mean {close!r}?"
    if 0 < len(names) <= 8:
        return f"; there is {listed(names)}" if len(names) == 1 else f"; there are {listed(names)}"
    return ""


def listed(names: Sequence[str], word: str = "and") -> str:
    """``'a', 'b' and 'c'``."""
    quoted = [repr(name) for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} {word} {quoted[-1]}"
