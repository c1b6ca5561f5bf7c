"""What every step of a flow has in common.

A step is a frozen pydantic model of its YAML mapping. The key that names its kind (``say``,
``menu`` …) is a field of the same name. It declares its exits and what it refers to, so that
``pbx check``, ``pbx graph`` and the simulator know every way out without running it, and it runs
by driving a :class:`~pbx.flows.control.CallControl`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict

from pbx.flows.control import CallControl

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings

HANGUP = "hangup"
"""The target that ends the call; it needs no step and is not part of the path."""


AGAIN = "(again)"
"""The next of a turn that leads back to the very step that took it; the trace shows the step's name."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Where the call goes next (None: the flow ends), and why, in words for an admin.

    ``flow`` names another flow to go on in; then ``next`` is a step of that one, or None for its start.

    ``value`` is what the step found out, kept in the call's values under the step's name; ``details``
    say more, each under ``step.detail``.
    """

    next: str | None
    because: str
    flow: str | None = None
    value: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exit:
    """One way out of a step: under which condition, to which step, and the key path that says so."""

    label: str
    target: str | None
    loc: tuple[str | int, ...]


class ReferenceKind(StrEnum):
    AGENT = "agent"
    QUEUE = "queue"
    TRUNK = "trunk"
    FLOW = "flow"
    AUDIO = "audio"
    NUMBER = "number"
    CONFERENCE = "conference"


@dataclass(frozen=True, slots=True)
class Reference:
    """Something outside the flow that a step names, and the key path where it does."""

    kind: ReferenceKind
    name: str
    loc: tuple[str | int, ...]


class Step(BaseModel):
    """A step; subclasses live one a file in ``pbx/flows/steps`` and are listed in its ``STEPS``."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: ClassVar[str]
    takes_input: ClassVar[bool] = False
    """Whether the step waits for the caller or an agent, so that a loop through it is no dead loop."""

    next: str | None = None

    def exits(self) -> list[Exit]:
        """Every way out, in the order of the file."""
        return [Exit("next", self.next, ("next",))]

    def references(self) -> list[Reference]:
        return []

    @property
    def detail(self) -> str:
        """What the step does in one short line, for pictures and listings."""
        return ""

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        """Do it. ``visit`` counts the consecutive turns that led back to this step (0 at first)."""
        raise NotImplementedError
