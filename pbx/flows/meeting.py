"""What the record says of a caller's time in a room; the same of live calls and of simulated ones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pbx import events
from pbx.clock import Clock
from pbx.flows.control import AnsweredLeg, agent_of
from pbx.rooms import Room


@contextmanager
def in_record(
    publish: Callable[..., None], clock: Clock, room: Room, partner: AnsweredLeg | None
) -> Iterator[None]:
    """The time inside the block as events; with ``partner``, as a leg of theirs and a talk with them."""
    began = clock.monotonic()
    publish(events.RoomEntered, members=room.members)
    if partner is not None:
        agent = agent_of(partner.target)
        publish(
            events.LegStarted,
            leg_id=partner.leg_id,
            role="agent" if agent else "number",
            target=str(partner.target),
            agent=agent,
            sip_call_id="",
        )
        publish(events.LegAnswered, leg_id=partner.leg_id)
        publish(events.AgentConnected, leg_id=partner.leg_id, agent=str(partner.target))
    try:
        yield
    finally:
        stayed_s = clock.monotonic() - began
        if partner is not None:
            publish(
                events.AgentDisconnected,
                leg_id=partner.leg_id,
                agent=str(partner.target),
                talk_s=stayed_s,
            )
            cause = "agent_hung_up" if room.closed.done() else "cancelled"
            publish(events.LegEnded, leg_id=partner.leg_id, cause=cause, sip_status=None)
        publish(events.RoomLeft, stayed_s=stayed_s)
