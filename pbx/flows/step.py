"""What every step of a flow has in common.

A step is a frozen pydantic model of its YAML mapping. The key that names its kind (``say``,
``menu`` …) is a field of the same name. It declares its exits and what it refers to, so that
``pbx check``, ``pbx graph`` and the simulator know every way out without running it, and it runs
by driving a :class:`~pbx.flows.control.CallControl`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict

from pbx.flows.control import CallControl

if TYPE_CHECKING:
    from pbx.flows.interpreter import Surroundings
    from pbx.flows.prompts import Said

HANGUP = "hangup"
"""The target that ends the call; it needs no step and is not part of the path."""


AGAIN = "(again)"
"""The next of a turn that leads back to the very step that took it; the trace shows the step's name."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Where the call goes next (None: the flow ends), and why, in words for an admin.

    ``flow`` names another flow to go on in; then ``next`` is a step of that one, or None for its start,
    and ``back`` the step of this one to come back to when that flow is over (None: never).

    ``value`` is what the step found out, kept in the call's values under the step's name; ``details``
    say more, each under ``step.detail``; ``sets`` are kept under their own names. ``reason`` is what
    the call's record will say of its end.

    ``way`` is the label of the exit taken; only needed where several lead to the same step.
    """

    next: str | None
    because: str
    flow: str | None = None
    back: str | None = None
    value: str | None = None
    details: Mapping[str, str] = field(default_factory=dict)
    sets: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    way: str = ""


class Hidden(str):
    """A value that the flow may use, and that neither trace nor record show."""

    __slots__ = ()


HIDDEN = "•••"


def shown_value(value: str) -> str:
    """As it may stand in a trace."""
    return HIDDEN if isinstance(value, Hidden) else value


@dataclass(frozen=True, slots=True)
class Exit:
    """One way out of a step: under which condition, to which step, and the key path that says so.

    ``served``: who takes this way has talked to somebody, or left a message or a wish to be called.
    ``closed``: it is the way of those who call outside the hours of business.
    """

    label: str
    target: str | None
    loc: tuple[str | int, ...]
    served: bool = False
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Doubt:
    """What a step finds wrong with itself, beyond its shape; ``code`` is one of pbx.config.codes."""

    code: str
    loc: tuple[str | int, ...]
    message: str
    is_error: bool = False


def fault(loc: tuple[str | int, ...], message: str) -> Doubt:
    """A doubt that leaves no doubt: the step cannot be used like this."""
    return Doubt("value", loc, message, is_error=True)


class ReferenceKind(StrEnum):
    AGENT = "agent"
    QUEUE = "queue"
    TRUNK = "trunk"
    FLOW = "flow"
    AUDIO = "audio"
    NUMBER = "number"
    CONFERENCE = "conference"
    TEXTS = "way to send texts"


@dataclass(frozen=True, slots=True)
class Reference:
    """Something outside the flow that a step names, and the key path where it does.

    Of a flow: ``step`` is where the call goes on in it (None: at its start). A step that has exits as
    well is come back to when that flow ends.
    """

    kind: ReferenceKind
    name: str
    loc: tuple[str | int, ...]
    step: str | None = None


class Step(BaseModel):
    """A step; subclasses live one a file in ``pbx/flows/steps`` and are listed in its ``STEPS``."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    kind: ClassVar[str]
    takes_input: ClassVar[bool] = False
    """Whether the step waits for the caller or an agent, so that a loop through it is no dead loop."""

    serves: ClassVar[bool] = False
    """Whether who leaves it by ``next`` has talked to somebody, or left a message; see :class:`Exit`."""

    example: ClassVar[str] = ""
    """Steps of this kind as an admin would write them, for docs/steps.md."""

    gives: ClassVar[tuple[str, ...]] = ()
    """What its turns tell, for others to use: "" the step's own value, "agent" what stands under
    ``step.agent``, "*" any detail."""

    next: str | None = None

    @property
    def is_meant_to_end(self) -> bool:
        """Whether the admin says that the call is to end here, whomever the caller reached."""
        return False

    def tells(self) -> tuple[str, ...]:
        """What ``gives`` says of its kind, as far as it holds for this very step."""
        return self.gives

    def exits(self) -> list[Exit]:
        """Every way out, in the order of the file."""
        return [Exit("next", self.next, ("next",), served=self.serves)]

    def references(self) -> list[Reference]:
        return []

    def said(self) -> list["Said"]:
        """All that it may say to anybody."""
        return []

    def templates(self) -> list[tuple[tuple[str | int, ...], str]]:
        """The texts beyond those that it says in which ``{values}`` are filled in, with their key paths."""
        return []

    def asks(self) -> list[tuple[tuple[str | int, ...], str]]:
        """The values that it needs beyond those in its texts, with the key paths that name them."""
        return []

    @property
    def language(self) -> str | None:
        """The language that callers are spoken to in from here on, if the step chooses one."""
        return None

    def sets(self) -> list[str]:
        """The values that it keeps under names of their own."""
        return []

    def doubts(self, today: date) -> list[Doubt]:
        """What is wrong with it although it can be read, such as dates that have passed."""
        return []

    @property
    def detail(self) -> str:
        """What the step does in one short line, for pictures and listings."""
        return ""

    async def run(self, call: CallControl, around: "Surroundings", visit: int) -> Turn:
        """Do it. ``visit`` counts the consecutive turns that led back to this step (0 at first)."""
        raise NotImplementedError
