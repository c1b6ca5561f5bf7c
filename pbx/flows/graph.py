"""A flow as a picture: Mermaid for documents, SVG for looking at.

Both are drawn from what the steps declare (:meth:`~pbx.flows.step.Step.exits`), so a picture cannot
show another way than the one that calls take.

The SVG is laid out in layers (Sugiyama's method): ways that lead back are set aside, every step goes
one layer below the lowest step that leads to it, ways that cross layers get a waypoint in each, and
a few sweeps move everything towards the middle of its neighbours so that few ways cross.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from pbx.flows.flow import Flow, ends_call
from pbx.flows.step import Exit, ReferenceKind, Step

_LONGEST = 38
"""Characters of a step's description that a picture shows."""


def mermaid(flow: Flow) -> str:
    """A Mermaid flowchart."""
    ids = {name: f"s{index}" for index, name in enumerate(flow.steps)}
    lines = ["flowchart TD", f"    start([{_quoted(flow.name)}]) --> {ids[flow.start]}"]
    for name, step in flow.steps.items():
        lines.append(f"    {ids[name]}[{_quoted(name, _about(step))}]")
        for way in step.exits():
            target = "hangup" if way.target is None or ends_call(way.target) else ids[way.target]
            lines.append(f"    {ids[name]} -->|{_quoted(way.label)}| {target}")
        lines += [
            f"    {ids[name]} --> {ids[name]}f[[{_quoted('flow ' + other)}]]" for other in _other_flows(step)
        ]
    lines.append("    hangup((( )))")
    return "\n".join(lines) + "\n"


def _quoted(*parts: str) -> str:
    text = "<br/>".join(escape(part, quote=False) for part in parts if part)
    return '"' + text.replace('"', "#quot;") + '"'


def _about(step: Step) -> str:
    return _short(f"{step.kind} {step.detail}".strip())


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "…"


def _other_flows(step: Step) -> list[str]:
    return [reference.name for reference in step.references() if reference.kind is ReferenceKind.FLOW]


# --- SVG ---------------------------------------------------------------------------------------

_BOX_W, _BOX_H = 252.0, 58.0
_WAYPOINT_W = 28.0
_GAP_X, _GAP_Y = 36.0, 78.0
_MARGIN = 24.0
_SWEEPS = 8


@dataclass(eq=False, slots=True)
class _Node:
    """A step, or (``name`` None) a waypoint of a way that crosses a layer."""

    name: str | None
    layer: int
    x: float = 0.0

    @property
    def width(self) -> float:
        return _BOX_W if self.name is not None else _WAYPOINT_W

    @property
    def y(self) -> float:
        return _MARGIN + self.layer * (_BOX_H + _GAP_Y)


@dataclass(frozen=True, slots=True)
class _Way:
    """One drawn way: the nodes that it passes, from above to below, and its label."""

    nodes: tuple[_Node, ...]
    labels: tuple[str, ...]
    leads_back: bool


def svg(flow: Flow) -> str:
    """A stand-alone SVG document."""
    targets = {name: _targets(flow, step) for name, step in flow.steps.items()}
    back = _leading_back(flow, targets)
    layers = _layers(flow, targets, back)
    nodes = {name: _Node(name, layer) for name, layer in layers.items()}
    ways = list(_ways(nodes, targets, back))
    rows = _rows(nodes, ways)
    _place(rows, ways)
    return _draw(flow, nodes, ways)


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
    nodes: Mapping[str, _Node], targets: Mapping[str, Mapping[str, list[str]]], back: set[tuple[str, str]]
) -> Iterator[_Way]:
    for name, leads_to in targets.items():
        for target, labels in leads_to.items():
            one, other = nodes[name], nodes[target]
            leads_back = (name, target) in back
            if leads_back:
                one, other = other, one
            between = (_Node(None, layer) for layer in range(one.layer + 1, other.layer))
            yield _Way((one, *between, other), tuple(labels), leads_back)


def _rows(nodes: Mapping[str, _Node], ways: Sequence[_Way]) -> list[list[_Node]]:
    rows: dict[int, list[_Node]] = defaultdict(list)
    for node in (*nodes.values(), *(node for way in ways for node in way.nodes[1:-1])):
        rows[node.layer].append(node)
    return [rows[layer] for layer in sorted(rows)]


def _place(rows: Sequence[list[_Node]], ways: Sequence[_Way]) -> None:
    """Order each row by the middle of its neighbours, above and below in turn, and spread it out."""
    above: dict[_Node, list[_Node]] = defaultdict(list)
    below: dict[_Node, list[_Node]] = defaultdict(list)
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
            node.x += _MARGIN - left


def _middle(neighbours: Sequence[_Node], default: float) -> float:
    return sum(node.x for node in neighbours) / len(neighbours) if neighbours else default


def _spread(row: Sequence[_Node], wanted: Mapping[_Node, float]) -> None:
    """As near to where each wants to be as their widths allow, in the row's order."""
    edge = float("-inf")
    for node in row:
        node.x = max(wanted[node], edge + node.width / 2)
        edge = node.x + node.width / 2 + _GAP_X
    # What was pushed to the right takes the whole row half-way back.
    drift = sum(node.x - wanted[node] for node in row) / len(row)
    for node in row:
        node.x -= drift


_STYLE = """
    .box { fill: #ffffff; stroke: #8a94a6; } .start { stroke: #1d6b52; stroke-width: 2; }
    .way { fill: none; stroke: #8a94a6; } .back { stroke-dasharray: 5 4; }
    text { font: 12px system-ui, sans-serif; fill: #1c2430; }
    .name { font-weight: 600; font-size: 13px; } .dim { fill: #5a6577; }
    .label { fill: #5a6577; font-size: 11px; paint-order: stroke; stroke: #f7f8fa; stroke-width: 4px; }
    .page { fill: #f7f8fa; }
"""


def _draw(flow: Flow, nodes: Mapping[str, _Node], ways: Sequence[_Way]) -> str:
    everything = [*nodes.values(), *(node for way in ways for node in way.nodes)]
    width = max(node.x + node.width / 2 for node in everything) + _MARGIN + 28
    height = max(node.y for node in everything) + _BOX_H + _MARGIN + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{escape(flow.name)}">',
        f"<title>{escape(flow.name)}</title><style>{_STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto-start-reverse"><path d="M0,0 L8,4 L0,8 z" fill="#8a94a6"/></marker></defs>',
        '<rect class="page" width="100%" height="100%"/>',
        *(_path(way) for way in ways),
        *(_box(flow, node, flow.steps[name]) for name, node in nodes.items()),
        *(_label(way) for way in ways),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _path(way: _Way) -> str:
    kind = "way back" if way.leads_back else "way"
    if len(way.nodes) == 2 and way.nodes[0] is way.nodes[1]:
        node = way.nodes[0]
        right, y = node.x + _BOX_W / 2, node.y
        curve = f"M{right:.1f},{y + 38:.1f} c34,8 34,-28 0,-20"
        return f'<path class="{kind}" marker-end="url(#tip)" d="{curve}"/>'
    points = [(way.nodes[0].x, way.nodes[0].y + _BOX_H)]
    for node in way.nodes[1:-1]:
        points += [(node.x, node.y), (node.x, node.y + _BOX_H)]
    points.append((way.nodes[-1].x, way.nodes[-1].y))
    curve = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
    for (x1, y1), (x2, y2) in pairwise(points):
        middle = (y1 + y2) / 2
        curve += f" C{x1:.1f},{middle:.1f} {x2:.1f},{middle:.1f} {x2:.1f},{y2:.1f}"
    tip = "marker-start" if way.leads_back else "marker-end"
    return f'<path class="{kind}" {tip}="url(#tip)" d="{curve}"/>'


def _label(way: _Way) -> str:
    """Near where the way begins, so that the labels of a step's ways stand side by side."""
    if way.nodes[0] is way.nodes[-1]:
        x, y = way.nodes[0].x + _BOX_W / 2 + 30, way.nodes[0].y + _BOX_H / 2 + 20
    else:
        near, far = (way.nodes[-1], way.nodes[-2]) if way.leads_back else (way.nodes[0], way.nodes[1])
        share = 0.62
        x = near.x + (far.x - near.x) * share
        y = near.y - _GAP_Y * 0.62 if way.leads_back else near.y + _BOX_H + _GAP_Y * 0.62
    text = escape(_short(", ".join(way.labels)))
    return f'<text class="label" x="{x:.1f}" y="{y:.1f}" text-anchor="middle">{text}</text>'


def _box(flow: Flow, node: _Node, step: Step) -> str:
    left, middle = node.x - _BOX_W / 2, node.x
    name = node.name or ""
    kind = "box start" if name == flow.start else "box"
    lines = [("name", name), ("dim", _about(step)), ("dim", _endings(step.exits(), _other_flows(step)))]
    texts = "".join(
        f'<text class="{style}" x="{middle:.1f}" y="{node.y + 19 + 16 * row:.1f}" text-anchor="middle">'
        f"{escape(text)}</text>"
        for row, (style, text) in enumerate(lines)
        if text
    )
    size = f'width="{_BOX_W:.0f}" height="{_BOX_H:.0f}" rx="6"'
    return f'<rect class="{kind}" x="{left:.1f}" y="{node.y:.1f}" {size}/>{texts}'


def _endings(exits: Sequence[Exit], flows: Sequence[str]) -> str:
    """Where the call ends here, or goes on in another flow."""
    if flows:
        return f"→ flow {', '.join(flows)}"
    ends = [way.label for way in exits if ends_call(way.target)]
    if not exits or ends == ["next"]:
        return "■ ends the call"
    return f"■ {_short(', '.join(ends))}" if ends else ""
