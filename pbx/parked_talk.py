"""A talk that its agent parked by key: the other party waits at an orbit, and comes back if nobody takes it.

The agent hears the orbit and is let go. Who dials the pick-up code with it talks to the party, in a room
of two, as with a call that a flow parked. After ``parking.ring_back`` the agent who parked it is rung, and
so on for :data:`RING_BACKS` times; the party stays at the orbit while they are, and whoever comes first has
the call. Then the call's flow goes on.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from media.engine import Tone
from pbx.flows.control import noted
from pbx.flows.own_words import PARKED_AT, own
from pbx.legs import Leg
from pbx.parking import Parked
from pbx.transfer import TransferRules

if TYPE_CHECKING:
    from pbx.calls import LiveCall

RING_BACKS = 5


async def parked(
    call: "LiveCall",
    by: Leg,
    rules: TransferRules,
    let_go: Callable[[], Awaitable[None]],
    ring_back: Callable[[], Awaitable[bool]],
) -> float:
    """How long who picked the party up talked to it; 0 when ``ring_back`` was answered, or nobody came.

    ``let_go`` ends the part of ``by``. Raises LotFull before that, and CallerGone.
    """
    with rules.parking.place(call.facts.call_id, call.facts.caller) as place:
        began = call.clock.monotonic()
        because = "the caller left"
        call.caller.loop(Tone.MUSIC)
        call.parked(place.orbit)
        try:
            await call.whisper(by, own(PARKED_AT, rules.language, orbit=" ".join(place.orbit)))
            await let_go()
            back = await _taken(call, place, rules.ring_back_s, ring_back)
            picked_up = place.picked_up.done() and not back
            who = str(place.picked_up.result().by.target) if picked_up else by.agent
            because = f"{who} picked it up" if picked_up or back else "the time is over"
        finally:
            call.caller.stop_playing()
            call.unparked(place.orbit, call.clock.monotonic() - began, because)
        if not picked_up:
            return 0.0
        found = place.picked_up.result()
        with noted(f"{who} picked the call up from {place.orbit}"):
            return (await call.confer(found.room, partner=found.by)).stayed_s


async def _taken(
    call: "LiveCall", place: Parked, ring_back_s: float, ring_back: Callable[[], Awaitable[bool]]
) -> bool:
    """Wait until somebody picks the call up, or who parked it has it back: then True."""
    for _ in range(RING_BACKS):
        await call.until(asyncio.wait((place.picked_up,), timeout=ring_back_s))
        if place.picked_up.done():
            return False
        ringing = asyncio.ensure_future(ring_back())
        try:
            await call.until(asyncio.wait((ringing, place.picked_up), return_when=asyncio.FIRST_COMPLETED))
        finally:
            if not ringing.done():
                ringing.cancel()
                await asyncio.wait((ringing,))
        if not ringing.cancelled() and ringing.result():
            return True
        if place.picked_up.done():
            return False
        call.caller.loop(Tone.MUSIC)
    return False
