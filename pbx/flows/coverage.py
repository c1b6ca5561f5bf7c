"""Which steps and which exits of the flows a run of flow tests came through.

Both are counted from what steps declare (:meth:`~pbx.flows.step.Step.exits`) and from the traces of
the tests' calls, which name the exit taken. A turn that the caller's leaving broke off took no exit.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pbx.flows.flow import Flow
from pbx.flows.simulation import Simulation
from pbx.flows.step import Exit
from pbx.flows.trace import TraceTurn


@dataclass(frozen=True, slots=True)
class Missed:
    """An exit that no test took."""

    step: str
    way: str
    target: str | None

    def __str__(self) -> str:
        return f"{self.step}: {self.way} → {self.target or '(end)'}"


@dataclass(frozen=True, slots=True)
class FlowCoverage:
    """How much of one flow was come through, and what was not."""

    flow: str
    steps: int
    exits: int
    missed_steps: tuple[str, ...]
    missed_exits: tuple[Missed, ...]

    @property
    def percent(self) -> float:
        """Of the exits: 100 when every way out of every step was taken."""
        return 100.0 * (self.exits - len(self.missed_exits)) / self.exits if self.exits else 100.0


@dataclass(slots=True)
class Coverage:
    """What has been come through so far; feed it each simulation."""

    flows: Mapping[str, Flow]
    _steps: set[tuple[str, str]] = field(default_factory=set)
    _exits: set[tuple[str, str, int]] = field(default_factory=set)

    def note(self, simulation: Simulation) -> None:
        turns = simulation.turns
        finished = turns if simulation.cause == "flow_ended" else turns[:-1]
        for turn in turns:
            self._steps.add(self._place(simulation.flow, turn.step))
        for turn in finished:
            flow, step = self._place(simulation.flow, turn.step)
            exits = self.flows[flow].steps[step].exits()
            self._exits |= {(flow, step, index) for index in _taken(exits, turn, flow)}

    def _place(self, first: str, shown: str) -> tuple[str, str]:
        """The flow and the step of a name in a trace: ``step``, or ``flow/step`` in another flow."""
        if shown in self.flows[first].steps:
            return first, shown
        flow, _, step = shown.partition("/")
        return flow, step

    def report(self) -> list[FlowCoverage]:
        """Flow by flow, in the order of their names."""
        return [self._of(name, self.flows[name]) for name in sorted(self.flows)]

    def _of(self, name: str, flow: Flow) -> FlowCoverage:
        exits = [
            (step, index, way) for step, it in flow.steps.items() for index, way in enumerate(it.exits())
        ]
        return FlowCoverage(
            flow=name,
            steps=len(flow.steps),
            exits=len(exits),
            missed_steps=tuple(step for step in flow.steps if (name, step) not in self._steps),
            missed_exits=tuple(
                Missed(step, way.label, way.target)
                for step, index, way in exits
                if (name, step, index) not in self._exits
            ),
        )


def _taken(exits: list[Exit], turn: TraceTurn, flow: str) -> Iterable[int]:
    """The exit that the turn names or, if it names none, whichever lead where it went."""
    named = [index for index, way in enumerate(exits) if turn.way and way.label == turn.way]
    target = turn.next.removeprefix(f"{flow}/") if turn.next else None
    return named or [index for index, way in enumerate(exits) if way.target == target]
