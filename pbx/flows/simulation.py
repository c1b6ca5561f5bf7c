"""A whole call, simulated: from the number dialled to its status, by the code that live calls run.

Attribution, interpreter, steps, queues and agent board are the live ones; only the legs are scripted
(:mod:`pbx.flows.simulated`) and the clock is virtual.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pbx import events
from pbx.agents import AgentBoard
from pbx.attribution.verdict import Verdict, verdict
from pbx.clock import VirtualClock
from pbx.config.models import Agent
from pbx.config.site import Site
from pbx.events import CallEvent, CallStatus
from pbx.flows.control import AgentTarget, CallerHistory, CallFacts, DialOutcome, Target
from pbx.flows.crowd import crowd
from pbx.flows.interpreter import Surroundings, run
from pbx.flows.outcome import Outcome, Tally, status_of
from pbx.flows.simulated import ANSWERS, Reaction, Script, SentText, SimulatedCall
from pbx.flows.simulated_callback import SimulatedCallback
from pbx.flows.trace import TraceTurn, trace
from pbx.httpcalls import WebAnswer
from pbx.numbering import normalise
from pbx.queues import Queues

PATIENCE_S = 3600.0
"""When the scripted caller hangs up, if the flow lets them wait for ever."""


class Behaviour(StrEnum):
    """What an agent, or whoever answers a receiving number, does when the phone rings."""

    ANSWER = "answer"
    BUSY = "busy"
    NONE = "none"  # lets it ring
    AWAY = "away"  # no phone is registered
    PAUSED = "paused"  # spared by queues; answers where a flow rings them by name


Agents = Behaviour | Mapping[str, Behaviour]
"""Everybody's behaviour, or that of some; the others answer."""

_REACTIONS = {
    Behaviour.ANSWER: ANSWERS,
    Behaviour.BUSY: Reaction(DialOutcome.BUSY),
    Behaviour.NONE: Reaction(DialOutcome.NO_ANSWER),
    Behaviour.AWAY: Reaction(DialOutcome.UNREACHABLE),
    Behaviour.PAUSED: ANSWERS,
}

CALLBACK_TALK_S = 60.0


class NotOurNumber(ValueError):  # noqa: N818 - a state of the number
    """The number called is neither in ``numbers`` nor in a pool."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """What became of the call. ``rings``: who rang, in the order in which they first did; ``called_back``:
    who rang for the callback that the caller was promised, each time."""

    source: str
    reasons: tuple[str, ...]
    flow: str
    path: tuple[str, ...]
    turns: tuple[TraceTurn, ...]
    rings: tuple[str, ...]
    heard: tuple[str, ...]
    texts: tuple[SentText, ...]
    tags: tuple[str, ...]
    status: CallStatus
    cause: str
    failure: str
    reason: str  # that the flow gave for hanging up
    duration_s: float
    called_back: tuple[str, ...] = ()


def simulate(
    site: Site,
    did: str,
    caller: str,
    at: datetime,
    press: Sequence[str] = (),
    agents: Agents = Behaviour.ANSWER,
    *,
    hang_up_after_s: float | None = None,
    webhooks: Mapping[str, Sequence[WebAnswer]] | None = None,
    waiting: Mapping[str, int] | None = None,
    history: CallerHistory | None = None,
    attestation: str = "",
) -> Simulation:
    """Call ``did`` from ``caller`` at ``at`` (a naive time is the site's). Raises NotOurNumber.

    ``webhooks`` is what steps that ask another program are answered; see :class:`Script`. ``waiting`` is
    how many callers are in front in each queue; see :mod:`pbx.flows.crowd`. ``history`` is what the store
    would know of the caller.
    """
    server = site.config.server
    clock = VirtualClock(at if at.tzinfo else at.replace(tzinfo=server.zone))
    did = normalise(did, server.country) or did
    caller = normalise(caller, server.country) or caller
    found = verdict(site, did, caller, clock.now())
    if found is None:
        raise NotOurNumber(f"{did} is neither in numbers nor in a pool")
    script = Script(
        press=press,
        reacts=lambda target: _REACTIONS[_behaviour(target, agents, site.config.agents)],
        hang_up_after_s=hang_up_after_s or PATIENCE_S,
        webhooks=webhooks or {},
        history=history or CallerHistory(),
    )
    facts = CallFacts(
        call_id="simulated",
        did=did,
        caller=caller,
        source=found.source,
        flow=found.flow,
        trunk=next(iter(site.config.trunks), ""),
        whisper=found.whisper,
        zone=server.zone,
        country=server.country,
        language=site.language(did, found.flow),
        attestation=attestation,
    )
    happened: list[CallEvent] = []
    walked = clock.run(_walk(site, facts, clock, script, agents, waiting or {}, happened))
    return _simulation(found, walked, happened)


@dataclass(frozen=True, slots=True)
class _Walked:
    call: SimulatedCall
    outcome: Outcome
    duration_s: float
    called_back: tuple[str, ...]


async def _walk(
    site: Site,
    facts: CallFacts,
    clock: VirtualClock,
    script: Script,
    agents: Agents,
    waiting: Mapping[str, int],
    happened: list[CallEvent],
) -> _Walked:
    """The call, and then the callback if one was promised."""
    config = site.config

    behaviours = {agent: _behaviour(AgentTarget(agent), agents, config.agents) for agent in config.agents}
    board = AgentBoard(config.agents, clock, lambda agent: behaviours[agent] is not Behaviour.AWAY)
    queues = Queues(config.queues, board, config.agents)
    ring = SimulatedCallback(script.reacts, CALLBACK_TALK_S)
    queues.callbacks.open(ring, clock, happened.append)
    for agent, behaviour in behaviours.items():
        if behaviour is Behaviour.PAUSED:
            board.pause(agent, "", "simulation")
    around = Surroundings.of(site, board, queues)
    async with crowd(waiting, config.queues, queues, board, facts, script):
        call = SimulatedCall(facts, clock, happened.append, script)
        outcome = await run(call, site.flows[facts.flow], around, happened.append)
        duration_s = clock.monotonic()
        await queues.callbacks.settled()
    return _Walked(call, outcome, duration_s, tuple(ring.rang))


def _behaviour(target: Target, agents: Agents, known: Mapping[str, Agent]) -> Behaviour:
    if isinstance(target, AgentTarget):
        agent = known[target.agent]
        if agent.contact is None and agent.password is None:
            return Behaviour.AWAY  # nothing that could register, nothing to ring
    return agents if isinstance(agents, Behaviour) else agents.get(str(target), Behaviour.ANSWER)


def _simulation(found: Verdict, walked: _Walked, happened: Sequence[CallEvent]) -> Simulation:
    call, outcome = walked.call, walked.outcome
    return Simulation(
        source=found.source,
        reasons=found.reasons,
        flow=found.flow,
        path=outcome.path,
        turns=tuple(trace(happened)),
        rings=tuple(dict.fromkeys(call.rang)),
        heard=tuple(call.heard),
        texts=tuple(call.texts),
        tags=tuple(dict.fromkeys(event.tag for event in happened if isinstance(event, events.Tagged))),
        status=status_of(outcome, Tally.of(happened)),
        cause=outcome.cause,
        failure=str(outcome.failure or ""),
        reason=outcome.reason,
        duration_s=walked.duration_s,
        called_back=walked.called_back,
    )
