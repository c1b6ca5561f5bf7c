"""3xx: whom we ring names others to ring in their place (RFC 3261 §8.1.3.4).

Theory of operation
-------------------
A desk phone that forwards answers 302 with a Contact. That Contact is never taken for an address: whoever
answers us could send our calls, and what we prove to trunks, anywhere. It is read as if it had been dialled:

* A phone's, by :mod:`pbx.dialplan`: a colleague, or a number that the agent may call
  (:class:`~pbx.outbound_rules.OutboundRules`), as a call of theirs.
* A trunk's, as a number over that same trunk, permitted to the agent who calls, else counted as the trunk's.

The Contacts of one answer are tried in the order of their q, the next when the one before was refused;
none that has been rung in this round, and at most :data:`MOST` in the place of one target. Each is told
by Diversion (RFC 5806) who sent the call on: to colleagues by extension, to the outside by the number that
the call presents there.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol

from pbx.caller_id import readable
from pbx.flows.control import AgentTarget, NumberTarget, Target
from pbx.legs import CalledLeg, CallerLeg
from pbx.outbound_rules import NotPermitted
from pbx.transfer import TransferRules
from sip.uri import URI

MOST = 5


class Trunks(Protocol):
    """Knows how numbers are written."""

    def number_from(self, trunk: str, text: str) -> str | None:
        """A number (E.164) that the trunk sent; None for what is none."""
        ...


@dataclass(frozen=True, slots=True)
class Contact:
    """One way to go on, not yet read; ``by`` is the leg that named it."""

    by: CalledLeg
    uri: URI

    @property
    def shown(self) -> str:
        return readable(self.uri.user or self.uri.host)


@dataclass(frozen=True, slots=True)
class Diversion:
    """Who sent a call on, and why."""

    by: Target
    because: str


@dataclass(slots=True)
class Chain:
    """Where one target's 3xx answers have led, and may still lead."""

    legs: list[CalledLeg | CallerLeg] = field(default_factory=list)  # that ring in the target's place, or did
    waiting: list[Contact] = field(default_factory=list)
    diverted: dict[str, tuple[Diversion, ...]] = field(default_factory=dict)  # by leg, latest first

    def sent_on(self, by: CalledLeg) -> None:
        """A leg answered 3xx: what it names comes before what others named."""
        self.waiting[:0] = [Contact(by, uri) for uri in by.contacts[:MOST]]

    def diversions(self, by: CalledLeg) -> tuple[Diversion, ...]:
        """What brings the call to whom ``by`` names."""
        return Diversion(target_of(by), by.because), *self.diverted.get(by.id, ())


def target_of(leg: CalledLeg | CallerLeg) -> Target:
    """Whom a leg turned out to be; one that called us to take another's place is an agent's."""
    if isinstance(leg, CalledLeg) and not leg.agent:
        return NumberTarget(leg.target, leg.trunk)
    return AgentTarget(leg.agent or "")


def follow(
    contact: Contact,
    rules: TransferRules,
    trunks: Trunks,
    *,
    call_id: str,
    caller: str | None,
    rung: Sequence[str],
    permitted: ExitStack,
) -> Target:
    """Who is to be rung; what the call may cost is counted in ``permitted``. ``caller`` is the agent who
    calls, if one does. Raises NotPermitted, with a cause of :mod:`pbx.failures`."""
    by = contact.by
    where = _read(contact, rules, trunks)
    if where is None:
        raise NotPermitted("not_dialable", "it names nobody whom this site could ring")
    if str(where) in rung:
        raise NotPermitted("redirect_circle", "it rings there already, or has")
    if isinstance(where, NumberTarget):
        permitted.enter_context(rules.permit(call_id, by.agent or caller or by.trunk, where.number))
    return where


def _read(contact: Contact, rules: TransferRules, trunks: Trunks) -> Target | None:
    by, dialled = contact.by, contact.uri.user or ""
    if by.agent is not None:
        where = rules.understand(dialled)
        return where if isinstance(where, AgentTarget | NumberTarget) else None
    number = trunks.number_from(by.trunk, dialled)
    # One of our own numbers is no way out: the call would come back to us as another.
    if number is None or not isinstance(rules.understand(number), NumberTarget):
        return None
    return NumberTarget(number, by.trunk)
