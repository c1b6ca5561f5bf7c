"""A call flow: named steps and the one to begin with, as loaded from a file of ``ivr_flows``."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pbx.flows.step import HANGUP, Exit, Step


@dataclass(frozen=True, slots=True)
class Flow:
    """``name`` is the file's title for people; other files refer to a flow by its file name."""

    name: str
    start: str
    steps: dict[str, Step]
    path: Path
    language: str = ""  # of its calls; "" for the server's

    @property
    def id(self) -> str:
        """What config and other flows call it: the file's name without ``.yaml``."""
        return self.path.stem

    def edges(self) -> Iterator[tuple[str, Exit]]:
        """Every way from a step, with the step's name."""
        for name, step in self.steps.items():
            for way in step.exits():
                yield name, way

    def reachable(self) -> set[str]:
        """The steps that some call can come to."""
        found: set[str] = set()
        pending = [self.start]
        while pending:
            name = pending.pop()
            if name in found or name not in self.steps:
                continue
            found.add(name)
            pending += [way.target for way in self.steps[name].exits() if way.target]
        return found


def ends_call(target: str | None) -> bool:
    """Whether a target is no step but the end of the call."""
    return target is None or target == HANGUP
