"""Calls that agents start: to a colleague, a queue, a feature code, or out over a trunk.

Theory of operation
-------------------
An INVITE from an agent's phone is read by :mod:`pbx.dialplan`. What may cost money (a number, or a feature
code, queue or flow, which may lead to one) is challenged with 407 unless the password was proved in this very
request, and so is who wants to take over a talk: an address and port can be forged. Then the call is put on
record like one that comes in, and driven by the same verbs, with the agent as its caller.

A call out is attributed to what the customer's own call was attributed to, and shows the number which
they dialled then: :mod:`pbx.callbacks`. While an agent calls, the board has them as talking, so that
no queue rings them.
"""

import asyncio
import logging
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from pbx.agents import AgentBoard
from pbx.attribution.verdict import UNKNOWN
from pbx.call_ids import new_call_id
from pbx.callbacks import call_back_to
from pbx.calls import LiveCall
from pbx.dialplan import Destination, FeatureTarget, FlowTarget, QueueTarget, understand
from pbx.events import Direction, StepEntered, TurnTaken
from pbx.failures import cause_of, failure
from pbx.feature_codes import FeatureCall, dialled_codes, handler
from pbx.flows.control import (
    NOTHING,
    AgentTarget,
    CallerGone,
    CallFacts,
    NumberTarget,
    SentOn,
    agent_of,
)
from pbx.flows.interpreter import run
from pbx.flows.outcome import EndedBy, Outcome, StepFailed
from pbx.flows.single import queue_flow
from pbx.legs import CalledLeg, CallerLeg, Leg, Replaces
from pbx.outbound_rules import NotPermitted, OutboundRules
from pbx.store.earlier import EarlierCalls
from pbx.switchboard import Desk, Publish, Switchboard
from pbx.transfer import Consultation, Swap, referred_alone
from sip import FromAgent, ServerSession
from sip.sdp import Srtp

log = logging.getLogger(__name__)

RING_S = 60.0
"""How long somebody whom an agent calls is rung: the agent's own patience is mostly shorter."""
LOOKUP_LIMIT_S = 1.0


class AgentCalls:
    """Takes what agents' phones dial. One for a server."""

    def __init__(self, earlier: EarlierCalls, rules: OutboundRules) -> None:
        self._earlier = earlier
        self._rules = rules

    async def take(self, switchboard: Switchboard, desk: Desk, session: ServerSession) -> None:
        """The life of a call that an agent's phone began."""
        identity = session.identity
        assert isinstance(identity, FromAgent)
        where = understand(session.did, desk.site, dialled_codes(desk.site.config.feature_codes))
        harmless = session.replaces is None and (where is None or isinstance(where, AgentTarget))
        if not harmless and not identity.authenticated:
            desk.equipment.router.exchange.stack.challenge(session)
            return
        if session.replaces is not None:
            await self._take_over(desk, session, session.replaces)
            return
        agent = identity.owner
        party = _leg_of_phone(desk, session, agent)
        facts, reasons = await self._facts(desk, agent, where, session.did)
        direction = Direction.OUTBOUND if isinstance(where, NumberTarget) else Direction.INTERNAL
        await switchboard.open(desk, facts, party, reasons, direction)
        if where is None:
            switchboard.refuse(desk, facts, party, failure("not_dialable"))
            return
        if party.is_insecure:
            switchboard.refuse(desk, facts, party, failure("srtp_required"))
            return

        async def body(call: LiveCall, publish: Publish) -> Outcome:
            with at_work(desk.around.board, agent):
                return await concluded(self.go(desk, call, publish, agent, where))

        await switchboard.conduct(desk, facts, party, body)

    async def _take_over(self, desk: Desk, session: ServerSession, replaces: Replaces) -> None:
        """An INVITE with Replaces: this phone takes the place of another agent's, which talks, or which we
        ring (RFC 3891 §3: an early dialog that the other began cannot be taken over, as one that is no
        more)."""
        exchange = desk.equipment.router.exchange
        out = exchange.leg_of(replaces)
        rings = isinstance(out, CalledLeg) and not out.outcome.done()
        if out is None or out.agent is None or (out.talk is None and not rings):
            session.reject(481)
            return
        if replaces.early_only and not rings:
            session.reject(486)
            return
        assert isinstance(session.identity, FromAgent)
        into = _leg_of_phone(desk, session, session.identity.owner)
        await into.answer()
        if not await _takes_place(into, out):
            into.hang_up()
            await into.close()

    async def _facts(
        self, desk: Desk, agent: str, where: Destination | None, dialled: str
    ) -> tuple[CallFacts, tuple[str, ...]]:
        server = desk.site.config.server
        who = desk.site.config.agents[agent]
        facts = CallFacts(
            call_id=new_call_id(desk.equipment.clock.now()),
            did=str(where) if where is not None and not isinstance(where, FeatureTarget) else dialled,
            caller=who.extension or agent,
            source=UNKNOWN,
            flow=where.flow if isinstance(where, FlowTarget) else "",
            trunk="",
            whisper="",
            zone=server.zone,
            country=server.country,
        )
        if not isinstance(where, NumberTarget):
            return facts, (f"{who.name} called {facts.did}: a call within the house",)
        back = await call_back_to(where.number, desk.site, self._earlier, agent)
        return replace(facts, source=back.source, presents=back.presents), back.reasons

    async def go(
        self, desk: Desk, call: LiveCall, publish: Publish, agent: str, where: Destination
    ) -> Outcome:
        """Lead the call's party to ``where``; ``agent`` is whose call it is to the outbound rules."""
        try:
            with consulting(call, where):
                return await self._lead(desk, call, publish, agent, where)
        except SentOn as sent:
            flow = desk.site.flows[sent.flow] if isinstance(sent.flow, str) else sent.flow
            return await run(call, flow, desk.around, publish)

    async def _lead(
        self, desk: Desk, call: LiveCall, publish: Publish, agent: str, where: Destination
    ) -> Outcome:
        match where:
            case AgentTarget():
                return await ring_and_talk(desk.around.board, call, where)
            case NumberTarget(number=number):
                try:
                    with self._rules.permit(call.facts.call_id, agent, number):
                        return await ring_and_talk(desk.around.board, call, where)
                except NotPermitted as refusal:
                    return Outcome((), EndedBy.FLOW, refusal.cause)
            case QueueTarget(queue=queue):
                return await run(call, queue_flow(queue), desk.around, publish)
            case FlowTarget(flow=name):
                return await run(call, desk.site.flows[name], desk.around, publish)
            case FeatureTarget():
                return await self._feature(desk, call, publish, agent, where)

    async def _feature(
        self, desk: Desk, call: LiveCall, publish: Publish, agent: str, code: FeatureTarget
    ) -> Outcome:
        feature = handler(code.name)
        went_on: list[Outcome] = []

        async def go_on(dialled: str) -> str:
            where = understand(dialled, desk.site, {})
            if where is None:
                return f"{dialled} cannot be called"
            went_on.append(await self.go(desk, call, publish, agent, where))
            return f"went on to {where}"

        about = {"call_id": call.facts.call_id, "step": feature.name}
        publish(StepEntered(**about, at=call.clock.now(), step_kind="feature"))
        because = await feature.run(
            FeatureCall(
                agent=agent,
                site=desk.site,
                argument=code.argument,
                call=call,
                around=desk.around,
                go_on=go_on,
                last_caller=lambda: self._last_caller(agent),
            )
        )
        publish(TurnTaken(**about, at=call.clock.now(), next=None, because=because))
        return went_on[-1] if went_on else Outcome((feature.name,), EndedBy.FLOW, "feature_ended")

    async def _last_caller(self, agent: str) -> str:
        try:
            async with asyncio.timeout(LOOKUP_LIMIT_S):
                found = await asyncio.to_thread(self._earlier.talked_to, agent)
        except Exception as problem:
            log.error("the last caller of %s is unknown: %r", agent, problem)
            return ""
        return found.caller if found is not None else ""


def _leg_of_phone(desk: Desk, session: ServerSession, agent: str) -> CallerLeg:
    phone = desk.site.config.agents[agent]
    return CallerLeg(
        desk.equipment.router.exchange,
        session,
        agent,
        srtp=Srtp(phone.srtp),
        keys_by_info=phone.dtmf == "info",
    )


async def _takes_place(into: CallerLeg, out: Leg) -> bool:
    """Whether it did: the other may have answered, or gone, meanwhile."""
    if out.talk is None:
        return isinstance(out, CalledLeg) and not into.ended.done() and out.pick_up(into)
    swap = Swap(out, into)
    out.talk.order(swap)
    return await swap.done


@contextmanager
def at_work(board: AgentBoard, agent: str) -> Iterator[None]:
    """The agent is on the phone: queues spare them."""
    with board.ringing([agent]) as held:
        held.connected(agent)
        yield


@contextmanager
def consulting(call: LiveCall, where: Destination) -> Iterator[None]:
    """While an agent's call leads there, a transfer may put another party in their place."""
    agent = call.caller
    if agent.agent is None or isinstance(where, FeatureTarget):
        yield
        return
    consultation = Consultation(where, lambda: call.end("transferred"))
    agent.consultation = consultation
    agent.on_referral = lambda referral: referred_alone(agent, referral, call.leg_of)
    try:
        yield
    finally:
        agent.consultation = None
        if not consultation.over.done():
            consultation.over.set_result(None)


async def ring_and_talk(board: AgentBoard, call: LiveCall, target: AgentTarget | NumberTarget) -> Outcome:
    """Ring somebody for the call's caller; returns when either has hung up, or nobody answers."""
    with board.ringing([target.agent] if isinstance(target, AgentTarget) else []) as held:
        result = await call.dial([target], together=True, timeout_s=RING_S)
        if result.winner is None:
            return Outcome((), EndedBy.FLOW, cause_of(result.outcome))
        held.connected(agent_of(result.winner.target))
        await call.bridge(result.winner, whisper=NOTHING)
    return Outcome((), EndedBy.FLOW, "called_hung_up")


async def concluded(going: Awaitable[Outcome]) -> Outcome:
    """Its outcome; the caller's leaving and failures are outcomes too."""
    try:
        return await going
    except CallerGone as gone:
        return Outcome((), EndedBy.CALLER, gone.cause)
    except Exception as problem:
        broken = StepFailed(f"the call broke down: {problem or type(problem).__name__}")
        broken.__cause__ = problem
        log.error("a call that an agent began failed", exc_info=problem)
        return Outcome((), EndedBy.FAILURE, "flow_error", broken)
