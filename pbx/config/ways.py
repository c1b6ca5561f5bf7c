"""Where calls can go from each step, through all flows together, flows that come back included.

A goto with ``return`` leads into the other flow, and the steps at which that flow (or one that it goes on
to for good) ends lead to the step to come back to. Which goto a call came by is not kept apart: what is
found is every way that there may be.
"""

from collections.abc import Mapping, Sequence

from pbx.config.flowfile import Draft
from pbx.flows.step import ReferenceKind

Node = tuple[str, str]
"""A flow's id and the name of one of its steps."""


def ways(drafts: Sequence[Draft]) -> dict[Node, list[Node]]:
    """For each step that can be read, the steps that may follow."""
    by_id = {draft.id: draft for draft in drafts}
    found: dict[Node, list[Node]] = {}
    calls: list[tuple[str, Node, Node]] = []  # the flow that is called, from where, and where it comes back
    onward: dict[str, set[str]] = {draft.id: set() for draft in drafts}
    for draft in drafts:
        for name, step in draft.steps.items():
            node = (draft.id, name)
            here = [(draft.id, way.target) for way in step.exits() if way.target in draft.steps]
            entries = [
                (there.id, reference.step or there.start or "")
                for reference in step.references()
                if reference.kind is ReferenceKind.FLOW and (there := by_id.get(reference.name))
            ]
            for other, _ in entries:
                if here:
                    calls += [(other, node, back) for back in here]
                else:
                    onward[draft.id].add(other)
            into = [entry for entry in entries if entry[1] in by_id[entry[0]].steps]
            found[node] = into or here
    for called, node, back in calls:
        for end in _ends(called, onward, by_id) or [node]:
            found[end].append(back)
    return found


def _ends(flow: str, onward: Mapping[str, set[str]], drafts: Mapping[str, Draft]) -> list[Node]:
    """The steps at which a call that went into ``flow`` may come to its end."""
    flows, pending = {flow}, [flow]
    while pending:
        more = onward[pending.pop()] - flows
        flows |= more
        pending += more
    return [
        (each, name)
        for each in sorted(flows)
        for name, step in drafts[each].steps.items()
        if any(way.target is None for way in step.exits())
    ]


def after(graph: Mapping[Node, Sequence[Node]], nodes: Sequence[Node]) -> set[Node]:
    """Every step that some call can come to from one of ``nodes``."""
    reached: set[Node] = set()
    pending = [follower for node in nodes for follower in graph.get(node, ())]
    while pending:
        node = pending.pop()
        if node not in reached:
            reached.add(node)
            pending += graph.get(node, ())
    return reached
