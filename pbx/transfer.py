"""Transfers: what an agent in a talk may ask for, and what a talk needs to carry it out.

An agent asks by REFER (:mod:`sip.refer`), or by keys where the phone has no key for it
(:data:`pbx.feature_codes.IN_CALL`). Either becomes a :class:`Transfer` that the talk they are in
(:mod:`pbx.talk`) carries out. A call that is taken over by another (the second half of an attended
transfer, an INVITE with Replaces) gets an order of its own kind.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from pbx.agents import AgentBoard
from pbx.dialplan import Destination, FlowTarget, QueueTarget
from pbx.flows.control import AgentTarget, NumberTarget
from pbx.legs import Leg, Referral, Replaces
from pbx.parking import ParkingLot

PAUSE_S = 4.0
"""So long after the last key, a destination that is typed counts as whole."""
RING_S = 30.0
"""How long a transfer's target rings before the transferrer has the call back."""


def _say_nothing(status: int) -> None:
    """Keys have nobody to be told."""


Party = AgentTarget | NumberTarget | QueueTarget | FlowTarget
"""Where another party may be led."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """``by`` wants the other party led to ``where``; ``tell`` hears SIP statuses, the last from 200 on.
    ``after``: the agent's own call to there, which is to be over before."""

    by: Leg
    where: Party
    tell: Callable[[int], None] = _say_nothing
    after: asyncio.Future[None] | None = None


@dataclass(frozen=True, slots=True)
class Join:
    """``by`` wants the other parties of their two talks joined; ``second`` is their leg in the other."""

    by: Leg
    second: Leg
    tell: Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Swap:
    """``into`` takes the place of ``out``; ``done`` tells whether it did."""

    out: Leg
    into: Leg
    done: asyncio.Future[bool] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


@dataclass(frozen=True, slots=True)
class HandOver:
    """The talk ends for ``by``'s sake, and gives its other party away: ``done`` has the leg, or None."""

    by: Leg
    done: asyncio.Future[Leg | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


@dataclass(frozen=True, slots=True)
class Keyed:
    """``by`` pressed an in-call code: the destination is still to be typed."""

    by: Leg
    attended: bool


@dataclass(frozen=True, slots=True)
class Park:
    """``by`` wants the other party parked, and to be told where."""

    by: Leg


Order = Transfer | Join | Swap | HandOver | Keyed | Park


class TalkOrders(Protocol):
    """A talk, as others give it orders."""

    def order(self, order: Order) -> None: ...

    def has_customer_beside(self, leg: Leg) -> bool: ...


@dataclass(frozen=True, slots=True)
class Consultation:
    """What an agent's own call leads to, while they talk to nobody in it yet: it rings, or they wait in a
    queue or flow. A transfer that names this call's dialog leads the other party there in the agent's
    place (RFC 5589 §7.3); ``leave`` ends the agent's call, which resolves ``over``."""

    where: Party
    leave: Callable[[], None]
    over: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def replaced_in(self, talk: "TalkOrders", by: Leg, tell: Callable[[int], None]) -> None:
        """``by``, the same agent's leg in ``talk``, wants the other party there led to where this leads."""
        talk.order(Transfer(by, self.where, tell, self.over))
        self.leave()


def referred_alone(by: Leg, referral: Referral, leg_of: Callable[[Replaces], Leg | None]) -> None:
    """A REFER of an agent who talks to nobody in that call: it may only name a talk of theirs."""
    if referral.replaces is None or by.consultation is None:
        referral.reject(480)  # there is nobody whom it could transfer
        return
    second = leg_of(referral.replaces)
    if second is None or second.talk is None or second.agent != by.agent:
        referral.reject(481)
        return
    referral.accept()
    by.consultation.replaced_in(second.talk, second, referral.tell)


@dataclass(frozen=True, slots=True)
class TransferRules:
    """The site's part: how dialled text reads, what costs money, who is at work, which keys mean what."""

    understand: Callable[[str], Destination | None]
    permit: Callable[[str, str, str], AbstractContextManager[None]]  # call id, agent, number
    board: AgentBoard
    codes: Mapping[str, str]  # names of in-call codes by the keys
    parking: ParkingLot = field(default_factory=ParkingLot)
    ring_back_s: float = 60.0  # then who parked a call is rung
    language: str = "en"  # that agents are spoken to in
