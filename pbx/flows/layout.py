"""Where the steps of a flow stand in its picture, and the ways between them.

Laid out in layers (Sugiyama's method): ways that lead back are set aside, every step goes one layer
below the lowest step that leads to it, ways that cross layers get a waypoint in each, and a few sweeps
move everything towards the middle of its neighbours so that few ways cross.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pbx.flows.flow import Flow
from pbx.flows.step import Step

BOX_W, BOX_H = 206.0, 58.0
GAP_Y = 84.0
MARGIN = 28.0
_WAYPOINT_W = 22.0
_GAP_X = 26.0
_SWEEPS = 12


@dataclass(eq=False, slots=True)
class Node:
    """A step, or (``name`` None) a waypoint of a way that crosses a layer."""

    name: str | None
    layer: int
    x: float = 0.0

    @property
    def width(self) -> float:
        return BOX_W if self.name is not None else _WAYPOINT_W

    @property
    def y(self) -> float:
        return MARGIN + self.layer * (BOX_H + GAP_Y)


@dataclass(frozen=True, slots=True)
class Way:
    """One drawn way: the nodes that it passes, from above to below, and its label."""

    nodes: tuple[Node, ...]
    labels: tuple[str, ...]
    leads_back: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """Every step's node, and every way between two."""

    nodes: dict[str, Node]
    ways: tuple[Way, ...]


def layout(flow: Flow) -> Layout:
    """Where everything stands."""
    targets = {name: _targets(flow, step) for name, step in flow.steps.items()}
    back = _leading_back(flow, targets)
    layers = _layers(flow, targets, back)
    nodes = {name: Node(name, layer) for name, layer in layers.items()}
    ways = tuple(_ways(nodes, targets, back))
    _place(_rows(nodes, ways), ways)
    return Layout(nodes, ways)


def _targets(flow: Flow, step: Step) -> dict[str, list[str]]:
    """The steps that a step leads to, each with the labels of the ways there."""
    found: dict[str, list[str]] = {}
    for way in step.exits():
        if way.target is not None and way.target in flow.steps:
            found.setdefault(way.target, []).append(way.label)
    return found


def _leading_back(flow: Flow, targets: Mapping[str, Mapping[str, object]]) -> set[tuple[str, str]]:
    """The ways that close a circle, found depth first from the start."""
    back: set[tuple[str, str]] = set()
    done: set[str] = set()
    for root in (flow.start, *flow.steps):
        if root in done:
            continue
        trail, pending = [root], [iter(targets[root])]
        while pending:
            target = next(pending[-1], None)
            if target is None:
                done.add(trail.pop())
                pending.pop()
            elif target in trail:
                back.add((trail[-1], target))
            elif target not in done:
                trail.append(target)
                pending.append(iter(targets[target]))
    return back


def _layers(
    flow: Flow, targets: Mapping[str, Mapping[str, object]], back: set[tuple[str, str]]
) -> dict[str, int]:
    """Each step one layer below the lowest that leads to it."""
    layers = dict.fromkeys((flow.start, *flow.steps), 0)
    for _ in layers:  # without circles no way is longer than there are steps
        for name, leads_to in targets.items():
            for target in leads_to:
                if (name, target) not in back:
                    layers[target] = max(layers[target], layers[name] + 1)
    return layers


def _ways(
    nodes: Mapping[str, Node], targets: Mapping[str, Mapping[str, list[str]]], back: set[tuple[str, str]]
) -> Iterator[Way]:
    for name, leads_to in targets.items():
        for target, labels in leads_to.items():
            one, other = nodes[name], nodes[target]
            leads_back = (name, target) in back
            if leads_back:
                one, other = other, one
            between = (Node(None, layer) for layer in range(one.layer + 1, other.layer))
            yield Way((one, *between, other), tuple(labels), leads_back)


def _rows(nodes: Mapping[str, Node], ways: Sequence[Way]) -> list[list[Node]]:
    rows: dict[int, list[Node]] = defaultdict(list)
    for node in (*nodes.values(), *(node for way in ways for node in way.nodes[1:-1])):
        rows[node.layer].append(node)
    return [rows[layer] for layer in sorted(rows)]


def _place(rows: Sequence[list[Node]], ways: Sequence[Way]) -> None:
    """Order each row by the middle of its neighbours, above and below in turn, and spread it out."""
    above: dict[Node, list[Node]] = defaultdict(list)
    below: dict[Node, list[Node]] = defaultdict(list)
    for way in ways:
        for upper, lower in pairwise(way.nodes):
            above[lower].append(upper)
            below[upper].append(lower)
    for row in rows:
        _spread(row, {node: float(index) for index, node in enumerate(row)})
    for sweep in range(_SWEEPS):
        neighbours = below if sweep % 2 else above
        for row in reversed(rows) if sweep % 2 else rows:
            wanted = {node: _middle(neighbours[node], node.x) for node in row}
            row.sort(key=wanted.__getitem__)
            _spread(row, wanted)
    left = min(node.x - node.width / 2 for row in rows for node in row)
    for row in rows:
        for node in row:
            node.x += MARGIN - left


def _middle(neighbours: Sequence[Node], default: float) -> float:
    return sum(node.x for node in neighbours) / len(neighbours) if neighbours else default


def _spread(row: Sequence[Node], wanted: Mapping[Node, float]) -> None:
    """As near to where each wants to be as their widths allow, in the row's order."""
    edge = float("-inf")
    for node in row:
        node.x = max(wanted[node], edge + node.width / 2)
        edge = node.x + node.width / 2 + _GAP_X
    # What was pushed to the right takes the whole row half-way back.
    drift = sum(node.x - wanted[node] for node in row) / len(row)
    for node in row:
        node.x -= drift
