"""Steps that a caller never gets out of: they wait for keys, and every way leads back among them.

A circle in which nobody is waited for is an error (``dead-loop``). One with a menu in it can run, for as
long as the caller's patience lasts: whatever they press, nobody answers, no message is taken, and the call
does not end. That is told at the first step from which there is no way out.
"""

from collections.abc import Mapping, Sequence

from pbx.config.flowfile import Draft
from pbx.config.problems import listed
from pbx.config.ways import Node, after
from pbx.flows.flow import ends_call
from pbx.flows.step import ReferenceKind
from pbx.flows.steps.collect import Collect
from pbx.flows.steps.menu import Menu


def check_traps(drafts: Sequence[Draft], graph: Mapping[Node, Sequence[Node]]) -> None:
    """Warn of each group of steps without a way out."""
    by_id = {draft.id: draft for draft in drafts}
    told: set[Node] = set()
    for node in _without_way_out(by_id, graph):
        inside = after(graph, [node])
        if node not in inside or node in told or not any(_waits(each, by_id) for each in inside):
            continue  # it only leads there, is told already, or is a dead loop
        told |= inside
        names = [f"{flow}: {name}" if flow != node[0] else name for flow, name in sorted(inside)]
        by_id[node[0]].document.warn(
            ("steps", node[1]),
            f"a caller never gets out of {listed(names)}, and reaches nobody there;"
            " lead a key, or 'otherwise', to somebody or to a voicemail",
            at_key=True,
            code="reaches-nobody",
        )


def _without_way_out(drafts: Mapping[str, Draft], graph: Mapping[Node, Sequence[Node]]) -> list[Node]:
    """The steps from which no call comes to its end, to anybody or to a message; in the files' order."""
    before: dict[Node, list[Node]] = {}
    for node, followers in graph.items():
        for follower in followers:
            before.setdefault(follower, []).append(node)
    ways_out = [node for node in graph if _leads_out(node, drafts, graph)]
    free = {*ways_out, *after(before, ways_out)}
    return [node for node in graph if node not in free]


def _leads_out(node: Node, drafts: Mapping[str, Draft], graph: Mapping[Node, Sequence[Node]]) -> bool:
    """Whether the call can end at this step, or the caller be served; also one that leads into a fault."""
    draft = drafts[node[0]]
    step = draft.steps.get(node[1])
    if step is None:
        return True
    if any(reference.kind is ReferenceKind.FLOW for reference in step.references()):
        return not graph[node]
    if step.takes_input and not isinstance(step, Menu | Collect):
        return True  # it waits for somebody who may talk to the caller
    return not step.exits() or any(
        way.served or ends_call(way.target) or way.target not in draft.steps for way in step.exits()
    )


def _waits(node: Node, drafts: Mapping[str, Draft]) -> bool:
    step = drafts[node[0]].steps.get(node[1])
    return step is not None and step.takes_input
