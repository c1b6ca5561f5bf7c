"""Where an agent or a number is reached, and what they see as the caller."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pbx.caller_id import presented
from pbx.config.models import Config
from pbx.config.trunks import Trunk
from pbx.flows.control import AgentTarget, NumberTarget, Target
from pbx.legs import Destination, Exchange
from pbx.ringing import RungFor, Unroutable
from pbx.trunk_numbers import read_from, written_for
from sip import Address, Attempt, Flow, InviteTarget
from sip.headers import NameAddr
from sip.sdp import Srtp
from sip.uri import URI

SIP_PORT = 5060


class SiteRouter:
    """Routes by the site's agents, registrations and trunks."""

    def __init__(self, exchange: Exchange, config: Config) -> None:
        self.exchange = exchange
        self.config = config

    def reachable(self, agent: str) -> bool:
        """Whether ringing the agent would ring anything."""
        known = self.config.agents.get(agent)
        return known is not None and (
            known.contact is not None or bool(self.exchange.stack.registrar.bindings(agent))
        )

    def destinations(self, target: Target) -> Sequence[Destination]:
        if isinstance(target, NumberTarget):
            return [self._over_trunk(target)]
        agent = self.config.agents.get(target.agent)
        if agent is None:
            raise Unroutable("not_registered")
        if agent.contact:
            return [Destination(self._static(agent.contact), Srtp(agent.srtp), agent.dtmf == "info")]
        bindings = self.exchange.stack.registrar.targets(target.agent)
        if not bindings:
            raise Unroutable("not_registered")
        return [
            Destination(
                InviteTarget(uri=binding.contact_uri, flow=binding.flow, owner=target.agent),
                Srtp(agent.srtp),
                agent.dtmf == "info",
            )
            for binding in bindings
        ]

    def _static(self, contact: str) -> InviteTarget:
        uri = URI.parse(contact)
        transport = uri.params.get("transport") or "udp"
        return InviteTarget(uri=contact, flow=Flow(transport, Address(uri.host, uri.port or SIP_PORT)))

    def _over_trunk(self, target: NumberTarget) -> Destination:
        """By every trunk that may be asked, best first, and every hop of each."""
        ways = list(self._ways(target))
        if not ways:
            raise Unroutable("no_trunk")
        # All are offered the same: a trunk that insists on SRTP and one that does not are no substitutes.
        srtp = Srtp(ways[0].trunk.srtp)
        ways = [way for way in ways if Srtp(way.trunk.srtp).offered is srtp.offered]
        return Destination(
            _target(target, ways[0], self.config.server.country),
            srtp,
            ways[0].trunk.dtmf == "info",
            lambda from_: [self._attempt(target, way, from_) for way in ways],
        )

    def _ways(self, target: NumberTarget) -> Iterator["_Way"]:
        lines = self.exchange.stack.lines
        for line in [lines.get(target.trunk)] if target.trunk is not None else lines.in_order():
            trunk = self.config.trunks.get(line.trunk.name) if line is not None else None
            if line is not None and trunk is not None:
                for flow in line.flows():
                    yield _Way(line.trunk.name, trunk, flow)

    def _attempt(self, target: NumberTarget, way: "_Way", from_: str) -> Attempt:
        trunk = way.trunk
        country = self.config.server.country
        shown = NameAddr.parse(from_)
        host = trunk.domain or (trunk.host if trunk.register_ else None) or self.exchange.address
        identity = presented(shown.uri.user or "", shown.display, trunk, country, host)
        invited = _target(target, way, country)
        return Attempt(
            target=invited,
            from_=identity.from_,
            to=f"<{invited.uri}>",
            headers=identity.headers,
            credentials=(trunk.username, trunk.password or "") if trunk.username else None,
        )

    def text_ways(self, target: NumberTarget, from_: str) -> list[Attempt]:
        """Where a text to a number goes over a trunk, best first. ``from_`` is a name-addr."""
        return [self._attempt(target, way, from_) for way in self._ways(target)]

    def number_from(self, trunk: str, text: str) -> str | None:
        """A number (E.164) that the trunk sent; None for what is none."""
        return read_from(text, self.config.trunks.get(trunk), self.config.server.country)

    def caller_id(self, call: RungFor, target: Target) -> str:
        """The caller's number; out on a trunk, the number they dialled, which is ours to present."""
        facts, party = call.facts, call.caller
        host = self.exchange.address
        if isinstance(target, AgentTarget):
            if (colleague := self.config.agents.get(party.agent or "")) is not None:
                user = colleague.extension or party.agent
                return str(NameAddr(colleague.name, URI("sip", user, host=host)))
            number = party.number or facts.caller
            if not number:
                return str(NameAddr("Anonymous", URI("sip", "anonymous", host=host)))
            # Not every caller is a number: quoted and escaped, a name can say nothing but itself.
            return str(NameAddr(number, URI("sip", number, host=host)))
        shown = facts.did if facts.presents is None else facts.presents or "anonymous"
        return str(NameAddr("", URI("sip", shown, host=host)))

    def diversion(self, call: RungFor, by: Target, because: str, target: Target) -> str:
        """Who sent the call on to ``target``, as that one may know them: no extension leaves the house."""
        if isinstance(by, NumberTarget):
            user: str | None = by.number
        elif isinstance(target, AgentTarget):
            user = self.config.agents[by.agent].extension or by.agent
        else:
            user = NameAddr.parse(self.caller_id(call, target)).uri.user
        return str(NameAddr("", URI("sip", user, host=self.exchange.address), {"reason": because}))


@dataclass(frozen=True, slots=True)
class _Way:
    """One server of a trunk."""

    name: str
    trunk: Trunk
    flow: Flow


def _target(target: NumberTarget, way: _Way, country: str) -> InviteTarget:
    trunk, flow = way.trunk, way.flow
    number = written_for(target.number, trunk, country)
    host = trunk.domain or trunk.host or flow.remote.host
    port = trunk.port if trunk.domain is None else None
    params = {"transport": flow.transport} if flow.transport != "udp" else {}
    uri = URI("sip", number, host=host, port=port, params=params)
    return InviteTarget(uri=str(uri), flow=flow, trunk=way.name)
