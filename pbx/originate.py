"""Calls that the server starts: it rings one party first, then goes on as if they had dialled.

Click to call, a callback out of a queue, a form that asks to be called: somebody is rung (an agent, or
a number over a trunk), and whoever answers becomes the party whom the call serves. What comes then is
what :mod:`pbx.dialplan` can name: a colleague, a number, a queue, a flow.

The call is on record before anybody is rung. With a customer in it, whichever end they are at, it is
outbound, passes the outbound rules, and is attributed like an agent's call back; ``of_call`` names the
call that it answers, where that is known.
"""

import asyncio
import logging
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from pbx import events
from pbx.agent_calls import RING_S, AgentCalls, at_work, concluded
from pbx.attribution.verdict import UNKNOWN
from pbx.call_ids import new_call_id
from pbx.callbacks import call_back_to
from pbx.calls import LiveCall
from pbx.clock import Clock, SteadyClock
from pbx.dialplan import Destination, FeatureTarget, FlowTarget, understand
from pbx.events import CallStatus, Direction
from pbx.failures import cause_of, failure
from pbx.flows.control import (
    AgentTarget,
    CallerGone,
    CallFacts,
    DialResult,
    NumberTarget,
    agent_of,
    unless_gone,
)
from pbx.flows.outcome import Outcome
from pbx.legs import Leg, Nobody
from pbx.outbound_rules import NotPermitted, OutboundRules
from pbx.ringing import Ringing
from pbx.store.earlier import EarlierCalls
from pbx.switchboard import Desk, Publish, Switchboard

log = logging.getLogger(__name__)


class CannotCall(ValueError):  # noqa: N818 - says what is wrong
    """Nobody can be called so; ``field`` is what is at fault."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


@dataclass(frozen=True, slots=True)
class Originated:
    """A call that is being made. ``over`` has its outcome; None if who was rung first did not answer."""

    call_id: str
    over: asyncio.Task[Outcome | None]


class Originator:
    """Starts calls. One for a server; ``switchboard.desk`` must be there."""

    def __init__(
        self, switchboard: Switchboard, agent_calls: AgentCalls, earlier: EarlierCalls, rules: OutboundRules
    ) -> None:
        self._switchboard = switchboard
        self._agent_calls = agent_calls
        self._earlier = earlier
        self._rules = rules

    async def originate(
        self,
        first: AgentTarget | NumberTarget,
        then: Destination,
        *,
        asked_by: str,
        because: str,
        of_call: str = "",
        source: str = "",
        ring_s: float = RING_S,
    ) -> Originated:
        """Ring ``first``; whoever answers is led to ``then``. Returns when the call is on record.

        ``asked_by`` is who is counted by the outbound rules: an agent's id, or a name of the site's for
        calls that no agent asked for. ``because`` stands first among the attribution's reasons; ``source``,
        where it is known, is what the call is attributed to.
        """
        desk = self._switchboard.desk
        if desk is None:
            raise RuntimeError("the server takes no calls yet")
        equipment = replace(desk.equipment, clock=SteadyClock(desk.equipment.clock))
        desk = replace(desk, equipment=equipment)
        call = await self._planned(desk, first, then, asked_by, of_call)
        if source:
            call = replace(call, facts=replace(call.facts, source=source))
        await self._switchboard.record(
            desk, call.facts, (because, *call.reasons), call.direction, from_=call.from_, to=call.to
        )
        life = self._live(desk, call, first, then, asked_by, ring_s)
        return Originated(call.facts.call_id, self._switchboard.spawn(life, call.facts.call_id))

    async def click_to_call(self, agent: str, dialled: str) -> str:
        """Ring the agent, then what they would have dialled. The call's id. Raises CannotCall."""
        desk = self._switchboard.desk
        if desk is None or agent not in desk.site.config.agents:
            raise CannotCall("agent", f"there is no agent {agent[:80]!r}")
        then = understand(dialled, desk.site, {})
        if then is None:
            raise CannotCall("to", f"{dialled[:80]!r} is no extension, queue, flow or number")
        who = desk.site.config.agents[agent].name
        because = f"{who} asked for this call by the dashboard or API"
        return (await self.originate(AgentTarget(agent), then, asked_by=agent, because=because)).call_id

    async def call_back(self, agent: str, number: str, because: str, source: str) -> str:
        """Ring the agent, then a number (E.164) that asked to be called. The call's id. Raises CannotCall."""
        desk = self._switchboard.desk
        if desk is None or agent not in desk.site.config.agents:
            raise CannotCall("agent", f"there is no agent {agent[:80]!r}")
        then = NumberTarget(number, None)
        call = await self.originate(AgentTarget(agent), then, asked_by=agent, because=because, source=source)
        return call.call_id

    async def supervise(self, agent: str, argument: str) -> str:
        """Ring a supervisor and lead them into a call, as the feature code does. Raises CannotCall."""
        desk = self._switchboard.desk
        if desk is None or agent not in desk.site.config.agents:
            raise CannotCall("agent", f"there is no agent {agent[:80]!r}")
        because = f"{desk.site.config.agents[agent].name} was rung into a call to supervise it"
        then = FeatureTarget("supervise", argument)
        return (await self.originate(AgentTarget(agent), then, asked_by=agent, because=because)).call_id

    async def _planned(
        self,
        desk: Desk,
        first: AgentTarget | NumberTarget,
        then: Destination,
        asked_by: str,
        of_call: str,
    ) -> "_Planned":
        """Who is the customer, and what the call is attributed to."""
        server = desk.site.config.server
        agents = desk.site.config.agents
        facts = CallFacts(
            call_id=new_call_id(desk.equipment.clock.now()),
            did=str(then),
            caller=str(first),
            source=UNKNOWN,
            flow=then.flow if isinstance(then, FlowTarget) else "",
            trunk="",
            whisper="",
            zone=server.zone,
            country=server.country,
        )
        if isinstance(first, AgentTarget):
            facts = replace(facts, caller=agents[first.agent].extension or first.agent)
        numbers = [each.number for each in (first, then) if isinstance(each, NumberTarget)]
        if not numbers:
            return _Planned(facts, (), Direction.INTERNAL, facts.caller, facts.did)
        agent = first.agent if isinstance(first, AgentTarget) else asked_by
        back = await call_back_to(
            numbers[0], desk.site, self._earlier, agent if agent in agents else None, of_call=of_call
        )
        facts = replace(facts, source=back.source, presents=back.presents)
        if isinstance(first, AgentTarget):
            return _Planned(facts, back.reasons, Direction.OUTBOUND, facts.caller, facts.did)
        # To the flow, a customer whom we rang is the caller of the number that they once called.
        facts = replace(facts, did=back.presents)
        return _Planned(facts, back.reasons, Direction.OUTBOUND, back.presents, first.number)

    async def _live(
        self,
        desk: Desk,
        planned: "_Planned",
        first: AgentTarget | NumberTarget,
        then: Destination,
        asked_by: str,
        ring_s: float,
    ) -> Outcome | None:
        facts = planned.facts
        with ExitStack() as held:
            try:
                if isinstance(first, NumberTarget):
                    held.enter_context(self._rules.permit(facts.call_id, asked_by, first.number))
            except NotPermitted as refusal:
                self._nobody(desk, facts, refusal.cause)
                return None
            agent = agent_of(first)
            if agent is not None:
                held.enter_context(at_work(desk.around.board, agent))
            outset = _Outset(facts, desk.equipment.clock, Nobody(desk.equipment.router.exchange, str(then)))
            with self._switchboard.ending(facts.call_id, outset.end):
                leg, cause = await _rung(outset, desk, first, ring_s)
            if leg is None:
                self._nobody(desk, facts, cause)
                return None
            outcomes: list[Outcome] = []

            async def body(call: LiveCall, publish: Publish) -> Outcome:
                going = self._agent_calls.go(desk, call, publish, agent or asked_by, then)
                outcomes.append(await concluded(going))
                return outcomes[-1]

            await self._switchboard.conduct(desk, facts, leg, body)
            return outcomes[-1] if outcomes else None

    def _nobody(self, desk: Desk, facts: CallFacts, cause: str) -> None:
        """Who was rung first did not answer: the call is over."""
        why = failure(cause)
        desk.equipment.publish(
            events.CallEnded(
                call_id=facts.call_id,
                at=desk.equipment.clock.now(),
                status=why.call_status or CallStatus.MISSED,
                cause=cause,
                reason=why.text,
            )
        )


@dataclass(frozen=True, slots=True)
class _Planned:
    facts: CallFacts
    reasons: tuple[str, ...]
    direction: Direction
    from_: str
    to: str


@dataclass(slots=True)
class _Outset:
    """The call while its first party rings: what :class:`~pbx.ringing.Ringing` needs of one."""

    facts: CallFacts
    clock: Clock
    caller: Nobody
    gone: asyncio.Future[str] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def end(self, cause: str) -> None:
        if not self.gone.done():
            self.gone.set_result(cause)


async def _rung(
    outset: _Outset, desk: Desk, first: AgentTarget | NumberTarget, ring_s: float
) -> tuple[Leg | None, str]:
    """The leg that answered; else None and why."""
    equipment = desk.equipment
    ringing = Ringing(
        outset, equipment.router, equipment.publish, early_media=False, rules=equipment.transfers
    )
    try:
        going = ringing.run([first], together=True, timeout_s=ring_s)
        result: DialResult = await unless_gone(outset.gone, going)
    except CallerGone as gone:
        await ringing.close(keep_winner=False)
        return None, gone.cause
    except BaseException:
        await ringing.close(keep_winner=False)
        raise
    await ringing.close(keep_winner=True)
    return ringing.winner, cause_of(result.outcome)
