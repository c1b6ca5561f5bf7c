"""A flow as an SVG picture: what each step is by its shape, its exits, and what went through them.

Shapes follow what steps declare: who can be served there (a pill), what asks the caller (a box with a
bar), what decides by itself (a hexagon), and the rest (a plain box). With traffic, a way is as wide as
its share of the calls, and steps in which callers hung up are marked.

Colours are custom properties with defaults, so that a page can give its own; alone, the picture
follows the reader's light or dark setting.
"""

from collections import defaultdict
from collections.abc import Sequence
from html import escape
from itertools import pairwise

from pbx.flows.flow import Flow, ends_call
from pbx.flows.graph import about, other_flows, short
from pbx.flows.layout import BOX_H, BOX_W, GAP_Y, MARGIN, Node, Way, layout
from pbx.flows.step import Exit, Step
from pbx.flows.steps.collect import Collect
from pbx.flows.steps.menu import Menu
from pbx.flows.traffic import Traffic

_LONGEST = 29
"""Characters that fit into a box."""
_THINNEST, _WIDEST = 1.2, 11.0
_PORTS_W = 0.72
"""The share of a box's width over which its ways begin and end."""

_STYLE = """
  .flow { --p-page: #f7f8fa; --p-box: #ffffff; --p-line: #8a94a6; --p-ink: #1c2430; --p-dim: #5a6577;
    --p-serves: #0b6a75; --p-asks: #b3540c; --p-decides: #3d5aa8; --p-bad: #b3261e; --p-flow: #7aa7ad; }
  @media (prefers-color-scheme: dark) { .flow { --p-page: #0c1313; --p-box: #131c1c; --p-line: #64777a;
    --p-ink: #e3ebe9; --p-dim: #9fb0ad; --p-serves: #58c0ca; --p-asks: #e99a58; --p-decides: #9db4f0;
    --p-bad: #f28b82; --p-flow: #3f7d84; } }
  .flow .page { fill: var(--p-page); }
  .flow .box { fill: var(--p-box); stroke: var(--p-line); stroke-width: 1.3; }
  .flow .serves { stroke: var(--p-serves); } .flow .asks { stroke: var(--p-asks); }
  .flow .decides { stroke: var(--p-decides); } .flow .start { stroke-width: 3; }
  .flow .bar { fill: var(--p-asks); }
  .flow .way { fill: none; stroke: var(--p-line); } .flow .back { stroke-dasharray: 6 4; }
  .flow .busy { stroke: var(--p-flow); stroke-linecap: round; } .flow .unused { opacity: .55; }
  .flow .tip { fill: var(--p-line); }
  .flow text { font: 12px system-ui, sans-serif; fill: var(--p-ink); }
  .flow .name { font-weight: 600; font-size: 13px; } .flow .dim { fill: var(--p-dim); }
  .flow .label { fill: var(--p-dim); font-size: 11px; paint-order: stroke; stroke: var(--p-page);
    stroke-width: 6px; stroke-linejoin: round; }
  .flow .left { fill: var(--p-bad); }
  .flow .left-text { fill: var(--p-page); font-weight: 600; font-size: 11px; }
"""


def svg(flow: Flow, traffic: Traffic | None = None) -> str:
    """A stand-alone SVG document."""
    plan = layout(flow)
    ports = _Ports(plan.ways)
    drawn = _Drawing(flow, traffic, ports)
    everything = [*plan.nodes.values(), *(node for way in plan.ways for node in way.nodes)]
    width = max(node.x + node.width / 2 for node in everything) + MARGIN + 34
    height = max(node.y for node in everything) + BOX_H + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="flow" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" role="img" aria-label="{escape(flow.name)}">',
        f"<title>{escape(flow.name)}</title><style>{_STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        'markerUnits="userSpaceOnUse" orient="auto-start-reverse"><path class="tip" d="M0,0 L8,4 L0,8 z"/>'
        "</marker></defs>",
        '<rect class="page" width="100%" height="100%"/>',
        *(drawn.way(way) for way in plan.ways),
        *(drawn.box(node, flow.steps[name]) for name, node in plan.nodes.items()),
        *(drawn.label(way) for way in plan.ways),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def family(step: Step) -> str:
    """What a step is for whoever looks: it serves the caller, asks, decides by itself, or just does."""
    exits = step.exits()
    if isinstance(step, Menu | Collect):
        return "asks"
    if step.serves or step.takes_input or any(way.served for way in exits):
        return "serves"
    return "decides" if len(exits) > 1 else "plain"


class _Ports:
    """Where ways leave a box below and come into it above: side by side, in the order of where they go."""

    def __init__(self, ways: Sequence[Way]) -> None:
        below: dict[Node, list[Way]] = defaultdict(list)
        above: dict[Node, list[Way]] = defaultdict(list)
        for way in ways:
            if way.nodes[0] is not way.nodes[-1]:
                below[way.nodes[0]].append(way)
                above[way.nodes[-1]].append(way)
        self._at: dict[tuple[int, bool], float] = {}
        self.crowd: dict[int, tuple[int, int]] = {}
        """Of each way: its place among those that begin at the same box, and how many these are."""
        for node, beginning in below.items():
            self._spread(node, beginning, lambda way: way.nodes[1].x, is_end=False)
        for node, ending in above.items():
            self._spread(node, ending, lambda way: way.nodes[-2].x, is_end=True)

    def _spread(self, node: Node, ways: list[Way], towards: object, *, is_end: bool) -> None:
        ordered = sorted(ways, key=towards)  # type: ignore[call-overload]
        for place, way in enumerate(ordered):
            share = (place + 1) / (len(ordered) + 1) - 0.5
            self._at[id(way), is_end] = node.x + share * node.width * _PORTS_W
            if is_end == way.leads_back:
                self.crowd[id(way)] = place, len(ordered)

    def begin(self, way: Way) -> float:
        return self._at[id(way), False]

    def end(self, way: Way) -> float:
        return self._at[id(way), True]


class _Drawing:
    """The parts of one picture."""

    def __init__(self, flow: Flow, traffic: Traffic | None, ports: _Ports) -> None:
        self._flow = flow
        self._traffic = traffic
        self._ports = ports
        self._most = max(traffic.calls.values(), default=0) if traffic else 0

    def _count(self, way: Way) -> int:
        """How many calls took it."""
        if self._traffic is None:
            return 0
        one, other = way.nodes[0].name or "", way.nodes[-1].name or ""
        return self._traffic.ways[(other, one) if way.leads_back else (one, other)]

    def way(self, way: Way) -> str:
        count = self._count(way)
        width, kind = _THINNEST, "way back" if way.leads_back else "way"
        if self._most:  # else there was no traffic that a way could be without
            kind += " busy" if count else " unused"
            width += (_WIDEST - _THINNEST) * count / self._most
        tip = "marker-start" if way.leads_back and way.nodes[0] is not way.nodes[-1] else "marker-end"
        return (
            f'<path class="{kind}" stroke-width="{width:.1f}" {tip}="url(#tip)" d="{self._curve(way)}">'
            f"<title>{escape(self._told(way))}</title></path>"
        )

    def _told(self, way: Way) -> str:
        names = [way.nodes[0].name or "", way.nodes[-1].name or ""]
        one, other = reversed(names) if way.leads_back else names
        calls = f": {_calls(self._count(way))}" if self._traffic is not None else ""
        return f"{one} → {other} ({', '.join(way.labels)}){calls}"

    def _curve(self, way: Way) -> str:
        first, last = way.nodes[0], way.nodes[-1]
        if first is last:
            right, y = first.x + BOX_W / 2, first.y
            return f"M{right:.1f},{y + 40:.1f} c36,8 36,-32 0,-24"
        points = [(self._ports.begin(way), first.y + BOX_H)]
        for node in way.nodes[1:-1]:
            points += [(node.x, node.y), (node.x, node.y + BOX_H)]
        points.append((self._ports.end(way), last.y))
        curve = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
        for (x1, y1), (x2, y2) in pairwise(points):
            middle = (y1 + y2) / 2
            curve += f" C{x1:.1f},{middle:.1f} {x2:.1f},{middle:.1f} {x2:.1f},{y2:.1f}"
        return curve

    def label(self, way: Way) -> str:
        """Near where the way begins; ways that begin side by side have theirs at different heights."""
        text = short(", ".join(way.labels))
        if count := self._count(way):
            text += f" · {count}"
        if way.nodes[0] is way.nodes[-1]:
            x, y = way.nodes[0].x + BOX_W / 2 + 6, way.nodes[0].y + BOX_H + 10
        else:
            place, _ = self._ports.crowd[id(way)]
            share = 0.26 + 0.2 * (place % 3)
            if way.leads_back:
                here, there = self._ports.end(way), way.nodes[-2].x
                y = way.nodes[-1].y - GAP_Y * share
            else:
                here, there = self._ports.begin(way), way.nodes[1].x
                y = way.nodes[0].y + BOX_H + GAP_Y * share
            x = here + (there - here) * _along(share)
        return f'<text class="label" x="{x:.1f}" y="{y + 4:.1f}" text-anchor="middle">{escape(text)}</text>'

    def box(self, node: Node, step: Step) -> str:
        name, kind = node.name or "", family(step)
        left, top = node.x - BOX_W / 2, node.y
        style = f"box {kind}" + (" start" if name == self._flow.start else "")
        ends = _endings(step.exits(), other_flows(step))
        lines = [("name", name), ("dim", about(step)), ("dim", ends)]
        texts = "".join(
            f'<text class="{style_}" x="{node.x:.1f}" y="{top + (20 if ends else 26) + 16 * row:.1f}" '
            f'text-anchor="middle">{escape(_cut(text, 25 if kind == "decides" else _LONGEST))}</text>'
            for row, (style_, text) in enumerate(lines)
            if text
        )
        shape = _shape(kind, style, left, top)
        told = f"{name}: {step.kind} {step.detail}".strip()
        return (
            f'<g class="step" data-step="{escape(name)}" data-kind="{step.kind}" tabindex="0">'
            f"<title>{escape(told + self._figures(name))}</title>{shape}{texts}{self._left(name, node)}</g>"
        )

    def _figures(self, name: str) -> str:
        if self._traffic is None:
            return ""
        left = self._traffic.hung_up[name]
        return f"\n{_calls(self._traffic.calls[name])}" + (f", {left} hung up here" if left else "")

    def _left(self, name: str, node: Node) -> str:
        """The mark of callers who hung up."""
        left = self._traffic.hung_up[name] if self._traffic is not None else 0
        if not left:
            return ""
        text = f"✕ {left}"
        width = 14 + 7 * len(text)
        x, y = node.x + BOX_W / 2 - width + 10, node.y - 9
        return (
            f'<rect class="left" x="{x:.1f}" y="{y:.1f}" width="{width}" height="19" rx="9.5"/>'
            f'<text class="left-text" x="{x + width / 2:.1f}" y="{y + 13.5:.1f}" '
            f'text-anchor="middle">{text}</text>'
        )


def _along(share: float) -> float:
    """How far to the side a way has gone at a share of its height (it is a Bézier curve)."""
    return 3 * share**2 - 2 * share**3


def _calls(count: int) -> str:
    return "1 call" if count == 1 else f"{count} calls"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def _shape(kind: str, style: str, left: float, top: float) -> str:
    right, bottom, middle = left + BOX_W, top + BOX_H, top + BOX_H / 2
    if kind == "decides":
        corner = 13.0
        points = (
            f"M{left:.1f},{middle:.1f} L{left + corner:.1f},{top:.1f} H{right - corner:.1f} "
            f"L{right:.1f},{middle:.1f} L{right - corner:.1f},{bottom:.1f} H{left + corner:.1f} z"
        )
        return f'<path class="{style}" d="{points}"/>'
    rounding = BOX_H / 2 if kind == "serves" else 6
    box = (
        f'<rect class="{style}" x="{left:.1f}" y="{top:.1f}" width="{BOX_W:.0f}" height="{BOX_H:.0f}" '
        f'rx="{rounding:g}"/>'
    )
    bar = f'<rect class="bar" x="{left:.1f}" y="{top + 6:.1f}" width="5" height="{BOX_H - 12:.0f}"/>'
    return box + bar if kind == "asks" else box


def _endings(exits: Sequence[Exit], flows: Sequence[str]) -> str:
    """Where the call ends here, or goes on in another flow."""
    if flows:
        return f"→ flow {', '.join(flows)}"
    ends = [way.label for way in exits if ends_call(way.target)]
    if not exits or ends == ["next"]:
        return "■ ends the call"
    return f"■ {short(', '.join(ends))}" if ends else ""
