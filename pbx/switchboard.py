"""The switchboard: each INVITE that may come in becomes a call, and lives to a closed row.

It is the SIP stack's handler. It decides what the flow cannot (whose number is this, which source,
which flow), runs one task a call, and is the one place where a call's end is given its status.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from media.engine import MediaUnavailable
from media.tts import SpeechUnavailable
from pbx import events
from pbx.arrivals import arrival
from pbx.attestation import NO_CERTIFICATES, Certificates
from pbx.attribution.verdict import NOBODY, Verdict, VisitorMemory, verdict
from pbx.call_ids import new_call_id
from pbx.calls import Equipment, LiveCall
from pbx.clock import SteadyClock
from pbx.config.load import Site
from pbx.events import CallStatus, Direction
from pbx.failures import Failure, failure
from pbx.flows.control import CallFacts
from pbx.flows.interpreter import Surroundings, run
from pbx.flows.outcome import Outcome, Tally, status_of
from pbx.legs import CallerLeg, Leg
from sip import FromAgent, ServerSession, SessionState, SipError
from sip.sdp import Srtp

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Desk:
    """What the site says at one moment; a reload makes a new one, and calls keep theirs."""

    site: Site
    around: Surroundings
    equipment: Equipment
    certificates: Certificates = NO_CERTIFICATES
    visitors: VisitorMemory = NOBODY


Publish = Callable[[events.CallEvent], None]
Body = Callable[[LiveCall, Publish], Awaitable[Outcome]]
TakeAgent = Callable[["Switchboard", Desk, ServerSession], Awaitable[None]]

_NO_MATTER_AFTER_A_TALK = frozenset({"no_rtp", "transport_lost", "server_stopping"})
"""Ways in which the caller's side may end that fail a call only if no agent has talked yet."""


class Switchboard:
    """Takes calls for a site."""

    def __init__(
        self, opened: Callable[[str], Awaitable[object]], take_agent: TakeAgent | None = None
    ) -> None:
        """``opened`` returns once the call's row is safe: nothing is answered before. ``take_agent``
        takes the calls that agents' phones start; without it they are refused."""
        self.desk: Desk | None = None
        self._opened = opened
        self._take_agent = take_agent
        self._ends: dict[str, Callable[[str], None]] = {}  # how each call that is up is ended
        self._tasks: set[asyncio.Task[Any]] = set()
        self._over = False
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def calls(self) -> int:
        """How many are up."""
        return len(self._tasks)

    def invite_received(self, session: ServerSession) -> None:
        if self.desk is None:
            session.reject(503)
            return
        self.spawn(self._take_or_let_go(self.desk, session), session.sip_call_id)

    def spawn(self, life: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run a call's life; the server does not stop before it is over."""
        task = asyncio.get_running_loop().create_task(life, name=name)
        self._tasks.add(task)
        self._idle.clear()
        task.add_done_callback(self._done)
        return task

    @contextmanager
    def ending(self, call_id: str, end: Callable[[str], None]) -> Iterator[None]:
        """Inside, ``end`` is told with a cause when the call is to be over."""
        self._ends[call_id] = end
        if self._over:
            end("server_stopping")
        try:
            yield
        finally:
            self._ends.pop(call_id, None)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not self._tasks:
            self._idle.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("call %s broke down", task.get_name(), exc_info=error)

    async def drain(self, limit_s: float) -> None:
        """Wait for the calls in progress; end those that are left after ``limit_s``."""
        try:
            async with asyncio.timeout(limit_s):
                await self._idle.wait()
        except TimeoutError:
            log.warning("ending %d calls still up after %g s", self.calls, limit_s)
            self._over = True  # also for a call whose row is not safe yet
            for end in tuple(self._ends.values()):
                end("server_stopping")
            await self._idle.wait()

    async def _take_or_let_go(self, desk: Desk, session: ServerSession) -> None:
        """No fault of ours leaves a caller waiting for ever."""
        try:
            await self._take(desk, session)
        except BaseException:
            if session.state is SessionState.PROCEEDING:
                session.reject(500)
            else:
                session.bye()
            raise

    async def _take(self, desk: Desk, session: ServerSession) -> None:
        clock = SteadyClock(desk.equipment.clock)
        desk = replace(desk, equipment=replace(desk.equipment, clock=clock))
        if session.replaces is not None and not isinstance(session.identity, FromAgent):
            session.reject(403)  # who could take over calls that way would need no password
        elif not isinstance(session.identity, FromAgent):
            await self._take_inbound(desk, session)
        elif self._take_agent is not None:
            await self._take_agent(self, desk, session)
        else:
            session.reject(403)

    async def _take_inbound(self, desk: Desk, session: ServerSession) -> None:
        """A call from a trunk: to a number of ours, whose flow it runs."""
        server = desk.site.config.server
        now = desk.equipment.clock.now()
        arrived = arrival(session, desk.site, desk.certificates, now)
        number, from_ = arrived.did, arrived.caller.number
        trunk = getattr(session.identity, "name", "")
        found = verdict(desk.site, number, from_, now, desk.visitors)
        configured = desk.site.config.trunks.get(trunk)
        srtp = Srtp(configured.srtp) if configured else Srtp.OPTIONAL
        by_info = configured is not None and configured.dtmf == "info"
        caller = CallerLeg(desk.equipment.router.exchange, session, srtp=srtp, keys_by_info=by_info)
        facts = CallFacts(
            call_id=new_call_id(now),
            did=number,
            caller=from_,
            source=found.source if found else "unknown",
            flow=found.flow if found else "",
            trunk=trunk,
            whisper=found.whisper if found else "",
            zone=server.zone,
            country=server.country,
            language=desk.site.language(number, found.flow) if found else server.language,
            attestation=arrived.verdict.attestation,
        )
        reasons = found.reasons if found else (f"{number} is neither in numbers nor in a pool",)
        identified = arrived.identified(facts.call_id, now)
        await self.open(desk, facts, caller, reasons, identified=identified, found=found)
        if found is None:
            self.refuse(desk, facts, caller, failure("unknown_number"))
            return
        if caller.is_insecure:
            self.refuse(desk, facts, caller, failure("srtp_required"))
            return
        flow = desk.site.flows[found.flow]
        await self.conduct(desk, facts, caller, lambda call, publish: run(call, flow, desk.around, publish))

    async def open(
        self,
        desk: Desk,
        facts: CallFacts,
        party: Leg,
        reasons: tuple[str, ...],
        direction: Direction = Direction.INBOUND,
        identified: events.CallEvent | None = None,
        found: Verdict | None = None,
    ) -> None:
        """Put a call that came in on record; returns once its row is safe."""
        publish = desk.equipment.publish
        publish(_started(desk, facts, reasons, direction, sip_call_id=party.sip_call_id, found=found))
        if found is not None:
            at = desk.equipment.clock.now()
            desk.visitors.took(facts.call_id, facts.did, facts.caller, found.visitor, found.probability, at)
        if identified is not None:
            publish(identified)
        publish(
            events.LegStarted(
                call_id=facts.call_id,
                at=desk.equipment.clock.now(),
                leg_id=party.id,
                role="caller",
                target=facts.caller,
                agent=party.agent,
                sip_call_id=party.sip_call_id,
            )
        )
        await self._opened(facts.call_id)

    async def record(
        self,
        desk: Desk,
        facts: CallFacts,
        reasons: tuple[str, ...],
        direction: Direction,
        *,
        from_: str,
        to: str,
    ) -> None:
        """Put a call on record that we make, before anybody is rung."""
        desk.equipment.publish(_started(desk, facts, reasons, direction, from_=from_, to=to))
        await self._opened(facts.call_id)

    def refuse(self, desk: Desk, facts: CallFacts, party: Leg, why: Failure, detail: str = "") -> None:
        """End a call that was opened and will not be conducted."""
        party.hang_up(why.sip_status)
        at = desk.equipment.clock.now()
        publish = desk.equipment.publish
        publish(
            events.LegEnded(
                call_id=facts.call_id, at=at, leg_id=party.id, cause=why.cause, sip_status=why.sip_status
            )
        )
        publish(
            events.CallEnded(
                call_id=facts.call_id,
                at=at,
                status=why.call_status or CallStatus.REJECTED,
                cause=why.cause,
                reason=f"{why.text} {detail}".strip(),
            )
        )

    async def conduct(self, desk: Desk, facts: CallFacts, party: Leg, body: Body) -> None:
        """A call from its first verb to its closed row; ``body`` drives it."""
        tally = Tally()

        def publish(event: events.CallEvent) -> None:
            tally.note(event)
            desk.equipment.publish(event)

        call = LiveCall(facts, party, replace(desk.equipment, publish=publish))
        if party.answered:
            publish(events.CallAnswered(call_id=facts.call_id, at=desk.equipment.clock.now()))
        outcome: Outcome | None = None
        try:
            with self.ending(facts.call_id, call.end):
                outcome = await body(call, publish)
        finally:
            cause, why = _cause(outcome, party)
            status = status_of(outcome, tally) if outcome else CallStatus.FAILED
            if why.call_status and not (status is CallStatus.ANSWERED and cause in _NO_MATTER_AFTER_A_TALK):
                status = why.call_status
            detail = (outcome.failure or outcome.reason) if outcome else ""
            try:
                await call.close(cause, why.sip_status)
            finally:
                publish(
                    events.CallEnded(
                        call_id=facts.call_id,
                        at=desk.equipment.clock.now(),
                        status=status,
                        cause=cause,
                        reason=f"{why.text} {detail}".strip(),
                    )
                )


def _started(
    desk: Desk,
    facts: CallFacts,
    reasons: tuple[str, ...],
    direction: Direction,
    *,
    from_: str | None = None,
    to: str | None = None,
    sip_call_id: str = "",
    found: Verdict | None = None,
) -> events.CallStarted:
    return events.CallStarted(
        call_id=facts.call_id,
        at=desk.equipment.clock.now(),
        direction=direction,
        from_=facts.caller if from_ is None else from_,
        to=facts.did if to is None else to,
        trunk=facts.trunk,
        sip_call_id=sip_call_id,
        flow=facts.flow,
        source=facts.source,
        reasons=reasons,
        **(found.origin() if found else {}),
    )


def _cause(outcome: Outcome | None, party: Leg) -> tuple[str, Failure]:
    """The catalogue's name for how the flow ended: what lay beneath a failed step says it best."""
    if outcome is None:
        cause = "flow_error"
    elif outcome.failure is None:
        cause = outcome.cause
    else:
        match outcome.failure.__cause__:
            case MediaUnavailable():
                cause = "media_unavailable"
            case SipError():
                cause = "no_common_codec" if party.offered else "no_offer_answered"
            case SpeechUnavailable():
                cause = "no_speech"
            case _:
                cause = outcome.cause
    return cause, failure(cause)
