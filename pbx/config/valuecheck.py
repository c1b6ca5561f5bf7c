"""``{values}`` in texts and names in conditions: each must be one that a call can have by then."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pbx.config.document import Document, Loc
from pbx.config.flowfile import Draft
from pbx.config.problems import did_you_mean
from pbx.config.ways import Node, after
from pbx.flows.known import NAMES, QUEUE, QUEUE_NAMES
from pbx.flows.step import Step
from pbx.flows.templates import TemplateFault, template

ANY = "*"


FOUND_OUT = ("tag",)
"""Names of which a call that has just come in can have no value."""


def check_whispers(document: Document) -> None:
    """The whispers of numbers and pools: they know what is known of a call when it comes in."""
    known = [name for name in NAMES if name not in FOUND_OUT]
    for pattern in (("numbers", "*", "whisper"), ("pools", "*", "whisper")):
        for loc in document.matching(*pattern):
            check_text(document, loc, document.text(loc) or "", known, "no call that has just come in")


def check_text(
    document: Document, loc: Loc, text: str, known: Sequence[str], nobody: str = "no call"
) -> None:
    """A text that does not belong to a flow has no other values than these."""
    try:
        names = template(text).names
    except TemplateFault as fault:
        document.error(loc, str(fault))
        return
    for name in names:
        if name not in known:
            document.error(
                loc, f"{nobody} has a value {name!r}{did_you_mean(name, known)}", code="unknown-name"
            )


@dataclass(slots=True)
class _Given:
    """Which steps tell each value; ``prefixes`` belong to steps that tell whatever they are answered."""

    names: dict[str, list[Node]] = field(default_factory=dict)
    prefixes: set[str] = field(default_factory=set)

    def knows(self, name: str) -> bool:
        return name in self.names or any(name.startswith(prefix) for prefix in self.prefixes)


def check_values(
    drafts: Sequence[Draft], queues: Sequence[str] | None, graph: Mapping[Node, Sequence[Node]]
) -> None:
    """``queues``: those that there are; None if that is not known."""
    given = _given(drafts)
    for draft in drafts:
        for name, step in draft.steps.items():
            for loc, asked, at_key in _asked(draft, name, step):
                if fault := _fault(asked, given, queues):
                    draft.document.error(loc, fault, at_key=at_key, code="unknown-name")
                elif asked in given.names and asked not in NAMES:
                    _check_order(draft, name, loc, asked, given.names[asked], graph)


def _given(drafts: Sequence[Draft]) -> _Given:
    given = _Given()
    for draft in drafts:
        for name in draft.names:
            step = draft.steps.get(name)
            if step is None:  # told by itself; it may tell anything
                given.names.setdefault(name, [])
                given.prefixes.add(f"{name}.")
                continue
            tells = step.tells()
            if ANY in tells:
                given.prefixes.add(f"{name}.")
            details = [f"{name}.{detail}" if detail else name for detail in tells if detail != ANY]
            for each in (*details, *step.sets()):
                given.names.setdefault(each, []).append((draft.id, name))
    return given


def _asked(draft: Draft, name: str, step: Step) -> Iterator[tuple[Loc, str, bool]]:
    """Every name that a step needs, where it says so, and whether it is the key there that does."""
    base: Loc = ("steps", name)
    texts = [(loc, text, said.own) for said in step.said() for loc, text, _ in said.texts()]
    texts += [(loc, text, ()) for loc, text in step.templates()]
    for loc, text, own in texts:
        place = draft.document.nearest((*base, *loc))
        try:
            names = template(text).names
        except TemplateFault as fault:
            draft.document.error(place, str(fault))
            continue
        for asked in names:
            if asked not in own:
                yield place, asked, False
    for loc, asked in step.asks():
        yield draft.document.nearest((*base, *loc)), asked, True


def _fault(name: str, given: _Given, queues: Sequence[str] | None) -> str:
    """Why no call ever has a value of that name; "" if one may."""
    if name in NAMES or given.knows(name):
        return ""
    if name.startswith(QUEUE):
        queue, _, figure = name.removeprefix(QUEUE).rpartition(".")
        if queues is not None and queue not in queues:
            return f"no queue {queue!r} in {name!r}{did_you_mean(queue, queues)}"
        if figure in QUEUE_NAMES:
            return ""
        return f"queues tell nothing of {figure!r}{did_you_mean(figure, QUEUE_NAMES)}"
    known = [*NAMES, *given.names]
    return f"no call has a value {name!r}{did_you_mean(name, known)}"


def _check_order(
    draft: Draft,
    step: str,
    loc: Loc,
    asked: str,
    givers: Sequence[Node],
    graph: Mapping[Node, Sequence[Node]],
) -> None:
    here = (draft.id, step)
    if givers and here not in givers and here not in after(graph, givers):
        draft.document.warn(
            loc,
            f"no call has {asked!r} yet when it comes to {step!r}: what tells it never comes before",
            at_key=False,
            code="never",
        )
