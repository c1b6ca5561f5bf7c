"""An office on a virtual clock: queues, agents and their phones, callers, and all that happened."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pbx import events
from pbx.agents import AgentBoard
from pbx.clock import VirtualClock
from pbx.config.queues import Agent, Queue
from pbx.flows.control import AgentTarget, CallerGone, CallerHistory, DialOutcome, Target
from pbx.flows.simulated import Reaction, Script, SimulatedCall
from pbx.queues import Asking, QueueResult, Queues
from tests.pbx.flows.worlds import facts

ANSWER = Reaction(DialOutcome.ANSWERED, 3.0)
SILENT = Reaction(DialOutcome.NO_ANSWER)
BUSY = Reaction(DialOutcome.BUSY)


def queue(*members: str, **values: object) -> Queue:
    return Queue.model_validate({"members": list(members), **values})


@dataclass
class Office:
    """Queues, agents and their phones, on a virtual clock, with everything that happened."""

    queues: dict[str, Queue]
    agents: tuple[str, ...] = ("alice", "bob")
    reacts: Callable[[str], Reaction] = lambda agent: ANSWER
    away: set[str] = field(default_factory=set)
    skills: Mapping[str, object] = field(default_factory=dict)
    clock: VirtualClock = field(default_factory=VirtualClock)
    happened: list[events.CallEvent] = field(default_factory=list)
    results: dict[str, QueueResult | str] = field(default_factory=dict)
    heard: dict[str, list[str]] = field(default_factory=dict)

    def open(self) -> None:
        self.board = AgentBoard(self.agents, self.clock, lambda agent: agent not in self.away)
        agents = {
            name: Agent.model_validate({"name": name, "skills": self.skills.get(name, [])})
            for name in self.agents
        }
        self.line = Queues(self.queues, self.board, agents)

    async def call(
        self,
        call_id: str,
        name: str = "sales",
        *,
        at: float = 0.0,
        leaves_after: float | None = None,
        talks: float = 60.0,
        agent_hangs_up: bool = True,
        presses: tuple[str, ...] = (),
        last_agent: str = "",
        asking: Asking | None = None,
        source: str = "yellow-pages",
        language: str = "en",
    ) -> None:
        """One caller's whole time; the result is kept under ``call_id``."""
        await asyncio.sleep(at)
        script = Script(
            press=presses,
            reacts=lambda target: self._react(call_id, target),
            talk_s=talks,
            agent_hangs_up=agent_hangs_up,
            hang_up_after_s=leaves_after,
            history=CallerHistory(last_agent=last_agent),
        )
        about = replace(facts(call_id), source=source, language=language)
        call = SimulatedCall(about, self.clock, self.happened.append, script)
        try:
            self.results[call_id] = await self.line.wait(name, call, asking or Asking())
        except CallerGone:
            self.results[call_id] = "left"
        self.heard[call_id] = call.heard

    def _react(self, call_id: str, target: Target) -> Reaction:
        assert isinstance(target, AgentTarget)
        return self.reacts(target.agent)

    def run(self, *calls: Callable[[], object]) -> None:
        async def main() -> None:
            self.open()
            async with asyncio.TaskGroup() as group:
                for make in calls:
                    group.create_task(make())

        self.clock.run(main())

    def rings(self) -> list[tuple[str, str, float]]:
        """Which call rang whom, when."""
        start = VirtualClock().now()
        return [
            (event.call_id, event.target, round((event.at - start).total_seconds()))
            for event in self.happened
            if isinstance(event, events.LegStarted)
        ]

    def talks(self) -> list[tuple[str, str]]:
        return [(e.call_id, e.agent) for e in self.happened if isinstance(e, events.AgentConnected)]
