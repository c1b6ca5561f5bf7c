"""A flow as Mermaid text, for documents; :mod:`pbx.flows.picture` draws it for looking at.

Both are drawn from what the steps declare (:meth:`~pbx.flows.step.Step.exits`), so a picture cannot
show another way than the one that calls take.
"""

from html import escape

from pbx.flows.flow import Flow, ends_call
from pbx.flows.step import ReferenceKind, Step

_LONGEST = 38
"""Characters of a step's description that a picture shows."""


def mermaid(flow: Flow) -> str:
    """A Mermaid flowchart."""
    ids = {name: f"s{index}" for index, name in enumerate(flow.steps)}
    lines = ["flowchart TD", f"    start([{_quoted(flow.name)}]) --> {ids[flow.start]}"]
    for name, step in flow.steps.items():
        lines.append(f"    {ids[name]}[{_quoted(name, about(step))}]")
        for way in step.exits():
            target = "hangup" if way.target is None or ends_call(way.target) else ids[way.target]
            lines.append(f"    {ids[name]} -->|{_quoted(way.label)}| {target}")
        lines += [
            f"    {ids[name]} --> {ids[name]}f[[{_quoted('flow ' + other)}]]" for other in other_flows(step)
        ]
    lines.append("    hangup((( )))")
    return "\n".join(lines) + "\n"


def _quoted(*parts: str) -> str:
    text = "<br/>".join(escape(part, quote=False) for part in parts if part)
    return '"' + text.replace('"', "#quot;") + '"'


def about(step: Step) -> str:
    return short(f"{step.kind} {step.detail}".strip())


def short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1].rstrip() + "…"


def other_flows(step: Step) -> list[str]:
    return [reference.name for reference in step.references() if reference.kind is ReferenceKind.FLOW]
