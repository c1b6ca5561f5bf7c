"""Texts and audio files that a caller would miss in the language that they are spoken to in.

Theory of operation
-------------------
The languages that a call may have at each step follow from where calls begin (the number's language,
else the flow's, else the server's) and from the steps that set another, along every way that there may
be. What is said at a step must be there in each of them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from pbx.config.document import Document, Loc
from pbx.config.flowfile import Draft
from pbx.config.problems import listed
from pbx.config.site import find_audio
from pbx.config.ways import Node
from pbx.flows.prompts import Said

Languages = Mapping[Node, set[str]]


def check_languages(
    config: Document, drafts: Sequence[Draft], graph: Mapping[Node, Sequence[Node]], folder: Path
) -> None:
    languages = _languages(config, drafts, graph)
    for draft in drafts:
        for name, step in draft.steps.items():
            spoken = sorted(languages.get((draft.id, name), ()))
            for said in step.said():
                if spoken and not said.to_agent:
                    loc = draft.document.nearest(("steps", name, *said.loc))
                    if said.file is not None:
                        _check_file(draft, loc, said.file, spoken, folder)
                    else:
                        _check_words(draft, loc, said, spoken)


def _languages(
    config: Document, drafts: Sequence[Draft], graph: Mapping[Node, Sequence[Node]]
) -> dict[Node, set[str]]:
    """The languages that a call may have when it comes to each step."""
    by_id = {draft.id: draft for draft in drafts}
    server = config.text(("server", "language")) or "en"
    own = {draft.id: draft.document.text(("language",)) or server for draft in drafts}
    pending: list[tuple[Node, str]] = []
    for section in ("numbers", "pools"):
        for loc in config.matching(section, "*"):
            flow = config.text((*loc, "flow"))
            if flow in by_id and (start := by_id[flow].start) is not None:
                pending.append(((flow, start), config.text((*loc, "language")) or own[flow]))
    found: dict[Node, set[str]] = {}
    while pending:
        node, language = pending.pop()
        if language in found.setdefault(node, set()):
            continue
        found[node].add(language)
        step = by_id[node[0]].steps.get(node[1])
        after = (step.language if step else None) or language
        pending += [(follower, after) for follower in graph.get(node, ())]
    return found


def _has(words: Mapping[str, str], language: str) -> bool:
    return language in words or language.partition("-")[0] in words


def _check_words(draft: Draft, loc: Loc, said: Said, spoken: Sequence[str]) -> None:
    if not isinstance(said.words, Mapping):
        if len(spoken) > 1 and not said.ours:
            draft.document.warn(
                loc,
                f"callers in {listed(spoken)} hear the same text;"
                f" write one for each: {{{spoken[0]}: …, {spoken[1]}: …}}",
                at_key=False,
                code="language",
            )
        return
    missing = [language for language in spoken if not _has(said.words, language)]
    if missing:
        draft.document.error(loc, f"no text for callers in {listed(missing)}", code="language")
    for written in said.words:
        needed = any(written in (language, language.partition("-")[0]) for language in spoken)
        if not needed and not said.ours:
            place = (*loc, written) if draft.document.get((*loc, written)) is not None else loc
            message = f"no call is spoken to in {written!r} here; there is {listed(spoken)}"
            draft.document.warn(place, message, code="never")


def _check_file(draft: Draft, loc: Loc, name: str, spoken: Sequence[str], folder: Path) -> None:
    beside = draft.document.path.parent
    without = [each for each in spoken if find_audio(f"{each}/{name}", beside, folder) is None]
    if find_audio(name, beside, folder) is None:
        if without and len(without) < len(spoken):
            draft.document.error(
                loc, f"no audio file {name!r} for callers in {listed(without)}", code="language"
            )
    elif len(without) > 1:
        draft.document.warn(
            loc,
            f"callers in {listed(without)} hear the same file;"
            f" record one for each, such as prompts/{without[0]}/{name}",
            at_key=False,
            code="language",
        )
