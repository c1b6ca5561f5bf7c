"""A flow's inner sense: every target exists, every step can be reached, no loop runs by itself."""

from collections.abc import Collection, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from pbx.config.check import Known
from pbx.config.document import Document, Loc
from pbx.config.flowfile import Draft
from pbx.config.loopcheck import check_loops
from pbx.config.problems import closest, did_you_mean
from pbx.config.reach import check_callers_reach_somebody
from pbx.config.site import PROMPTS_FOLDER, find_audio, in_languages
from pbx.config.trapcheck import check_traps
from pbx.config.valuecheck import check_values
from pbx.config.ways import Node, ways
from pbx.flows.flow import ends_call
from pbx.flows.step import HANGUP, ReferenceKind
from pbx.flows.steps.message import Message

_AUDIO_FILES = (".wav",)


def check_flows(
    drafts: Sequence[Draft], known: Known, folder: Path, today: date, entries: Collection[str]
) -> None:
    """Each flow by itself, what it names outside, and all of them together.

    ``entries``: the flows that numbers and pools name.
    """
    jumps = _jumps(drafts)
    for draft in drafts:
        _check_flow(draft, known, folder, today)
        _check_reachable(draft, [step for flow, step in jumps if flow == draft.id])
    graph = ways(drafts)
    check_loops(drafts, graph)
    check_traps(drafts, graph)
    check_values(drafts, known.names.get(ReferenceKind.QUEUE), graph)
    check_callers_reach_somebody(drafts, entries)


def _jumps(drafts: Sequence[Draft]) -> list[Node]:
    """The steps that a goto of another flow names; it is an error if they do not exist."""
    by_id = {draft.id: draft for draft in drafts}
    found: list[Node] = []
    for draft in drafts:
        for name, reference in draft.references():
            there, step = by_id.get(reference.name), reference.step
            if reference.kind is not ReferenceKind.FLOW or there is None or step is None:
                continue
            found.append((there.id, step))
            if step not in (*there.names, HANGUP):
                message = f"the flow {there.id!r} has no step {step!r}{did_you_mean(step, there.names)}"
                loc = ("steps", name, *reference.loc[:-1], "step")
                draft.document.error(loc, message, code="unknown-name")
    return found


def _check_flow(draft: Draft, known: Known, folder: Path, today: date) -> None:
    """One flow by itself, and what it names outside."""
    _check_start(draft)
    _check_names(draft)
    _check_targets(draft)
    _check_references(draft, known, folder)
    _check_doubts(draft, today)
    _check_texts(draft, known)


def _check_names(draft: Draft) -> None:
    for name in draft.names:
        if name == HANGUP:
            draft.document.error(
                ("steps", name), "no step can be called 'hangup': that target ends the call", at_key=True
            )


def _check_start(draft: Draft) -> None:
    if draft.start is not None and draft.start not in draft.names:
        hint = did_you_mean(draft.start, draft.names)
        draft.document.error(
            ("start",), f"no step {draft.document.shown(('start',))}{hint}", code="unknown-name"
        )


def _check_targets(draft: Draft) -> None:
    for name in draft.names:
        for loc, target in _targets(draft, name):
            if not ends_call(target) and target not in draft.names and loc not in draft.document.broken:
                hint = did_you_mean(target, [*draft.names, HANGUP])
                at_key = loc[-1] == target  # of a mapping from steps, such as a split
                draft.document.error(loc, f"no step {target!r}{hint}", at_key=at_key, code="unknown-name")


def _targets(draft: Draft, name: str) -> Iterator[tuple[Loc, str]]:
    """Where a step can lead, with the place that says so."""
    base: Loc = ("steps", name)
    step = draft.steps.get(name)
    if step is None:  # not readable; ``next`` means the same in all of them
        if (target := draft.document.text((*base, "next"))) is not None:
            yield (*base, "next"), target
        return
    seen: set[Loc] = set()
    for way in step.exits():
        if way.target is None:
            continue
        loc = (*base, *way.loc)
        if way.target not in (draft.document.get(loc), loc[-1]):  # the exit falls back on ``next``
            loc = (*base, "next")
        if loc not in seen:
            seen.add(loc)
            yield loc, way.target


def _mentions(value: Any) -> Iterator[str]:
    """Every text in a step's data: what a step that could not be read may lead to."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (dict, list)):
        for item in (*value.keys(), *value.values()) if isinstance(value, dict) else value:
            yield from _mentions(item)


def _ways(draft: Draft, name: str) -> list[str]:
    """Where a step leads or, if it has faults, was probably meant to lead.

    A misspelt target must not make everything behind it unreachable as well.
    """
    if name in draft.steps and not _has_faults(draft, name):
        return [target for _, target in _targets(draft, name)]
    said = draft.document.get(("steps", name))
    texts = _mentions(list(said.values()) if isinstance(said, dict) else said)
    return [meant for text in texts if (meant := closest(text, draft.names)) is not None]


def _has_faults(draft: Draft, name: str) -> bool:
    """Whether a part of the step's data was left out when it was read."""
    wrong = [problem.line for problem in draft.document.problems if problem.is_error]
    if not wrong:
        return False
    lines = [place.line for loc, place in draft.document.values.items() if loc[:2] == ("steps", name)]
    first, last = min(lines, default=1), max(lines, default=1)
    return any(first <= line <= last for line in wrong)


def _check_reachable(draft: Draft, entries: Sequence[str]) -> None:
    start = closest(draft.start, draft.names) if draft.start is not None else None
    if start is None:
        return
    reached: set[str] = set()
    pending = [start, *entries]
    while pending:
        name = pending.pop()
        if name in reached or name not in draft.names:
            continue
        reached.add(name)
        pending += _ways(draft, name)
    for name in draft.names:
        if name not in reached and name != HANGUP:
            draft.document.error(
                ("steps", name),
                f"no call can reach the step {name!r}; lead a next to it, or remove it",
                at_key=True,
                code="unreachable",
            )


def _check_references(draft: Draft, known: Known, folder: Path) -> None:
    document = draft.document
    for name, reference in draft.references():
        loc = document.nearest(("steps", name, *reference.loc))
        if loc in document.broken:
            continue
        if reference.kind is ReferenceKind.AUDIO:
            _check_audio(document, loc, reference.name, folder)
        elif reference.name not in known.names.get(reference.kind, [reference.name]):
            hint = did_you_mean(reference.name, known.names[reference.kind])
            if reference.kind is ReferenceKind.FLOW and reference.name in draft.names:
                hint = f"; for the step of this flow, write {{step: {reference.name}}}"
            document.error(loc, f"no {reference.kind.value} {document.shown(loc)}{hint}", code="unknown-name")
        elif known.carriers is None:
            continue
        elif reference.kind is ReferenceKind.TRUNK and reference.name not in known.carriers:
            document.error(
                loc,
                f"no call can go out over {document.shown(loc)}: the trunk has no host",
                code="cannot-ring",
            )
        elif reference.kind is ReferenceKind.NUMBER and not known.carriers:
            document.error(
                loc, f"no trunk has a host, so {document.shown(loc)} cannot be called", code="cannot-ring"
            )


def _check_audio(document: Document, loc: Loc, name: str, folder: Path) -> None:
    beside = document.path.parent
    path = find_audio(name, beside, folder) or next(iter(in_languages(name, beside, folder)), None)
    if path is None:
        there = [
            file.name
            for place in (beside, folder / PROMPTS_FOLDER)
            if place.is_dir()
            for file in place.iterdir()
            if file.suffix.lower() in _AUDIO_FILES
        ]
        document.error(
            loc,
            f"no audio file {document.shown(loc)}, neither beside the flow nor in {PROMPTS_FOLDER}/"
            f"{did_you_mean(name, there)}",
            code="audio",
        )
    elif not _is_wav(path):
        document.error(loc, f"{document.shown(loc)} is no WAV file", code="audio")


def _is_wav(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except OSError:
        return False
    return head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE"


def _check_texts(draft: Draft, known: Known) -> None:
    if known.names.get(ReferenceKind.TEXTS, [""]):
        return
    for name, step in draft.steps.items():
        if isinstance(step, Message) and step.via is None:
            draft.document.error(
                ("steps", name),
                "there is no way to send texts; add one to texts in config.yaml",
                code="unknown-name",
            )


def _check_doubts(draft: Draft, today: date) -> None:
    """What the steps find wrong with themselves."""
    for name, step in draft.steps.items():
        for doubt in step.doubts(today):
            loc = ("steps", name, *doubt.loc)
            if doubt.is_error:
                draft.document.error(loc, doubt.message, code=doubt.code)
            else:
                draft.document.warn(loc, doubt.message, code=doubt.code)
