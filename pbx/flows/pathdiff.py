"""Two paths side by side, aligned where they agree, and why they part."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from pbx.flows.trace import TraceTurn


@dataclass(frozen=True, slots=True)
class Row:
    """One step of each path; None where the other has more."""

    expected: str | None
    taken: str | None

    @property
    def same(self) -> bool:
        return self.expected == self.taken


def align(expected: Sequence[str], taken: Sequence[str]) -> list[Row]:
    """Every step of both, in order; equal ones face each other."""
    rows: list[Row] = []
    for kind, a, b, c, d in SequenceMatcher(None, expected, taken, autojunk=False).get_opcodes():
        left, right = list(expected[a:b]), list(taken[c:d])
        if kind != "equal":
            length = max(len(left), len(right))
            rows += [
                Row(left[i] if i < len(left) else None, right[i] if i < len(right) else None)
                for i in range(length)
            ]
        else:
            rows += [Row(step, step) for step in left]
    return rows


def parting(expected: Sequence[str], turns: Sequence[TraceTurn]) -> TraceTurn | None:
    """The turn after which the path taken is no longer the one expected; None if they part at the start
    (or not at all)."""
    taken = [turn.step for turn in turns]
    same = 0
    while same < min(len(expected), len(taken)) and expected[same] == taken[same]:
        same += 1
    if same == 0 or same == len(expected) == len(taken):
        return None
    return turns[same - 1]
