"""Ways on which a caller reaches nobody: the flow ends before anybody talked or took a message.

Theory of operation
-------------------
A call is followed from the start of each flow that a number or pool names, through every exit that is
not ``served`` (:class:`~pbx.flows.step.Exit`), breadth first, so that the way found is the shortest. A
goto leads into the other flow; one that has exits of its own is come back to when that flow ends.
Where a way ends, the caller has reached nobody. That is a warning, unless a step says that it is meant
(``hangup: why``).

The ways through the closed exit of a schedule come last and are told at the schedule: those hours are
not covered. A way that leads into a fault (a step that cannot be read, a name that does not exist) is
given up: the fault is told by itself.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pbx.config.document import Loc
from pbx.config.flowfile import Draft
from pbx.flows.flow import ends_call
from pbx.flows.step import Exit, ReferenceKind, Step

Node = tuple[str, str]
"""A flow's id and the name of one of its steps."""

MOST_CALLED = 8
"""How deep flows may call each other before the search gives up."""


@dataclass(frozen=True, slots=True)
class _At:
    """A caller who reached nobody so far: where they are, and which gotos wait for a flow to end."""

    node: Node
    waiting: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class _End:
    """Where a way ends: the step, and its exit (None: the step itself is the end)."""

    node: Node
    exit: Exit | None


@dataclass(frozen=True, slots=True)
class _Came:
    """From where, and by which exit."""

    before: _At | None
    label: str


def check_callers_reach_somebody(drafts: Sequence[Draft], entries: Collection[str]) -> None:
    """Warn of each end that a caller can come to without having been served."""
    by_id = {draft.id: draft for draft in drafts}
    search = _Search(by_id)
    for draft in drafts:
        if draft.id in entries and draft.start in draft.steps:
            search.begin((draft.id, draft.start))
    for end, way in search.ends():
        _tell_end(by_id[end.node[0]], end, way)
    for at, exit, way in search.uncovered():
        _tell_uncovered(by_id[at.node[0]], at.node[1], exit, way)


def _tell_end(draft: Draft, end: _End, way: str) -> None:
    at_hangup = end.exit is None or end.exit.target is not None
    draft.document.warn(
        _place(draft, end.node[1], end.exit),
        f"a caller can be left here without having reached anybody: {way};"
        " lead it to somebody or to a voicemail, or end it in a step that says why (hangup: why)",
        code="reaches-nobody" if at_hangup else "dead-end",
    )


def _tell_uncovered(draft: Draft, name: str, exit: Exit, way: str) -> None:
    draft.document.warn(
        _place(draft, name, exit),
        f"when {name!r} is closed a caller reaches nobody: {way};"
        " lead 'closed' to a voicemail, or end it in a step that says why (hangup: why)",
        code="uncovered-hours",
    )


def _place(draft: Draft, name: str, exit: Exit | None) -> Loc:
    return draft.document.nearest(("steps", name, *(exit.loc if exit else ())))


class _Search:
    """Every place that a caller who reached nobody can be at, and how they came there."""

    def __init__(self, drafts: Mapping[str, Draft]) -> None:
        self._drafts = drafts
        self._came: dict[_At, _Came] = {}
        self._ends: dict[_End, tuple[_At, str]] = {}
        self._closed: dict[Node, tuple[_At, Exit]] = {}
        self._begun: list[_At] = []

    def begin(self, node: Node) -> None:
        self._begun.append(self._arrive(_At(node), _Came(None, "")))

    def ends(self) -> Iterator[tuple[_End, str]]:
        """What is found in the hours of business: where the way ends, and the way in words."""
        self._follow(self._begun, closed_too=False)
        for end, (at, label) in self._ends.items():
            yield end, self._in_words(at, label)

    def uncovered(self) -> Iterator[tuple[_At, Exit, str]]:
        """After :meth:`ends`: the schedules of which the closed way leads to nobody."""
        for at, exit in tuple(self._closed.values()):
            known = set(self._ends)
            begun = list(self._lead(at, exit))
            self._follow(begun, closed_too=True)
            found = next((way for end, way in self._ends.items() if end not in known), None)
            if found is not None:
                yield at, exit, self._in_words(*found)

    def _follow(self, pending: list[_At], *, closed_too: bool) -> None:
        for at in pending:  # grows while it is walked: breadth first
            for exit in self._exits(at):
                if exit.closed and not closed_too:
                    self._closed.setdefault(at.node, (at, exit))
                elif not exit.served:
                    pending += self._lead(at, exit)
            pending += self._jump(at)

    def _step(self, node: Node) -> Step:
        return self._drafts[node[0]].steps[node[1]]

    def _exits(self, at: _At) -> list[Exit]:
        """The exits by which a call leaves the step now: none while it goes on in another flow."""
        step = self._step(at.node)
        if _flows(step):
            return []
        exits = step.exits()
        if not exits and not step.is_meant_to_end:
            self._ends.setdefault(_End(at.node, None), (at, ""))
        return exits

    def _lead(self, at: _At, exit: Exit) -> Iterable[_At]:
        """Where an exit leads: to a step, back to the goto that waits, or to the end of the call."""
        flow = at.node[0]
        if exit.target is None and at.waiting:
            back = _At(at.waiting[-1], at.waiting[:-1])
            self._came.setdefault(back, _Came(at, exit.label))
            for after in self._step(back.node).exits():
                yield from self._lead(back, after)
        elif ends_call(exit.target):
            self._ends.setdefault(_End(at.node, exit), (at, exit.label))
        elif exit.target in self._drafts[flow].steps:
            there = _At((flow, exit.target), at.waiting)
            if there not in self._came:
                yield self._arrive(there, _Came(at, exit.label))

    def _jump(self, at: _At) -> Iterable[_At]:
        step = self._step(at.node)
        for name, entry in _flows(step):
            other = self._drafts.get(name)
            start = entry or (other.start if other is not None else None)
            if other is None or start not in other.steps or len(at.waiting) >= MOST_CALLED:
                continue
            waiting = (*at.waiting, at.node) if step.exits() else at.waiting
            there = _At((name, start), waiting)
            if there not in self._came:
                yield self._arrive(there, _Came(at, ""))

    def _arrive(self, at: _At, came: _Came) -> _At:
        self._came[at] = came
        return at

    def _in_words(self, at: _At, last: str) -> str:
        """``welcome → hours (closed) → bye → the call ends``"""
        names: list[str] = []
        label: str = last
        place: _At | None = at
        first = None
        while place is not None and len(names) < len(self._came):
            came = self._came[place]
            names.append(f"{place.node[0]}/{place.node[1]}{_shown(label)}")
            place, label, first = came.before, came.label, place
        home = f"{first.node[0]}/" if first else ""
        return " → ".join([*(name.removeprefix(home) for name in reversed(names)), "the call ends"])


def _shown(label: str) -> str:
    return "" if label in ("", "next") else f" ({label})"


def _flows(step: Step) -> list[tuple[str, str | None]]:
    return [(ref.name, ref.step) for ref in step.references() if ref.kind is ReferenceKind.FLOW]
