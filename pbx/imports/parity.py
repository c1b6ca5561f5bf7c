"""Their figures against ours, by source and month, and the calls that differ by name.

A call of theirs is ours if it was imported, or if our own server had a call of the same caller on the same
number that began within two minutes. Each of ours is taken by one of theirs at most, the nearest first.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from pbx.imports.callrail import ImportedCall
from pbx.imports.sources import SourceNames
from pbx.store.encoding import from_ms, to_ms
from pbx.store.imported import SAME_CALL_MS, OurCall

SLACK_S = 5.0
"""How much longer or shorter our own server may have seen a call."""


@dataclass(frozen=True, slots=True)
class TheirCall:
    """What is compared of a call of theirs; the rest stays in the file, which may be long."""

    id: str
    line: int
    caller: str
    tracking: str
    started_ms: int
    duration_s: float
    answered: bool
    source: str  # ours

    @classmethod
    def of(cls, call: ImportedCall, names: SourceNames) -> "TheirCall":
        return cls(
            call.id,
            call.line,
            call.caller,
            call.tracking,
            to_ms(call.started),
            call.duration_s,
            call.answered,
            names.ours(call.source, call.tracking),
        )


@dataclass(slots=True)
class Sums:
    calls: int = 0
    answered: int = 0
    duration_s: float = 0.0

    def add(self, answered: bool, duration_s: float) -> None:
        self.calls += 1
        self.answered += answered
        self.duration_s += duration_s


@dataclass(slots=True)
class Line:
    """One source in one month."""

    source: str
    month: str
    theirs: Sums = field(default_factory=Sums)
    ours: Sums = field(default_factory=Sums)

    @property
    def alike(self) -> bool:
        slack_s = SLACK_S * max(1, self.theirs.calls)
        return (self.theirs.calls, self.theirs.answered) == (self.ours.calls, self.ours.answered) and abs(
            self.theirs.duration_s - self.ours.duration_s
        ) <= slack_s


@dataclass(frozen=True, slots=True)
class Difference:
    """``line``: of their file, None for a call that only we have."""

    what: str
    call: str
    line: int | None


@dataclass(frozen=True, slots=True)
class Parity:
    lines: tuple[Line, ...]
    differences: tuple[Difference, ...]

    @property
    def alike(self) -> bool:
        return not self.differences and all(line.alike for line in self.lines)


def pairs(theirs: Sequence[TheirCall], ours: Sequence[OurCall]) -> dict[str, OurCall]:
    """Our call of each of theirs, by their id."""
    by_id = {call.id: call for call in ours}
    found = {call.id: by_id[call.id] for call in theirs if call.id in by_id}
    own: dict[tuple[str, str], list[OurCall]] = defaultdict(list)
    for call in ours:
        if not call.origin:
            own[call.caller, call.tracking].append(call)
    near = sorted(
        (abs(candidate.started_ms - call.started_ms), call.id, candidate.id, candidate)
        for call in theirs
        if call.id not in found
        for candidate in own.get((call.caller, call.tracking), ())
        if abs(candidate.started_ms - call.started_ms) <= SAME_CALL_MS
    ) if own else []  # fmt: skip
    taken: set[str] = set()
    for _, id, ours_id, candidate in near:
        if id not in found and ours_id not in taken:
            found[id] = candidate
            taken.add(ours_id)
    return found


def compare(theirs: Sequence[TheirCall], ours: Sequence[OurCall], zone: ZoneInfo) -> Parity:
    matched = pairs(theirs, ours)
    lines: dict[tuple[str, str], Line] = {}

    def line_of(source: str, ms: int) -> Line:
        month = f"{from_ms(ms).astimezone(zone):%Y-%m}"
        return lines.setdefault((month, source), Line(source, month))

    differences: list[Difference] = []
    for call in theirs:
        line_of(call.source, call.started_ms).theirs.add(call.answered, call.duration_s)
        differences += _differences(call, matched.get(call.id))
    used = {call.id for call in matched.values()}
    for own in ours:
        line_of(own.source, own.started_ms).ours.add(own.answered, own.duration_s)
        if own.id not in used:
            differences.append(Difference("only we have it", own.id, None))
    ordered = tuple(lines[key] for key in sorted(lines))
    return Parity(ordered, tuple(differences))


def _differences(call: TheirCall, ours: OurCall | None) -> Iterator[Difference]:
    if ours is None:
        yield Difference("is not here", call.id, call.line)
        return
    if ours.answered != call.answered:
        said = "answered" if call.answered else "not answered"
        yield Difference(
            f"{said} there, {'answered' if ours.answered else 'not answered'} here", ours.id, call.line
        )
    slack_s = 0.5 if ours.origin else SLACK_S
    if abs(ours.duration_s - call.duration_s) > slack_s:
        yield Difference(f"{call.duration_s:g} s there, {ours.duration_s:g} s here", ours.id, call.line)
    if ours.source != call.source:
        yield Difference(f"of {call.source} there, of {ours.source} here", ours.id, call.line)
