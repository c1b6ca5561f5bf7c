"""Ringing: several targets, together or in order, until one answers or none will.

An agent with several registered phones is one target with several legs, which ring together.
The first leg to answer wins; every other is cancelled at once (a phone that answered in the same
instant is acknowledged and ended by its session). :meth:`Ringing.close` ends whatever still rings
and must be called whatever happened, so that nobody is rung after the caller left.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol

from media.engine import Edge, EndpointStats, Tone
from pbx import events
from pbx.clock import Clock
from pbx.failures import cause_of, outcome_of
from pbx.flows.control import (
    AnsweredLeg,
    Attempt,
    CallFacts,
    DialOutcome,
    DialResult,
    Target,
    agent_of,
    says_most,
)
from pbx.legs import CalledLeg, CallerLeg, Destination, Exchange, Leg, figures
from pbx.outbound_rules import NotPermitted
from pbx.redirection import MOST, Chain, Contact, Diversion, follow, target_of
from pbx.transfer import TransferRules

log = logging.getLogger(__name__)


class Unroutable(Exception):  # noqa: N818 - a state of the target, not a fault of ours
    """Nowhere to send the INVITE; ``cause`` is a pbx.failures name."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause


class RungFor(Protocol):
    """The call for which somebody is rung."""

    @property
    def caller(self) -> Leg: ...

    @property
    def facts(self) -> CallFacts: ...

    @property
    def clock(self) -> Clock: ...


class Router(Protocol):
    """Knows where targets are reached."""

    exchange: Exchange

    def destinations(self, target: Target) -> Sequence[Destination]:
        """Every phone of the target. Raises Unroutable."""
        ...

    def caller_id(self, call: RungFor, target: Target) -> str:
        """The From of the INVITE to ``target``."""
        ...

    def number_from(self, trunk: str, text: str) -> str | None:
        """A number (E.164) that the trunk sent; None for what is none."""
        ...

    def diversion(self, call: RungFor, by: Target, because: str, target: Target) -> str:
        """The Diversion that tells ``target`` who sent the call on, as far as they may know."""
        ...


@dataclass(slots=True)
class _Rung:
    """A target and its legs."""

    target: Target
    legs: list[CalledLeg]
    outcome: DialOutcome = DialOutcome.UNREACHABLE
    sip_status: int | None = None
    chain: Chain = field(default_factory=Chain)

    def lost(self, outcome: DialOutcome, sip_status: int | None) -> None:
        """One of its legs did not win: of several, the one that says most counts."""
        if self.outcome is not DialOutcome.ANSWERED and says_most([self.outcome, outcome]) is outcome:
            self.outcome, self.sip_status = outcome, sip_status


class Ringing:
    """One round of ringing for one call."""

    def __init__(
        self,
        call: RungFor,
        router: Router,
        publish: Callable[[events.CallEvent], None],
        *,
        early_media: bool = True,
        rules: TransferRules | None = None,
        on_ringing: Callable[[], None] | None = None,
    ) -> None:
        """``early_media``: whether a phone's own ringback may take the place of ours. ``rules`` say
        where the call may be sent on to; without them, nowhere. ``on_ringing`` is told when a phone rings."""
        self._on_ringing = on_ringing
        self._call = call
        self._router = router
        self._publish = publish
        self._rules = rules
        self._takes_early_media = early_media
        self._up: dict[str, CalledLeg | CallerLeg] = {}
        self._one_leg = False  # in this round
        self._rung: list[str] = []  # in this round
        self._early: asyncio.Task[None] | None = None
        self.winner: CalledLeg | CallerLeg | None = None

    async def run(self, targets: Sequence[Target], *, together: bool, timeout_s: float) -> DialResult:
        await self._call.caller.prepare_to_ring()
        rounds = [list(targets)] if together else [[target] for target in targets]
        attempts: list[Attempt] = []
        for group in rounds:
            self._one_leg = len(group) == 1
            self._rung = [str(target) for target in group]
            rung = [_Rung(target, await self._start(target)) for target in group]
            await self._until_answered(rung, timeout_s)
            attempts += [Attempt(r.target, r.outcome, r.sip_status) for r in rung]
            await self._end_early_media()
            if self.winner is not None:
                answered = AnsweredLeg(self.winner.id, self._won_by(rung, self.winner))
                return DialResult(DialOutcome.ANSWERED, answered, tuple(attempts))
        return DialResult(says_most([a.outcome for a in attempts]), None, tuple(attempts))

    @staticmethod
    def _won_by(rung: Sequence[_Rung], winner: CalledLeg | CallerLeg) -> Target:
        """Whom the winner is: the target, or whoever took its place."""
        for r in rung:
            if winner in r.chain.legs:
                return target_of(winner)
        return next(r.target for r in rung if winner in r.legs)

    async def _start(self, target: Target, diversions: Sequence[Diversion] = ()) -> list[CalledLeg]:
        """Ring every phone of the target."""
        legs: list[CalledLeg] = []
        try:
            destinations = self._router.destinations(target)
        except Unroutable as problem:
            leg = CalledLeg(self._router.exchange, str(target), agent_of(target))
            self._announce(leg, leg.target)
            self._report(leg, problem.cause, None, {})
            return legs
        self._one_leg &= len(destinations) == 1
        for destination in destinations:
            leg = CalledLeg(self._router.exchange, str(target), agent_of(target))
            self._up[leg.id] = leg
            legs.append(leg)
            leg.on_progress = lambda early, leg=leg: self._progress(leg, early)  # type: ignore[misc]
            await leg.invite(
                destination,
                self._router.caller_id(self._call, target),
                codec=self._call.caller.codec,
                diversions=[
                    self._router.diversion(self._call, each.by, each.because, target) for each in diversions
                ],
            )
            self._announce(leg, leg.target)
        return legs

    async def _until_answered(self, rung: Sequence[_Rung], timeout_s: float) -> None:
        """Wait for the first answer, every refusal, or the time; then end the losers."""
        pending = {leg.outcome: (r, leg) for r in rung for leg in r.legs}
        deadline = asyncio.get_running_loop().time() + timeout_s
        while pending and self.winner is None:
            left_s = deadline - asyncio.get_running_loop().time()
            done, _ = await asyncio.wait(
                pending, timeout=max(0.0, left_s), return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                break
            for future in done:
                r, leg = pending.pop(future)
                if future.result() and self.winner is None:
                    self._won(r, leg)
                elif not future.result():
                    pending.update({each.outcome: (r, each) for each in await self._lost(r, leg)})
                else:
                    r.lost(DialOutcome.NO_ANSWER, None)  # too late: close() ends it
        for _, leg in pending.values():
            leg.hang_up()  # all at once: letting go of their media takes a while
        for r, leg in pending.values():
            r.lost(DialOutcome.NO_ANSWER, None)
            await self._finish(leg, "cancelled" if self.winner else "no_answer", None)

    def _won(self, rung: _Rung, leg: CalledLeg | CallerLeg) -> None:
        self.winner = leg
        del self._up[leg.id]
        rung.outcome, rung.sip_status = DialOutcome.ANSWERED, 200
        self._publish(
            events.LegAnswered(call_id=self._call.facts.call_id, at=self._call.clock.now(), leg_id=leg.id)
        )

    async def _lost(self, rung: _Rung, leg: CalledLeg) -> list[CalledLeg]:
        """It did not win; returns what rings in its place."""
        end = leg.ended.result()
        if leg.picked_up_by is not None:
            await self._picked_up(rung, leg, leg.picked_up_by)
            return []
        if leg.sent_on:
            return await self._sent_on(rung, leg, end.sip_status)
        if end.sip_status is not None and end.sip_status >= 600:
            # RFC 3261 §21.6: who says so on one phone does not want the call on another.
            rung.chain.waiting.clear()
            for other in rung.legs:
                if other.id in self._up and other is not leg:
                    other.hang_up()
        outcome = outcome_of(end.sip_status) if end.sip_status else DialOutcome.FAILED
        rung.lost(outcome, end.sip_status)
        cause = end.cause if end.cause == "media_lost" else cause_of(outcome)
        await self._finish(leg, cause, end.sip_status)
        return await self._ring_next(rung)

    async def _picked_up(self, rung: _Rung, leg: CalledLeg, by: CallerLeg) -> None:
        """A colleague took it on another phone, by an INVITE that replaces the one that rings."""
        leg.picked_up_by = None
        if self.winner is not None:  # in the same instant
            by.hang_up()
            await by.close()
        else:
            self._announce(by, by.agent or "")
            self._up[by.id] = by
            rung.chain.legs.append(by)
            self._won(rung, by)
        await self._finish(leg, "picked_up", None)

    async def _sent_on(self, rung: _Rung, leg: CalledLeg, sip_status: int | None) -> list[CalledLeg]:
        """A 3xx: ring those whom it names, one after the other."""
        rung.chain.sent_on(leg)
        await self._finish(leg, "redirected", sip_status)
        await self._end_early_media()
        instead = await self._ring_next(rung)
        if not instead:
            rung.lost(DialOutcome.NO_ANSWER, sip_status)
        return instead

    async def _ring_next(self, rung: _Rung) -> list[CalledLeg]:
        """Ring the next whom a 3xx named, once nobody rings on its account any more."""
        chain, rules = rung.chain, self._rules
        if rules is None or self.winner is not None or any(leg.id in self._up for leg in chain.legs):
            return []
        while chain.waiting:
            contact = chain.waiting.pop(0)
            with ExitStack() as permitted:
                try:
                    target = self._follow(chain, contact, rules, permitted)
                except NotPermitted as refusal:
                    self._note_sent_on(contact, contact.shown, refusal.cause)
                    continue
                self._rung.append(str(target))
                self._note_sent_on(contact, str(target))
                diversions = chain.diversions(contact.by)
                legs = await self._start(target, diversions)
                over = permitted.pop_all()
            for leg in legs:
                chain.diverted[leg.id] = diversions
                leg.ended.add_done_callback(lambda _, over=over: over.close())  # type: ignore[misc]
            if legs:
                chain.legs += legs
                rung.legs += legs
                return legs
            over.close()
        return []

    def _follow(self, chain: Chain, contact: Contact, rules: TransferRules, permitted: ExitStack) -> Target:
        if len(chain.legs) >= MOST:
            raise NotPermitted("redirect_circle", f"{MOST} have rung in the place of one")
        return follow(
            contact,
            rules,
            self._router,
            call_id=self._call.facts.call_id,
            caller=self._call.caller.agent,
            rung=self._rung,
            permitted=permitted,
        )

    def _note_sent_on(self, contact: Contact, to: str, cause: str = "") -> None:
        self._publish(
            events.Redirected(
                call_id=self._call.facts.call_id,
                at=self._call.clock.now(),
                leg_id=contact.by.id,
                by=contact.by.target,
                to=to,
                cause=cause,
            )
        )

    def _progress(self, leg: CalledLeg, early_media: bool) -> None:
        if self._on_ringing is not None:
            self._on_ringing()
        if not (early_media and self._one_leg and self._takes_early_media):
            self._call.caller.ring()
        elif self._early is None:
            self._early = asyncio.ensure_future(self._pass_early_media(leg))

    async def _pass_early_media(self, leg: CalledLeg) -> None:
        """The only leg that rings brings its own ringback or announcement: let the caller hear it."""
        caller = self._call.caller
        caller.stop_playing()
        if not caller.answered and (problem := await caller.ring_with_media()):
            log.warning("call %s hears no early media: %s", self._call.facts.call_id, problem)
            caller.ring()
            return
        if caller.endpoint and leg.endpoint and leg.id in self._up:
            here, there = caller.endpoint.id, leg.endpoint.id
            self._router.exchange.engine.set_edges(here, [Edge(there, here)])
            self._router.exchange.engine.set_edges(there, [Edge(here, there)])

    async def _end_early_media(self) -> None:
        """The next to ring is heard by its own ringback, or by ours."""
        early, self._early = self._early, None
        if early is None:
            return
        early.cancel()
        await asyncio.wait((early,))
        caller = self._call.caller
        if caller.endpoint is not None:
            self._router.exchange.engine.set_edges(caller.endpoint.id, [])
        if self.winner is None:
            caller.loop(Tone.RINGBACK)

    async def close(self, *, keep_winner: bool) -> None:
        """End whatever still rings, and the winner too unless it is kept."""
        if self.winner is not None and not keep_winner:
            self._up[self.winner.id] = self.winner
        for leg in self._up.values():
            leg.hang_up()
        await self._end_early_media()
        for leg in tuple(self._up.values()):
            if isinstance(leg, CalledLeg) and leg.picked_up_by is not None:  # as the caller left
                leg.picked_up_by.hang_up()
                await leg.picked_up_by.close()
            await self._finish(leg, "cancelled", None)

    async def _finish(self, leg: CalledLeg | CallerLeg, cause: str, sip_status: int | None) -> None:
        self._up.pop(leg.id, None)
        leg.hang_up()
        stats = EndpointStats()
        try:
            stats = await leg.close()
        finally:  # also when the caller leaves at this very moment
            if leg.session is not None:  # it was rung, and LegStarted said so
                self._report(leg, cause, sip_status, dict(figures(stats)))

    def _announce(self, leg: CalledLeg | CallerLeg, target: str) -> None:
        self._publish(
            events.LegStarted(
                call_id=self._call.facts.call_id,
                at=self._call.clock.now(),
                leg_id=leg.id,
                role="agent" if leg.agent else "number",
                target=target,
                agent=leg.agent,
                sip_call_id=leg.sip_call_id,
            )
        )

    def _report(
        self, leg: CalledLeg | CallerLeg, cause: str, status: int | None, stats: dict[str, float]
    ) -> None:
        self._publish(
            events.LegEnded(
                call_id=self._call.facts.call_id,
                at=self._call.clock.now(),
                leg_id=leg.id,
                cause=cause,
                sip_status=status,
                stats=stats,
            )
        )
