"""What queues say of agents, of each other and of themselves, and what the flows ask of them.

Works on the data, like :mod:`pbx.config.check`; a value of the wrong shape is the models' to report.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pbx.config.document import Document, Loc
from pbx.config.fields import parse_duration, seconds
from pbx.config.flowfile import Draft
from pbx.config.problems import did_you_mean
from pbx.config.site import PROMPTS_FOLDER, find_audio
from pbx.config.valuecheck import check_text
from pbx.flows.known import NAMES, QUEUE, QUEUE_NAMES
from pbx.flows.steps.callback import Callback as CallbackStep
from pbx.flows.steps.queue import Queue as QueueStep
from pbx.queues.needs import parse_skill

CHARACTERS_A_SECOND = 15.0


def check_queues(document: Document) -> None:
    """Every queue by itself, and with its agents."""
    for loc in document.matching("queues", "*"):
        queue = document.get(loc)
        if isinstance(queue, dict):
            _check_names(document, loc, queue)
            _check_overflow(document, loc, queue)
            _check_times(document, loc, queue)
            _check_announcements(document, loc, queue)
            _check_strategy(document, loc, queue)
    _check_extensions(document)


def _check_names(document: Document, loc: Loc, queue: Mapping[str, Any]) -> None:
    members = [str(member) for member in _list(queue.get("members"))]
    sources = [str(source[-1]) for source in document.matching("sources", "*")]
    for key, what, known in (("weights", "member", members), ("source_priority", "source", sources)):
        for name in _mapping(queue.get(key)):
            if name not in known:
                document.error(
                    (*loc, key, name),
                    f"no {what} {name!r}{did_you_mean(name, known)}",
                    at_key=True,
                    code="unknown-name",
                )


def _check_overflow(document: Document, loc: Loc, queue: Mapping[str, Any]) -> None:
    queues = [str(other[-1]) for other in document.matching("queues", "*")]
    to = queue.get("overflow_to")
    if not isinstance(to, str):
        return
    if to == loc[-1]:
        document.error((*loc, "overflow_to"), f"{to!r} overflows to itself; name another queue")
    elif to not in queues:
        document.error(
            (*loc, "overflow_to"), f"no queue {to!r}{did_you_mean(to, queues)}", code="unknown-name"
        )
    elif "overflow_after" not in queue and "overflow_length" not in queue:
        document.error(
            (*loc, "overflow_to"),
            f"{loc[-1]!r} never overflows: say when, with overflow_after or overflow_length",
            at_key=True,
        )


def _check_times(document: Document, loc: Loc, queue: Mapping[str, Any]) -> None:
    """What would come only after the caller has left."""
    longest_s = _seconds(queue.get("max_wait", "5m"))
    for key, what in (
        ("overflow_after", "nobody overflows"),
        ("sticky", "nobody but the last agent is ever rung"),
        ("announce_position", "no position is ever announced"),
    ):
        after_s = _seconds(queue.get(key))
        if after_s is not None and longest_s is not None and after_s >= longest_s:
            document.warn((*loc, key), f"{what}: max_wait is over after {longest_s:g} s")


def _check_announcements(document: Document, loc: Loc, queue: Mapping[str, Any]) -> None:
    if queue.get("announce_wait") is True and "announce_position" not in queue:
        document.warn(
            (*loc, "announce_wait"), "the wait is told with the place, which needs announce_position"
        )
    if "announce_every" in queue and not queue.get("announcements"):
        document.warn((*loc, "announce_every"), "there are no announcements")
    every_s = _seconds(queue.get("announce_every", "1m"))
    for index, said in enumerate(_list(queue.get("announcements"))):
        texts = _texts(said.get("say", said) if isinstance(said, dict) else said)
        for text in texts:
            _check_values(document, (*loc, "announcements", index), text)
        lasts_s = max(map(len, texts), default=0) / CHARACTERS_A_SECOND
        if every_s is not None and lasts_s >= every_s:
            document.warn(
                (*loc, "announcements", index),
                f"takes about {lasts_s:.0f} s to say, and announce_every is {every_s:g} s: it never ends",
            )
        if isinstance(said, dict) and isinstance(said.get("play"), str):
            _check_audio(document, (*loc, "announcements", index, "play"), said["play"])

    for key, value in (("say_position", "place"), ("say_wait", "minutes")):
        if any(f"{{{value}}}" not in text for text in _texts(queue.get(key))):
            document.error((*loc, key), f"nobody hears the {value}; write {{{value}}} where it is to be said")


def _texts(words: object) -> list[str]:
    """A text, or those of each language."""
    every = words.values() if isinstance(words, dict) else [words]
    return [text for text in every if isinstance(text, str)]


def _check_values(document: Document, loc: Loc, text: str) -> None:
    """An announcement knows what every call has, and the queues; not what one flow found out."""
    queues = [str(each[-1]) for each in document.matching("queues", "*")]
    known = [*NAMES, *(f"{QUEUE}{name}.{figure}" for name in queues for figure in QUEUE_NAMES)]
    check_text(document, loc, text, known)


def _check_audio(document: Document, loc: Loc, name: str) -> None:
    folder = document.path.parent
    if find_audio(name, folder / PROMPTS_FOLDER, folder) is None:
        document.error(loc, f"no audio file {name!r} in {PROMPTS_FOLDER}/")


def _check_strategy(document: Document, loc: Loc, queue: Mapping[str, Any]) -> None:
    strategy = queue.get("strategy")
    if queue.get("weights") and strategy != "weighted-random":
        document.warn((*loc, "weights"), "weights count only with the strategy weighted-random")
    members = [str(member) for member in _list(queue.get("members"))]
    if strategy == "skills" and members and not any(_skills(document, member) for member in members):
        document.warn((*loc, "strategy"), f"no member of {loc[-1]!r} has skills to choose by")


def _check_extensions(document: Document) -> None:
    owners: dict[str, str] = {}
    for section, what in (("agents", "agent"), ("queues", "queue")):
        for loc in document.matching(section, "*", "extension"):
            extension, name = str(document.get(loc)), str(loc[1])
            owner = owners.setdefault(extension, f"the {what} {name!r}")
            if section == "queues" and owner != f"the queue {name!r}":
                document.error(loc, f"the extension {extension} is {owner}'s already")


# --- what flows ask of queues ----------------------------------------------------------------------


def check_queue_steps(document: Document, drafts: Sequence[Draft]) -> None:
    """Skills that callers are to find must be somebody's, and callbacks need a trunk."""
    for draft in drafts:
        for name, step in draft.steps.items():
            if isinstance(step, QueueStep) and document.data is not None:
                _check_step(document, draft, name, step)
            elif isinstance(step, CallbackStep) and document.data is not None:
                _check_callback(document, draft, name)


def _check_callback(document: Document, draft: Draft, name: str) -> None:
    if not list(document.matching("trunks", "*", "host")):
        draft.document.error(
            ("steps", name), "no trunk has a host, so nobody can be called back", at_key=True
        )


def _check_step(document: Document, draft: Draft, name: str, step: QueueStep) -> None:
    queue = document.get(("queues", step.queue))
    if isinstance(queue, dict):
        _check_needs(document, draft, name, step, queue)
        _check_relax(draft, name, step, queue)
        _check_overflow_exit(draft, name, step, queue)


def _check_needs(
    document: Document, draft: Draft, name: str, step: QueueStep, queue: Mapping[str, Any]
) -> None:
    levels: dict[str, int] = {}
    for member in _list(queue.get("members")):
        for skill, level in _skills(document, str(member)).items():
            levels[skill] = max(level, levels.get(skill, 0))
    needed: list[tuple[Loc, str]] = [(("skills", index), skill) for index, skill in enumerate(step.skills)]
    for wait, skills in step.relax.items():
        needed += [(("relax", wait, index), skill) for index, skill in enumerate(skills)]
    for place, written in needed:
        if written.startswith("{"):
            continue
        skill, least = parse_skill(written)
        loc = ("steps", name, *place)
        if skill not in levels:
            hint = did_you_mean(skill, levels)
            draft.document.error(loc, f"no member of {step.queue!r} has the skill {skill!r}{hint}")
        elif least > levels[skill]:
            best = f"level {least} of {skill!r}; the best is {levels[skill]}"
            draft.document.error(loc, f"no member of {step.queue!r} has {best}")


def _check_relax(draft: Draft, name: str, step: QueueStep, queue: Mapping[str, Any]) -> None:
    longest_s = _seconds(queue.get("max_wait", "5m"))
    for wait in step.relax:
        after_s = _seconds(wait)
        if after_s is not None and longest_s is not None and after_s >= longest_s:
            draft.document.warn(
                ("steps", name, "relax", wait), f"never comes: max_wait is over after {longest_s:g} s"
            )


def _check_overflow_exit(draft: Draft, name: str, step: QueueStep, queue: Mapping[str, Any]) -> None:
    if step.on_overflow is None:
        return
    if "overflow_to" in queue:
        message = f"{step.queue!r} overflows to the queue {queue['overflow_to']!r}, never to this step"
    elif "overflow_after" not in queue and "overflow_length" not in queue:
        message = f"{step.queue!r} never overflows: give it overflow_after or overflow_length"
    else:
        return
    draft.document.warn(("steps", name, "on_overflow"), message)


# --- reading the data ------------------------------------------------------------------------------


def _skills(document: Document, agent: str) -> dict[str, int]:
    """An agent's skills with their levels, as far as they are well formed."""
    skills = document.get(("agents", agent, "skills"))
    if isinstance(skills, dict):
        return {str(name): level for name, level in skills.items() if isinstance(level, int)}
    return dict.fromkeys((str(skill) for skill in _list(skills)), 1)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _seconds(value: object) -> float | None:
    try:
        return seconds(parse_duration(value))
    except ValueError:
        return None
