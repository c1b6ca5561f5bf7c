"""A flow's file: its steps read through the ``STEPS`` table, as far as they can be.

A step's kind is the one key of its mapping that is in ``STEPS``. Steps are read one by one, so
that a fault in one leaves the others to be checked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field

from pbx.config.document import Document, Loc, described
from pbx.config.models import Model
from pbx.config.problems import closest, listed
from pbx.config.shape import build
from pbx.flows.flow import Flow
from pbx.flows.languages import Language
from pbx.flows.step import Reference, ReferenceKind, Step
from pbx.flows.steps import STEPS
from pbx.numbering import normalise


class FlowFile(Model):
    """The frame of the file; the steps are read one by one."""

    name: str | None = Field(None, description="The flow's title for people; else the file's name.")
    language: Language | None = Field(
        None, description="The language of its calls, where the number has none; else the server's."
    )
    start: str = Field(description="The step that calls begin with.")
    steps: dict[str, Any] = Field(min_length=1, description="The steps by name.")


@dataclass
class Draft:
    """What could be read of a flow."""

    document: Document
    frame: FlowFile | None = None
    steps: dict[str, Step] = field(default_factory=dict)

    @cached_property
    def id(self) -> str:
        return self.document.path.stem

    @property
    def names(self) -> list[str]:
        """Every step that the file has, those that could not be read as well."""
        steps = self.document.get(("steps",))
        return list(steps) if isinstance(steps, dict) else []

    @property
    def start(self) -> str | None:
        return self.document.text(("start",))

    def references(self) -> Iterator[tuple[str, Reference]]:
        """What the steps name outside the flow, with the step's name."""
        for name, step in self.steps.items():
            for reference in step.references():
                yield name, reference

    def flow(self) -> Flow:
        """The flow; only for a draft without faults."""
        if self.frame is None:
            raise ValueError(f"{self.document.path} has faults")
        return Flow(
            self.frame.name or self.id,
            self.frame.start,
            self.steps,
            self.document.path,
            self.frame.language or "",
        )


def draft(document: Document, country: str) -> Draft:
    """Read the steps; faults go to the document. Numbers to dial become E.164."""
    result = Draft(document)
    if document.data is None:
        if not document.problems:
            document.error((), "the file is empty; a flow has 'start' and 'steps'")
        return result
    result.frame = build(FlowFile, document)
    for name in result.names:
        if (step := _step(document, ("steps", name))) is not None:
            result.steps[name] = _with_e164(step, document, ("steps", name), country)
    return result


def _step(document: Document, loc: Loc) -> Step | None:
    data = document.get(loc)
    if not isinstance(data, dict):
        document.error(
            loc,
            f"a step is a mapping, such as {{say: Hello, next: menu}}, not {described(data)}",
            code="step",
        )
        return None
    named = kinds(data)
    if not named:
        _no_kind(document, loc, data)
        return None
    if len(named) > 1:
        document.error(
            loc,
            f"{loc[-1]!r} is {listed(named)} at once; make one step of each, linked by next",
            at_key=True,
            code="step",
        )
        return None
    return build(STEPS[named[0]], document, loc)


def kinds(data: Mapping[str, Any]) -> list[str]:
    """The keys that name a step; one that is also a key of another's (``whisper`` of ``dial``) is that."""
    named = [key for key in data if key in STEPS]
    return [
        key for key in named if not any(key in STEPS[other].model_fields for other in named if other != key)
    ]


def _no_kind(document: Document, loc: Loc, data: Mapping[str, Any]) -> None:
    known = {name for step in STEPS.values() for name in step.model_fields}
    strange = [key for key in data if key not in known]
    for key in strange:
        if meant := closest(key, STEPS):
            document.error(
                (*loc, key), f"unknown step {key!r}; did you mean {meant!r}?", at_key=True, code="step"
            )
            return
    steps = listed(sorted(STEPS), "or")
    if strange:
        document.error(
            (*loc, strange[0]), f"unknown step {strange[0]!r}; a step is {steps}", at_key=True, code="step"
        )
    else:
        document.error(
            loc, f"{loc[-1]!r} does not say what it does; it needs {steps}", at_key=True, code="step"
        )


def _with_e164(step: Step, document: Document, loc: Loc, country: str) -> Step:
    """The step with the numbers that it dials normalised; those that cannot be are faults."""
    data = step.model_dump(by_alias=True)
    changed = False
    for reference in step.references():
        if reference.kind is not ReferenceKind.NUMBER:
            continue
        e164 = normalise(reference.name, country)
        if e164 is None:
            report_number(document, (*loc, *reference.loc), country)
        elif e164 != reference.name:
            _put(data, reference.loc, e164)
            changed = True
    return type(step).model_validate(data) if changed else step


def report_number(document: Document, loc: Loc, country: str, *, at_key: bool = False) -> None:
    """Say that what stands at ``loc`` (or its key) cannot be made E.164."""
    shown = repr(loc[-1]) if at_key else document.shown(loc)
    if shown.startswith("'+"):
        message = f"{shown} is no telephone number: its length or country code cannot be"
    else:
        message = f"{shown} is no telephone number of {country}; write a whole one, or + and its country code"
    document.error(loc, message, at_key=at_key, code="number")


def _put(data: Any, loc: Loc, value: str) -> None:
    for part in loc[:-1]:
        data = data[part]
    data[loc[-1]] = value


def flow_files(folder: Path) -> list[Path]:
    """The flows of a folder, by name."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml"))
