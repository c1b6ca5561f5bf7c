"""Circles of steps that would run for ever, or rather not at all.

A circle in which no step waits for anybody is an error. So is one through a queue that is left at once when
nobody is there; and where a ``dial`` rings agents none of whom has a phone, it does the same, which is worth
a warning. Circles may lead through several flows, so this looks at all of them together.
"""

from collections.abc import Iterator, Mapping, Sequence

from pbx.config.flowfile import Draft
from pbx.config.problems import listed
from pbx.config.ways import Node
from pbx.flows.steps.collect import Collect
from pbx.flows.steps.directory import Directory
from pbx.flows.steps.menu import Menu


def check_loops(drafts: Sequence[Draft], successors: Mapping[Node, Sequence[Node]]) -> None:
    """Tell of each circle of steps in which a call may go round without anybody's being waited for."""
    by_id = {draft.id: draft for draft in drafts}
    told: set[Node] = set()
    for circle in _circles(_at_once(drafts, successors, ALWAYS_AT_ONCE)):
        told.update(circle)
        flow, first = circle[0]
        by_id[flow].document.error(
            ("steps", first),
            f"{_way_of(circle)} without waiting for the caller; put a menu, or a way out, among them",
            at_key=True,
            code="dead-loop",
        )
    for circle in _circles(_at_once(drafts, successors, MAYBE_AT_ONCE)):
        flow, first = circle[0]
        if told.isdisjoint(circle):
            by_id[flow].document.warn(
                ("steps", first),
                f"{_way_of(circle)}: where nobody can be rung, nobody is waited for, and the call fails;"
                " put a queue, a menu or a voicemail among them",
                at_key=True,
                code="dead-loop",
            )


ALWAYS_AT_ONCE = frozenset({"on_empty"})
"""The ways out of steps that wait for somebody which may be taken before anybody was waited for."""
MAYBE_AT_ONCE = ALWAYS_AT_ONCE | {"on_no_answer", "on_busy", "on_nobody", "on_full"}
"""The same where it takes that no phone is registered, or no orbit is free."""


def _at_once(
    drafts: Sequence[Draft], successors: Mapping[Node, Sequence[Node]], keys: frozenset[str]
) -> Mapping[Node, Sequence[Node]]:
    """Where a call may go on from each step without anybody's having been waited for."""
    found: dict[Node, Sequence[Node]] = {}
    for draft in drafts:
        for name, step in draft.steps.items():
            node = (draft.id, name)
            found[node] = successors[node]
            if isinstance(step, Menu | Collect | Directory):  # whose prompt alone takes its time
                found[node] = ()
            elif step.takes_input:
                ways = (way for way in step.exits() if way.loc[-1:] and way.loc[-1] in keys)
                found[node] = [(draft.id, way.target) for way in ways if way.target]
    return {node: [each for each in ways if found.get(each)] for node, ways in found.items() if ways}


def _way_of(circle: Sequence[Node]) -> str:
    """``the steps 'a' and 'b' lead in a circle``"""
    flow, first = circle[0]
    names = [name if other == flow else f"{other}: {name}" for other, name in circle]
    return f"the step {first!r} leads to itself" if len(names) == 1 else f"{listed(names)} lead in a circle"


def _circles(graph: Mapping[Node, Sequence[Node]]) -> Iterator[list[Node]]:
    """A circle through every node that is in one, each node in at most one; in the order of the files."""
    done: set[Node] = set()
    for node in graph:
        if node in done:
            continue
        if path := _way_back(node, graph):
            done.update(path)
            yield path


def _way_back(start: Node, graph: Mapping[Node, Sequence[Node]]) -> list[Node] | None:
    """The shortest way from ``start`` to itself, without the last step."""
    paths: list[list[Node]] = [[start]]
    seen: set[Node] = set()
    for path in paths:  # grows while it is walked: breadth first
        for node in graph.get(path[-1], ()):
            if node == start:
                return path
            if node not in seen:
                seen.add(node)
                paths.append([*path, node])
    return None
