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
from pbx.flows import own_words
from pbx.flows.languages import has_language
from pbx.flows.prompts import Said
from pbx.flows.step import ReferenceKind

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
    _check_queues(config, _of_queues(drafts, languages))


def _of_queues(drafts: Sequence[Draft], languages: Mapping[Node, set[str]]) -> dict[str, set[str]]:
    """The languages that callers in each queue may have, those included who overflow into it."""
    found: dict[str, set[str]] = {}
    for draft in drafts:
        for name, step in draft.steps.items():
            for each in step.references():
                if each.kind is ReferenceKind.QUEUE:
                    found.setdefault(each.name, set()).update(languages.get((draft.id, name), ()))
    return found


def _check_queues(config: Document, spoken: dict[str, set[str]]) -> None:
    """What callers are told while they wait is there in the language of each."""
    queues = list(config.matching("queues", "*"))
    for _ in queues:  # overflows lead on, and on from there
        for loc in queues:
            if (to := config.text((*loc, "overflow_to"))) is not None:
                spoken.setdefault(to, set()).update(spoken.get(str(loc[-1]), ()))
    for loc in queues:
        wanted = sorted(spoken.get(str(loc[-1]), ()))
        for index, said in enumerate(config.get((*loc, "announcements")) or ()):
            words = said.get("say", said) if isinstance(said, Mapping) else said
            _check_queue_words(config, (*loc, "announcements", index), words, wanted)
        for key, told, ours in (
            ("say_position", "announce_position", own_words.POSITION),
            ("say_wait", "announce_wait", own_words.WAIT),
        ):
            if (words := config.get((*loc, key))) is not None:
                _check_queue_words(config, (*loc, key), words, wanted)
            elif config.get((*loc, told)) and (
                missing := [each for each in wanted if not has_language(ours, each)]
            ):
                config.warn(
                    (*loc, told),
                    f"callers in {listed(missing)} hear English; write {key}: {{{missing[0]}: …}}",
                    code="language",
                )


def _check_queue_words(config: Document, loc: Loc, words: object, wanted: Sequence[str]) -> None:
    if isinstance(words, Mapping) and "play" not in words:
        missing = [each for each in wanted if not has_language(words, each)]
        if missing:
            config.error(loc, f"no text for callers in {listed(missing)}", code="language")
    elif isinstance(words, str) and len(wanted) > 1:
        config.warn(
            loc,
            f"callers in {listed(wanted)} hear the same text;"
            f" write one for each: {{{wanted[0]}: …, {wanted[1]}: …}}",
            at_key=False,
            code="language",
        )


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
    missing = [language for language in spoken if not has_language(said.words, language)]
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
