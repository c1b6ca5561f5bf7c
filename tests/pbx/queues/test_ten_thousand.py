"""Ten thousand callers on a virtual clock, and an office in which everything happens at random.

Agents come and go, pause, log out (by web and by feature code, on the phone meanwhile), refuse, let it ring,
answer late; their phones fail; callers hang up at any moment, leave by key, ask to be called back, and are
transferred back into a queue after their talk; the config is read again in the middle of it. Whatever
happens: no caller is lost and no promise, no busy agent is rung, nobody gets stuck (design, pitfall 8), and
nobody overtakes another of the same priority.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from pbx import events
from pbx.agent_calls import at_work
from pbx.agents import AgentBoard, AgentState, Reservation, by_phone
from pbx.clock import VirtualClock
from pbx.config.queues import Agent, Queue
from pbx.feature_codes import FeatureCall
from pbx.flows.control import AgentTarget, CallerGone, CallerHistory, DialOutcome, Target
from pbx.flows.interpreter import Surroundings
from pbx.flows.simulated import Reaction, Script, SimulatedCall
from pbx.flows.simulated_callback import SimulatedCallback
from pbx.queues import Asking, Needs, QueueEnd, Queues
from pbx.queues.callbacks import CallbackEnd
from pbx.queues.line import Ticket
from pbx.queues.needs import meets
from tests.pbx.flows.worlds import facts

CALLERS = 10_000
HOURS_S = 50 * 3600.0
AGENTS = tuple(f"agent-{number}" for number in range(12))
SKILLS = {
    name: {"sales": 1 + place % 5, **({"spanish": 3} if place % 3 == 0 else {})}
    for place, name in enumerate(AGENTS)
}
ORDINARY = (*([DialOutcome.ANSWERED] * 8), DialOutcome.NO_ANSWER)
MOODS = (*ORDINARY, DialOutcome.BUSY, DialOutcome.DECLINED, DialOutcome.UNREACHABLE, DialOutcome.FAILED)


def queues(random: Random) -> dict[str, Queue]:
    """Three queues; a reload makes other members, strategies and times of them."""

    def queue(**values: object) -> Queue:
        members = random.sample(AGENTS, random.randint(3, 8))
        strategies = ["longest-idle", "round-robin", "top-down", "fewest-calls", "least-talk-time"]
        strategy = random.choice([*strategies, "weighted-random", "skills", "ring-all"])
        return Queue.model_validate(
            {
                "members": members,
                "strategy": strategy,
                "weights": {members[0]: 3},
                "ring_timeout": f"{random.choice([0, 5, 15])}s",
                "wrap_up": f"{random.choice([0, 5, 30])}s",
                "max_wait": f"{random.choice([30, 120, 600])}s",
                "callback_every": "2m",
                "callback_keep": "1h",
                **values,
            }
        )

    return {
        "sales": queue(sticky="20s", source_priority={"google-ads": 5}, autopause=4),
        "support": queue(
            announce_position="30s", announce_wait=True, overflow_after="60s", overflow_to="sales"
        ),
        "desk": queue(max_length=6, overflow_length=4, empty_when="paused"),
    }


class WatchedBoard(AgentBoard):
    """Looks at every reservation in the moment in which it is made."""

    queues: Queues
    faults: list[str]

    def ringing(self, agents: Sequence[str], call_id: str = "") -> Reservation:
        if not call_id:  # an agent's own call
            return super().ringing(agents)
        ticket = next(ticket for ticket in everybody(self.queues) if ticket.call_id == call_id)
        for agent in agents:
            if self.state(agent) is not AgentState.AVAILABLE:
                self.faults.append(f"{agent} is rung while {self.state(agent)}")
            if not may_take(self.queues, agent, ticket):
                self.faults.append(f"{agent} is rung for {call_id}, whom they cannot take")
        for other in everybody(self.queues):
            waits = other.rank < ticket.rank and other.asks
            if waits and any(may_take(self.queues, agent, other) for agent in agents):
                self.faults.append(f"call {ticket.call_id} goes before {other.call_id}")
        return super().ringing(agents, call_id)


def everybody(queues: Queues) -> list[Ticket]:
    return [ticket for name in ("sales", "support", "desk") for ticket in queues.line.tickets(name)]


def may_take(queues: Queues, agent: str, ticket: Ticket) -> bool:
    """The rule, said a second time."""
    kept = ticket.keep_for and ticket.clock() < ticket.keep_until and not ticket.rung[ticket.keep_for]
    if (
        kept
        and ticket.keep_for in queues.line.on_duty(ticket.name, ticket.queue)
        and agent != ticket.keep_for
    ):
        return False
    return (
        agent in ticket.queue.members
        and queues.line.serves(agent, ticket.name)
        and meets(queues.line.skills.get(agent, {}), ticket.needs.after(ticket.waited_s))
    )


class Office:
    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.clock = VirtualClock()
        self.away: set[str] = set()
        self.results: Counter[str] = Counter()
        self.up: dict[str, str] = {}  # by agent: whose leg
        self.joined: Counter[str] = Counter()
        self.left: Counter[str] = Counter()
        self.longest_s: dict[str, float] = {}
        self.board = WatchedBoard(AGENTS, self.clock, lambda agent: agent not in self.away)
        self.agents = {name: Agent(name=name, skills=SKILLS[name]) for name in AGENTS}
        self.queues = self.board.queues = Queues(queues(self.random), self.board, self.agents)
        self.board.faults = []
        self.over = False
        self.promised: Counter[str] = Counter()
        self.kept: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        ring = SimulatedCallback(self.called_back, talk_s=90)
        self.queues.callbacks.open(ring, self.clock, self.heard)
        self.around = Surroundings({}, self.agents, self.queues, self.board, lambda flow, name: None)
        self.codes = 0
        self.came_back = 0

    def heard(self, event: events.CallEvent) -> None:
        match event:
            case events.LegStarted(target=agent, call_id=call_id):
                assert agent not in self.up, f"{agent} rung twice"
                assert self.joined[call_id] > self.left[call_id], "rung after the caller left"
                self.up[agent] = call_id + event.leg_id
            case events.LegEnded(call_id=call_id, leg_id=leg_id):
                agent = next(agent for agent, leg in self.up.items() if leg == call_id + leg_id)
                del self.up[agent]
            case events.QueueJoined(call_id=call_id):
                self.joined[call_id] += 1
            case events.QueueLeft(call_id=call_id):
                self.left[call_id] += 1
                self.longest_s[call_id] = max(event.waited_s, self.longest_s.get(call_id, 0))
            case events.CallbackPromised(call_id=call_id):
                self.promised[call_id] += 1
            case events.CallbackEnded(call_id=call_id, end=end):
                self.kept[call_id] += 1
                self.ends[end] += 1

    def reacts(self, target: Target) -> Reaction:
        assert isinstance(target, AgentTarget)
        return Reaction(self.random.choice(MOODS), self.random.choice([0.0, 0.5, 3.0, 8.0]))

    def called_back(self, target: Target) -> Reaction:
        return Reaction(self.random.choice(MOODS), self.random.choice([0.0, 0.5, 3.0, 8.0]))

    async def caller(self, number: int) -> None:
        random = self.random
        await asyncio.sleep(random.random() * HOURS_S)
        script = Script(
            press=random.choice([(), (), ("1",), ("", "7", "1")]),
            reacts=self.reacts,
            talk_s=random.expovariate(1 / 120),
            agent_hangs_up=random.random() < 0.5,
            hang_up_after_s=random.choice([None, random.random() * 300]),
            history=CallerHistory(last_agent=random.choice(("", *AGENTS))),
        )
        source = random.choice(["google-ads", "yellow-pages"])
        call = SimulatedCall(replace(facts(str(number)), source=source), self.clock, self.heard, script)
        asking = Asking(
            priority=random.choice([None, None, 0, 3]),
            needs=random.choice([Needs(), Needs(((0, {"spanish": 2}), (20, {"sales": 2}), (40, {})))]),
            keys=frozenset(random.choice(["", "1"])),
            leave_if_empty=random.random() < 0.3,
            may_overflow=random.random() < 0.5,
        )
        end = "gone"
        try:
            name = random.choice(["sales", "support", "desk"])
            result = await self.queues.wait(name, call, asking)
            end = str(result.end)
            while result.end is QueueEnd.TALKED and random.random() < 0.2:
                self.came_back += 1
                result = await self.queues.wait(random.choice(["sales", "support"]), call, asking)
            if result.end is QueueEnd.KEY and random.random() < 0.5:
                with self.queues.promise(name, call, f"+1212{number:07}", None):
                    await asyncio.sleep(4)
        except CallerGone:
            pass
        self.results[end] += 1

    async def agents_do_as_they_like(self) -> None:
        while not self.over:
            await asyncio.sleep(self.random.expovariate(1 / 90))
            agent = self.random.choice(AGENTS)
            match self.random.randrange(12):
                case 0:
                    self.away ^= {agent}
                    self.board.notify()
                case 1:
                    self.board.pause(agent, "lunch", "phone")
                case 2 | 3 | 4 | 5 | 6:
                    self.board.resume(agent, "phone")
                    self.away.discard(agent)
                    self.board.notify()
                case 7:
                    self.board.log_out(agent, self.random.choice(["sales", "support"]), "web")
                case 8:
                    for queue in ("sales", "support"):
                        self.board.log_in(agent, queue, "web")
                case _:
                    await self.dials_a_code(agent)

    async def dials_a_code(self, agent: str) -> None:
        """The agent is on the phone for it, and no queue rings them."""
        self.codes += 1
        feature = self.random.choice([by_phone.pause, by_phone.resume, by_phone.log_in, by_phone.log_out])
        call = SimulatedCall(facts(f"code-{self.codes}"), self.clock, lambda event: None, Script())
        it = FeatureCall(agent, None, "", call, self.around, None, None)
        with at_work(self.board, agent):
            await feature(it)
        await asyncio.sleep(self.random.random() * 60)
        await by_phone.log_in(it)

    async def an_admin_reloads(self) -> None:
        while not self.over:
            await asyncio.sleep(self.random.expovariate(1 / 3000))
            self.board.update(self.random.sample(AGENTS, 10))
            self.board.update(AGENTS)
            self.queues.update(queues(self.random), self.agents)

    async def nobody_is_stuck(self) -> None:
        """Now and then: who is free and who asks do not fit together, nor a moment later."""
        while not self.over:
            await asyncio.sleep(self.random.expovariate(1 / 60))
            if suspects := self.unserved():
                await asyncio.sleep(0.01)  # the end of a rest is announced a hair after it
                self.board.faults += [f"{fault} is stuck" for fault in suspects & self.unserved()]

    def unserved(self) -> set[str]:
        free = self.board.free()
        return {
            f"call {ticket.call_id}, though {agent} is free,"
            for ticket in everybody(self.queues)
            if ticket.asks
            for agent in free
            if may_take(self.queues, agent, ticket)
        }

    async def day(self, callers: int) -> None:
        others = [
            asyncio.ensure_future(each)
            for each in (self.agents_do_as_they_like(), self.an_admin_reloads(), self.nobody_is_stuck())
        ]
        async with asyncio.TaskGroup() as group:
            for number in range(callers):
                group.create_task(self.caller(number))
        await self.queues.callbacks.settled()
        self.over = True
        for other in others:
            other.cancel()
        done = await asyncio.gather(*others, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in done), done


def test_ten_thousand_callers():
    """Pitfall 8 of the design, and all the rest at once."""
    office = Office(seed=4)
    office.clock.run(office.day(CALLERS))
    assert office.board.faults == []
    assert office.results.total() == CALLERS, "a caller was lost"
    assert office.joined == office.left, "a place in the line was lost"
    assert office.promised == office.kept, "a promise was lost"
    assert set(office.ends) == set(CallbackEnd), "something never happened"
    assert min(office.codes, office.came_back, len(office.promised)) > 100
    assert everybody(office.queues) == []
    assert office.up == {}, "a leg never ended"
    for view in office.board.snapshot():
        assert view.state not in (AgentState.RINGING, AgentState.TALKING), view
    assert max(office.longest_s.values()) < 1300  # two stays of ten minutes, at most
    assert {*QueueEnd, "gone"} == set(office.results), "something never happened"
    assert office.results[QueueEnd.TALKED] > CALLERS / 8
