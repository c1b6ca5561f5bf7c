"""A talk: two legs that hear each other, until one hangs up; and the transfers that change who they are.

Theory of operation
-------------------
:meth:`Talk.run` is what ``bridge`` does. It joins the call's party with the leg that answered and waits
for the first of: the leg's end, the party's (which raises CallerGone), an :data:`~pbx.transfer.Order`.
An order is carried out with the two apart, the one who stays hearing music or ringback; then the talk
goes on with whoever is there. So a call keeps its id, its attribution, its one recording and its flow
through any number of transfers, and each leg is billed for the time in which it talked.

* *Blind*: the target is rung for who stays; the transferrer hears of it by NOTIFY and is let go when the
  target answers. When nobody does, they have the call back: on the line if they stayed, else rung.
* To a *queue or flow*: the party that stays is sent on (:class:`~pbx.flows.control.SentOn`).
* *Semi-attended*: the transferrer's second call still rings, or waits in a queue or flow: it ends, and the
  party is led to where it led, as in a blind transfer.
* *Attended*: the transferrer is in two talks. That with a customer goes on, with the other talk's party in
  the transferrer's place; the other call ends as ``transferred``. By keys, the consultation happens within
  the one call.
* *Parked*: who stays waits at an orbit (:mod:`pbx.parked_talk`).
* *Hold*: who is put on hold hears music; a held phone's silence is not taken for its death.

Whoever transfers the call that they began is its caller no more: who stays is served from then on.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from media.engine import FileSource, Tone
from pbx import events
from pbx.dialplan import FeatureTarget, QueueTarget
from pbx.failures import cause_of, failure
from pbx.flows.control import (
    NOTHING,
    AgentTarget,
    BridgeResult,
    CallerGone,
    CallerHears,
    NumberTarget,
    Prompt,
    SentOn,
    agent_of,
)
from pbx.flows.single import queue_flow
from pbx.legs import Leg, Referral, ignore, joined
from pbx.outbound_rules import NotPermitted
from pbx.parked_talk import parked
from pbx.parking import LotFull
from pbx.transfer import PAUSE_S, RING_S, HandOver, Join, Keyed, Order, Park, Party, Swap, Transfer

if TYPE_CHECKING:
    from pbx.calls import LiveCall

log = logging.getLogger(__name__)

LONGEST_CODE = 4
"""Keys of an in-call code, at most."""
JOIN_S = 5.0
"""How long another talk may take to give its party away."""


class Talk:
    """One ``bridge`` of one call. Leaves nobody behind who is not the call's party."""

    def __init__(self, call: "LiveCall", leg: Leg) -> None:
        self._call = call
        self._leg: Leg | None = leg  # beside the party; None once it was given away
        self._orders: asyncio.Queue[Order] = asyncio.Queue()
        self._held = ExitStack()  # what transfers reserved, until the talk is over
        self._talk_s = 0.0
        self._pressed_by: dict[Leg, str] = {}  # the last keys of each
        self._end: tuple[str, int | None] = ("answered", None)

    def order(self, order: Order) -> None:
        self._orders.put_nowait(order)

    async def run(self, whisper: Prompt = NOTHING) -> BridgeResult:
        """``whisper`` is spoken to the leg alone before the two are joined."""
        try:
            if whisper.text and self._leg is not None:
                await self._call.whisper(self._leg, whisper)
            while self._leg is not None:
                if self._leg.ended.done():
                    end = self._leg.ended.result()
                    self._end = end.cause, end.sip_status
                    break
                await self._call.answer()
                order = await self._together(self._leg)
                if order is not None:
                    await self._carry_out(order)
            return BridgeResult(self._talk_s)
        finally:
            self._held.close()
            self._refuse_orders()
            if self._leg is not None:
                await self._call.finish(self._leg, *self._end)

    # Together

    async def _together(self, leg: Leg) -> Order | None:
        """Let them talk; the order that parts them, None when ``leg`` has hung up."""
        call, party = self._call, self._call.caller
        billed = call.billed(party, leg)
        with call.together(party, leg), ExitStack() as listening:
            for each, other in ((party, leg), (leg, party)):
                self._listen(listening, each, other)
            call.record_talk(leg)
            began = call.clock.monotonic()
            for each, who, beside in billed:
                call.publish(events.AgentConnected, leg_id=each.id, agent=who, beside=beside)
            try:
                return await call.until(self._next_order(leg))
            finally:
                talk_s = call.clock.monotonic() - began
                self._talk_s += talk_s
                for each, who, beside in billed:
                    call.publish(
                        events.AgentDisconnected, leg_id=each.id, agent=who, talk_s=talk_s, beside=beside
                    )

    async def _next_order(self, leg: Leg) -> Order | None:
        order = asyncio.ensure_future(self._orders.get())
        try:
            await asyncio.wait((order, leg.ended), return_when=asyncio.FIRST_COMPLETED)
            return order.result() if order.done() else None
        finally:
            order.cancel()

    def _listen(self, listening: ExitStack, leg: Leg, other: Leg) -> None:
        """To hold, referrals and in-call codes of one of the two."""
        before, referred_before = leg.on_key, leg.on_referral
        leg.on_hold = lambda held: self._hold(other, leg, held)
        leg.on_referral = lambda referral: self._referred(leg, referral)
        leg.talk = self
        if leg.agent is not None:
            leg.on_key = lambda key: self._pressed(leg, key)

        def deaf() -> None:
            leg.on_hold, leg.on_referral, leg.on_key, leg.talk = ignore, referred_before, before, None

        listening.callback(deaf)
        if leg.held:
            self._hold(other, leg, True)

    def _hold(self, other: Leg, holder: Leg, held: bool) -> None:
        """``other`` hears music while ``holder`` wants to hear nothing."""
        if other.endpoint is None or holder.endpoint is None:
            return
        if self._call.audience is not None:
            self._call.audience.hold(other, held)
        if held:
            other.loop(Tone.MUSIC)
        else:
            other.stop_playing()

    # What they ask for

    def _referred(self, by: Leg, referral: Referral) -> None:
        rules = self._call.transfers
        if rules is None:
            referral.reject(403)
            return
        if referral.replaces is not None:
            self._referred_to_dialog(by, referral, self._call.leg_of(referral.replaces))
            return
        where = rules.understand(referral.user)
        if where is None:
            referral.reject(404)
            return
        if isinstance(where, FeatureTarget):
            self._referred_to_code(by, referral, where)
            return
        referral.accept()
        self.order(Transfer(by, where, referral.tell))

    def _referred_to_code(self, by: Leg, referral: Referral, code: FeatureTarget) -> None:
        """The code that picks up, without an orbit, parks; the others are for the agent alone."""
        if code != FeatureTarget("pick_up"):
            referral.reject(403)
            return
        referral.accept()
        referral.tell(200)
        self.order(Park(by))

    def _referred_to_dialog(self, by: Leg, referral: Referral, second: Leg | None) -> None:
        """Attended: the agent talks to somebody in the other call, or that still rings, or waits in line."""
        if second is None or second is by or second.agent != by.agent:
            referral.reject(481)
        elif second.talk is not None:
            referral.accept()
            self.order(Join(by, second, referral.tell))
        elif second.consultation is not None:
            referral.accept()
            second.consultation.replaced_in(self, by, referral.tell)
        else:
            referral.reject(481)

    def _pressed(self, by: Leg, key: str) -> None:
        """The last keys may be a code; keys that are none are the talk's business."""
        rules = self._call.transfers
        keys = (self._pressed_by.get(by, "") + key)[-LONGEST_CODE:]
        self._pressed_by[by] = keys
        pause_key = self._call.recording.habits.pause_key
        if pause_key and keys.endswith(pause_key):
            self._pressed_by[by] = ""
            self._call.toggle_pause(by)
            return
        for code, name in rules.codes.items() if rules is not None else ():
            if keys.endswith(code):
                self._pressed_by[by] = ""
                self.order(Park(by) if name == "park" else Keyed(by, name == "attended_transfer"))
                return

    # Carrying it out

    async def _carry_out(self, order: Order) -> None:
        match order:
            case Transfer(by=by, where=where, tell=tell, after=after):
                stays = self._part(by)
                if stays is not None:
                    if after is not None:
                        await self._call.until(asyncio.wait((after,), timeout=JOIN_S))
                    await self._transfer(by, where, tell)
                else:
                    tell(481)
            case Keyed(by=by, attended=attended):
                await self._keyed(by, attended)
            case Park(by=by):
                await self._park(by)
            case Join():
                await self._join(order)
            case Swap(out=out, into=into, done=done):
                done.set_result(await self._swap(out, into))
            case HandOver(by=by, done=done):
                self._hand_over(by, done)

    def _part(self, by: Leg) -> Leg | None:
        """Who stays when ``by`` goes: the call's party from now on. None if ``by`` is not here."""
        party, leg = self._call.caller, self._leg
        if leg is None or by not in (party, leg):
            return None
        if by is party:
            self._call.serve(leg)
            self._leg = party
        return self._call.caller

    async def _transfer(self, by: Leg, where: Party, tell: Callable[[int], None]) -> None:
        """Lead who stays to ``where``; on failure ``by`` has the call back."""
        if not isinstance(where, AgentTarget | NumberTarget):
            tell(200)
            await self._let_go(by)
            because = f"{by.agent} transferred the call to {where}"
            if isinstance(where, QueueTarget):
                raise SentOn(queue_flow(where.queue), because)
            raise SentOn(where.flow, because)
        cause = await self._ring(by, where, tell)
        if cause:
            tell(failure(cause).sip_status)
            self._call.publish(events.TransferFailed, by=by.agent or "", to=str(where), cause=cause)
            await self._give_back(by)
            return
        tell(200)
        await self._let_go(by)
        self._call.publish(events.Transferred, by=by.agent or "", to=str(where))

    async def _ring(
        self,
        by: Leg,
        where: AgentTarget | NumberTarget,
        tell: Callable[[int], None],
        hears: CallerHears = CallerHears.RINGBACK,
    ) -> str:
        """Ring the target for the party; the winner is ``_leg`` then. The cause if there is none."""
        rules = self._call.transfers
        assert rules is not None
        stack = ExitStack()
        try:
            if isinstance(where, NumberTarget):
                stack.enter_context(rules.permit(self._call.facts.call_id, by.agent or "", where.number))
            agent = agent_of(where)
            reserved = stack.enter_context(rules.board.ringing([agent] if agent else []))
            result = await self._call.dial(
                [where],
                together=True,
                timeout_s=RING_S,
                caller_hears=hears,
                on_ringing=lambda: tell(180),
            )
        except NotPermitted as refusal:
            return refusal.cause
        except BaseException:
            stack.close()
            raise
        if result.winner is None:
            stack.close()
            return cause_of(result.outcome)
        reserved.connected(agent_of(result.winner.target))
        self._held.push(stack)
        self._leg = self._call.take_winner(result.winner)
        return ""

    async def _give_back(self, by: Leg) -> None:
        """The transfer failed: who wanted it talks again, or is rung if they have hung up meanwhile."""
        if not by.ended.done():
            self._leg = by
            return
        agent = by.agent
        self._leg = None
        await self._call.finish(by, "transferred", None)
        if agent is not None:
            await self._ring(by, AgentTarget(agent), lambda status: None)

    async def _let_go(self, by: Leg) -> None:
        """The transferrer's part in this call is over."""
        if by is self._leg:
            self._leg = None
        rules = self._call.transfers
        if rules is not None and by.agent is not None:
            rules.board.let_go(by.agent)
        await self._call.finish(by, "transferred", None)

    # By keys

    async def _keyed(self, by: Leg, attended: bool) -> None:
        stays = self._part(by)
        rules = self._call.transfers
        if stays is None or rules is None:
            return
        self._call.record_talk(None)
        stays.loop(Tone.MUSIC)
        try:
            where = rules.understand(await self._call.until(self._typed(by)))
            if where is None or isinstance(where, FeatureTarget):
                await self._tell_no(by)
                return
        finally:
            stays.stop_playing()
        if attended and isinstance(where, AgentTarget | NumberTarget):
            await self._consult(by, stays, where)
        else:
            await self._transfer(by, where, lambda status: None)

    async def _typed(self, by: Leg) -> str:
        """What the agent types after a tone, up to # or a pause."""
        keys: asyncio.Queue[str] = asyncio.Queue()
        before, by.on_key = by.on_key, keys.put_nowait
        try:
            await self._say(by, Tone.BEEP)
            typed = ""
            while not by.ended.done():
                try:
                    async with asyncio.timeout(PAUSE_S):
                        key = await keys.get()
                except TimeoutError:
                    break
                if key == "#":
                    break
                typed += key
            return typed
        finally:
            by.on_key = before

    async def _tell_no(self, by: Leg) -> None:
        await self._call.until(self._say(by, Tone.BUSY, limit_s=1.0))

    async def _say(self, leg: Leg, sound: Tone | FileSource, limit_s: float = 10.0) -> None:
        """Play to one of the two; their hanging up ends it."""
        playing = asyncio.ensure_future(leg.play(sound))
        try:
            await asyncio.wait((playing, leg.ended), timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            playing.cancel()
            await asyncio.wait((playing,))

    async def _consult(self, by: Leg, stays: Leg, where: AgentTarget | NumberTarget) -> None:
        """``by`` speaks to the target first: hanging up transfers, the target's hanging up gives back."""
        by.loop(Tone.RINGBACK)
        try:
            cause = await self._ring(by, where, lambda status: None, CallerHears.MUSIC)
        finally:
            by.stop_playing()
        target = self._leg
        if cause or target is None or target is by:
            await self._tell_no(by)
            await self._give_back(by)
            return
        stays.loop(Tone.MUSIC)
        self._leg = by
        try:
            with joined(self._call.engine, by, target):
                await self._call.until(
                    asyncio.wait((by.ended, target.ended), return_when=asyncio.FIRST_COMPLETED)
                )
        except BaseException:
            await self._call.finish(target, "cancelled", None)
            raise
        finally:
            stays.stop_playing()
        if target.ended.done() and not by.ended.done():
            await self._call.finish(target, target.ended.result().cause, None)
            return
        await self._let_go(by)
        self._leg = target
        self._call.publish(events.Transferred, by=by.agent or "", to=str(where))

    async def _park(self, by: Leg) -> None:
        """The other party waits at an orbit; with them there, ``by`` may hang up."""
        rules = self._call.transfers
        if rules is None or self._part(by) is None:
            return
        self._call.record_talk(None)

        async def ring_back() -> bool:
            return by.agent is not None and not await self._ring(
                by, AgentTarget(by.agent), lambda status: None, CallerHears.MUSIC
            )

        try:
            self._talk_s += await parked(self._call, by, rules, lambda: self._let_go(by), ring_back)
        except LotFull:
            await self._tell_no(by)

    # Between two talks

    async def _join(self, order: Join) -> None:
        """Two talks become one: that with the customer goes on."""
        other = order.second.talk
        if other is None or self._part(order.by) is None:
            order.tell(481)
            return
        if self._has_customer or not other.has_customer_beside(order.second):
            hand_over = HandOver(order.second)
            other.order(hand_over)
            try:
                async with asyncio.timeout(JOIN_S):
                    taken = await self._call.until(asyncio.shield(hand_over.done))
            except TimeoutError:
                hand_over.done.set_result(None)
                taken = None
            if taken is None:
                order.tell(503)
                return
            order.tell(200)
            await self._take_over(order.by, taken)
        else:
            stays, leg = self._call.caller, self._leg
            assert leg is not None
            swap = Swap(order.second, stays)
            self._give_away(order.by, stays)
            other.order(swap)
            if await swap.done:
                order.tell(200)
            else:
                order.tell(503)
                stays.hang_up()
                await stays.close()
            raise CallerGone("transferred")

    @property
    def _has_customer(self) -> bool:
        return self._call.caller.agent is None

    def has_customer_beside(self, leg: Leg) -> bool:
        """Whether who talks to ``leg`` here is no agent."""
        other = self._call.caller if leg is self._leg else self._leg
        return other is not None and other.agent is None

    def _hand_over(self, by: Leg, done: asyncio.Future[Leg | None]) -> None:
        stays = self._part(by)
        if done.done():
            return
        if stays is None:
            done.set_result(None)
            return
        self._give_away(by, stays)
        done.set_result(stays)
        raise CallerGone("transferred")

    def _give_away(self, by: Leg, stays: Leg) -> None:
        """``stays`` is another call's; what is left of this one is ``by``, and it is over."""
        self._call.serve(by)
        self._leg = None
        self._call.left(stays)
        self._call.end("transferred")

    async def _take_over(self, by: Leg, taken: Leg) -> None:
        """``taken``, out of another call, in the place of ``by``."""
        rules = self._call.transfers
        if rules is not None and taken.agent is not None:
            self._held.enter_context(rules.board.ringing([taken.agent])).connected(taken.agent)
        self._call.joined_by(taken)
        self._leg = taken
        await self._let_go(by)
        self._call.publish(events.Transferred, by=by.agent or "", to=taken.agent or taken.number)

    async def _swap(self, out: Leg, into: Leg) -> bool:
        if self._part(out) is None:
            return False
        await self._take_over(out, into)
        return True

    def _refuse_orders(self) -> None:
        """Whoever gave an order that came too late is told."""
        while not self._orders.empty():
            order = self._orders.get_nowait()
            match order:
                case Transfer(tell=tell) | Join(tell=tell):
                    tell(487)
                case Swap(done=done):
                    done.set_result(False)
                case HandOver(done=given) if not given.done():
                    given.set_result(None)
                case _:
                    pass
