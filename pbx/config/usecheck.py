"""What nothing leads to: flows, queues, agents, sources and prompts that no call can come to need."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from pbx.config.document import Document
from pbx.config.flowfile import Draft
from pbx.config.problems import Problem, Severity
from pbx.config.site import FLOWS_FOLDER, PROMPTS_FOLDER, find_audio, in_languages
from pbx.flows.step import ReferenceKind

_TITLE = "name"
"""What people call something is no mention of anything else."""


def entry_flows(document: Document) -> set[str]:
    """The flows that numbers and pools name: where calls begin."""
    return {
        name
        for section in ("numbers", "pools")
        for loc in document.matching(section, "*", "flow")
        if (name := document.text(loc)) is not None
    }


def check_use(document: Document, drafts: Sequence[Draft], entries: Collection[str]) -> None:
    """Warn of what is never used; two files of one name are an error."""
    named: dict[ReferenceKind, set[str]] = {kind: set() for kind in ReferenceKind}
    for draft in drafts:
        for _, reference in draft.references():
            named[reference.kind].add(reference.name)
    _check_flows(drafts, named[ReferenceKind.FLOW] | set(entries))
    mentioned = set(_mentions(document.data))
    for loc in document.matching("queues", "*"):
        if loc[-1] not in named[ReferenceKind.QUEUE] | mentioned:
            document.warn(loc, f"no flow leads to the queue {loc[-1]!r}", code="unused")
    for loc in document.matching("agents", "*"):
        if loc[-1] not in named[ReferenceKind.AGENT] | mentioned:
            document.warn(loc, f"no queue has the agent {loc[-1]!r}, and no flow dials it", code="unused")
    for loc in document.matching("sources", "*"):
        by_match = document.get((*loc, "match")) is not None
        if loc[-1] not in mentioned and not by_match:
            document.warn(loc, f"no number and no pool is of the source {loc[-1]!r}", code="unused")


def _check_flows(drafts: Sequence[Draft], used: Collection[str]) -> None:
    seen: dict[str, Path] = {}
    for draft in drafts:
        other = seen.setdefault(draft.id, draft.document.path)
        if other is not draft.document.path:
            draft.document.error((), f"{other.name} is the flow {draft.id!r} already", code="twice")
        elif draft.id not in used:
            draft.document.warn((), f"no number, pool or goto leads to the flow {draft.id!r}", code="unused")


def _mentions(value: Any) -> Iterator[str]:
    """Every text of the config but titles: what a part says of another."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _mentions(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key != _TITLE:
                yield from _mentions(item)


def unused_prompts(document: Document, drafts: Sequence[Draft], folder: Path) -> list[Problem]:
    """Audio files beside the flows and in ``prompts/`` that neither a flow nor a queue names."""
    played = {
        (reference.name, draft.document.path.parent)
        for draft in drafts
        for _, reference in draft.references()
        if reference.kind is ReferenceKind.AUDIO
    }
    played |= {(text, folder / FLOWS_FOLDER) for text in _mentions(document.data) if text.endswith(".wav")}
    used = {find_audio(name, beside, folder) for name, beside in played}
    used |= {file for name, beside in played for file in in_languages(name, beside, folder)}
    return [
        Problem(path, 1, 1, "no flow plays this file", Severity.WARNING, "unused")
        for place in (folder / FLOWS_FOLDER, folder / PROMPTS_FOLDER)
        if place.is_dir()
        for path in sorted(place.rglob("*"))
        if path.suffix.lower() == ".wav" and path not in used
    ]
