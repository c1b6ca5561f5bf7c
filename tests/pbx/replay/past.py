"""A past to replay: calls that really ran through a site's flows, with the events that a store would hold."""

import asyncio
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random

from pbx import events
from pbx.agents import AgentBoard
from pbx.clock import VirtualClock
from pbx.config.site import Site
from pbx.events import CallEvent
from pbx.flows.control import CallerHistory, CallFacts, DialOutcome, Target
from pbx.flows.interpreter import Surroundings, run
from pbx.flows.outcome import Tally, status_of
from pbx.flows.simulated import Reaction, Script, SimulatedCall
from pbx.httpcalls import WebAnswer
from pbx.queues import Queues
from pbx.queues.callbacks import Promise, Tried, Try
from pbx.replay.recorded import Happened, RecordedCall, recorded
from pbx.store.encoding import details

MONDAY = datetime(2026, 12, 7, 15, tzinfo=UTC)
DID = "+12125550100"


@dataclass
class Person:
    """A caller of the past, and what they did."""

    after_s: float
    press: list[str] = field(default_factory=list)
    talk_s: float = 60.0
    patience_s: float | None = None
    agent_hangs_up: bool = False
    message_s: float = 8.0
    history: CallerHistory = field(default_factory=CallerHistory)
    answer: WebAnswer = field(default_factory=lambda: WebAnswer(200))


def random_people(random: Random, count: int) -> list[Person]:
    return [
        Person(
            after_s=round(random.uniform(0, 1800), 2),
            press=random.choice([["1"], ["2"], ["9", "1"], ["", "2"], []]),
            talk_s=round(random.uniform(5, 300), 2),
            patience_s=random.choice([None, round(random.uniform(3, 150), 2)]),
            agent_hangs_up=random.random() < 0.3,
        )
        for _ in range(count)
    ]


class Past:
    """Runs people through a site in one shared world; ``happened`` is every event, call by call."""

    def __init__(self, site: Site, people: list[Person], reacts_s: dict[str, float | None]) -> None:
        """``reacts_s``: how long after it rings each agent answers; None lets it ring."""
        self.happened: list[CallEvent] = []
        self._site = site
        self._people = people
        self._reacts_s = reacts_s
        self._clock = VirtualClock(MONDAY)
        self._clock.run(self._all())

    async def _all(self) -> None:
        config = self._site.config
        board = AgentBoard(config.agents, self._clock, lambda agent: True)
        queues = Queues(config.queues, board, config.agents)
        queues.callbacks.open(_called_back, self._clock, lambda event: None)
        around = Surroundings.of(self._site, board, queues)
        await asyncio.gather(*(self._one(n, person, around) for n, person in enumerate(self._people)))

    async def _one(self, number: int, person: Person, around: Surroundings) -> None:
        await self._clock.sleep(person.after_s)
        call_id, site = f"call-{number:03}", self._site
        mine: list[CallEvent] = []

        def publish(event: CallEvent) -> None:
            mine.append(event)
            self.happened.append(event)

        def tell(kind: type[CallEvent], **values: object) -> None:
            publish(kind(call_id=call_id, at=self._clock.now(), **values))

        flow = site.config.numbers[DID].flow
        caller = f"+1212555{number:04}"
        tell(
            events.CallStarted, direction=events.Direction.INBOUND, from_=caller, to=DID, trunk="carrier",
            sip_call_id=call_id, flow=flow, source="radio", reasons=("the radio's number",),
        )  # fmt: skip
        facts = CallFacts(
            call_id=call_id, did=DID, caller=caller, source="radio", flow=flow, trunk="carrier", whisper="",
            zone=site.config.server.zone, country="US",
        )  # fmt: skip
        script = Script(
            press=person.press,
            reacts=self._react,
            talk_s=person.talk_s,
            agent_hangs_up=person.agent_hangs_up,
            message_s=person.message_s,
            hang_up_after_s=person.patience_s or 3600.0,
            history=person.history,
            webhooks={"crm": (person.answer,), "part/crm": (person.answer,)},
        )
        call = SimulatedCall(facts, self._clock, publish, script)
        outcome = await run(call, site.flows[flow], around, publish)
        tell(events.CallEnded, status=status_of(outcome, Tally.of(mine)), cause=outcome.cause, reason="Over.")

    def _react(self, target: Target) -> Reaction:
        after_s = self._reacts_s.get(str(target))
        return Reaction(DialOutcome.NO_ANSWER) if after_s is None else Reaction(DialOutcome.ANSWERED, after_s)

    def calls(self) -> list[RecordedCall]:
        """As they would be read from the store: times to the millisecond, data as JSON."""
        by_call: dict[str, list[Happened]] = {}
        for event in self.happened:
            data = json.loads(json.dumps(details(event), default=str))
            at = event.at.replace(microsecond=event.at.microsecond // 1000 * 1000)
            by_call.setdefault(event.call_id, []).append(Happened(at, event.kind, data))
        found = [recorded(call_id, happened) for call_id, happened in by_call.items()]
        people = {f"call-{number:03}": person for number, person in enumerate(self._people)}
        return [replace(call, history=people[call.id].history) for call in found if call is not None]


async def _called_back(promise: Promise, agent: str, ring_s: float) -> Tried:
    return Tried(Try.TALKED)


def seconds_after(start_s: float) -> datetime:
    return MONDAY + timedelta(seconds=start_s)
