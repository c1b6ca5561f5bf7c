"""Forking: several branches are rung for one caller, and exactly one of them may win.

:class:`Fork` is a pure machine. A branch is any key; the owner performs the actions and feeds back
what became of each branch. Together, all are started at once; in order, the next is started when the
one before was refused or has rung long enough. The first answer wins; whatever else rings is cancelled,
and whoever answers after that (the answer crossed our CANCEL) is ended by BYE. After :meth:`Fork.stop`
nothing is started any more, so that nobody is rung once the caller has left.

A branch is over when it is refused or, after a Cancel, when its owner says so by :class:`Gone`;
:class:`Done` comes last, once, when every branch that was started is over or has won.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, NamedTuple, TypeVar

Branch = TypeVar("Branch", bound=Hashable)


class Mode(Enum):
    TOGETHER = auto()
    IN_ORDER = auto()


class Outcome(Enum):
    """What became of a branch."""

    WON = "answered"
    REFUSED = "refused"
    NO_ANSWER = "rang too long"
    CANCELLED = "another answered, or the caller left"
    NOT_TRIED = "never rung"


@dataclass(frozen=True, slots=True)
class Answered(Generic[Branch]):
    """The branch answered."""

    branch: Branch


@dataclass(frozen=True, slots=True)
class Refused(Generic[Branch]):
    """The branch ended without an answer: a final response, or it could not be reached."""

    branch: Branch


@dataclass(frozen=True, slots=True)
class Expired(Generic[Branch]):
    """The branch has rung as long as it may."""

    branch: Branch


@dataclass(frozen=True, slots=True)
class Gone(Generic[Branch]):
    """A cancelled branch is over."""

    branch: Branch


ForkEvent = Answered[Branch] | Refused[Branch] | Expired[Branch] | Gone[Branch]


class Start(NamedTuple):
    branch: Hashable


class Cancel(NamedTuple):
    branch: Hashable


class Bye(NamedTuple):
    branch: Hashable


class Won(NamedTuple):
    branch: Hashable


class Done(NamedTuple):
    outcomes: tuple[tuple[Hashable, Outcome], ...]


ForkAction = Start | Cancel | Bye | Won | Done


class _State(Enum):
    WAITING = auto()
    RINGING = auto()
    CANCELLING = auto()
    OVER = auto()


@dataclass(slots=True)
class Fork(Generic[Branch]):
    """One round of ringing."""

    branches: Sequence[Branch]
    mode: Mode = Mode.TOGETHER
    winner: Branch | None = None
    _states: dict[Branch, _State] = field(init=False)
    _outcomes: dict[Branch, Outcome] = field(init=False)
    _stopped: bool = field(init=False, default=False)
    _done: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        if len(set(self.branches)) != len(self.branches):
            raise ValueError(f"the same branch twice in {list(self.branches)}")
        self._states = dict.fromkeys(self.branches, _State.WAITING)
        self._outcomes = dict.fromkeys(self.branches, Outcome.NOT_TRIED)

    def start(self) -> list[ForkAction]:
        return self._go_on([])

    def stop(self) -> list[ForkAction]:
        """The caller has left, or time is up: cancel what rings, start nothing any more."""
        self._stopped = True
        return self._go_on(self._cancel_all(Outcome.CANCELLED))

    def feed(self, event: "ForkEvent[Branch]") -> list[ForkAction]:
        state = self._states[event.branch]
        actions: list[ForkAction] = []
        match event:
            case Answered(branch) if state is _State.RINGING and self._can_win:
                self.winner = branch
                self._close(branch, Outcome.WON)
                actions.append(Won(branch))
                actions += self._cancel_all(Outcome.CANCELLED)
            case Answered(branch) if state in (_State.RINGING, _State.CANCELLING):
                self._states[branch] = _State.OVER
                actions.append(Bye(branch))
            case Refused(branch) if state is _State.RINGING:
                self._close(branch, Outcome.REFUSED)
            case Expired(branch) if state is _State.RINGING:
                self._cancel(branch, Outcome.NO_ANSWER, actions)
            case Refused(branch) | Gone(branch) if state is _State.CANCELLING:
                self._states[branch] = _State.OVER
        return self._go_on(actions)

    @property
    def _can_win(self) -> bool:
        return self.winner is None and not self._stopped

    def _cancel_all(self, outcome: Outcome) -> list[ForkAction]:
        actions: list[ForkAction] = []
        for branch, state in self._states.items():
            if state is _State.RINGING:
                self._cancel(branch, outcome, actions)
        return actions

    def _cancel(self, branch: Branch, outcome: Outcome, actions: list[ForkAction]) -> None:
        self._states[branch] = _State.CANCELLING
        self._outcomes[branch] = outcome
        actions.append(Cancel(branch))

    def _close(self, branch: Branch, outcome: Outcome) -> None:
        self._states[branch] = _State.OVER
        self._outcomes[branch] = outcome

    def _go_on(self, actions: list[ForkAction]) -> list[ForkAction]:
        """Start what is due, and say when nothing is left."""
        if self._can_win:
            for branch in self._next():
                self._states[branch] = _State.RINGING
                actions.append(Start(branch))
        underway = any(s in (_State.RINGING, _State.CANCELLING) for s in self._states.values())
        if not underway and not self._done:
            self._done = True
            actions.append(Done(tuple(self._outcomes.items())))
        return actions

    def _next(self) -> list[Branch]:
        waiting = [branch for branch, state in self._states.items() if state is _State.WAITING]
        if self.mode is Mode.TOGETHER:
            return waiting
        ringing = any(state is _State.RINGING for state in self._states.values())
        return [] if ringing else waiting[:1]
