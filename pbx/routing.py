"""Where an agent or a number is reached, and what they see as the caller."""

from collections.abc import Iterator, Sequence

from pbx.caller_id import presented
from pbx.config.models import Config
from pbx.config.trunks import Trunk
from pbx.flows.control import AgentTarget, NumberTarget, Target
from pbx.legs import Destination, Exchange
from pbx.ringing import RungFor, Unroutable
from pbx.trunk_numbers import written_for
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
        srtp = Srtp(ways[0][0].srtp)
        ways = [(trunk, flow) for trunk, flow in ways if Srtp(trunk.srtp).offered is srtp.offered]
        return Destination(
            _target(target, *ways[0], self.config.server.country),
            srtp,
            ways[0][0].dtmf == "info",
            lambda from_: [self._attempt(target, name, flow, from_) for name, flow in ways],
        )

    def _ways(self, target: NumberTarget) -> Iterator[tuple[Trunk, Flow]]:
        lines = self.exchange.stack.lines
        for line in [lines.get(target.trunk)] if target.trunk is not None else lines.in_order():
            trunk = self.config.trunks.get(line.trunk.name) if line is not None else None
            if line is not None and trunk is not None:
                for flow in line.flows():
                    yield trunk, flow

    def _attempt(self, target: NumberTarget, trunk: Trunk, flow: Flow, from_: str) -> Attempt:
        country = self.config.server.country
        shown = NameAddr.parse(from_)
        host = trunk.domain or (trunk.host if trunk.register_ else None) or self.exchange.address
        identity = presented(shown.uri.user or "", shown.display, trunk, country, host)
        invited = _target(target, trunk, flow, country)
        return Attempt(
            target=invited,
            from_=identity.from_,
            to=f"<{invited.uri}>",
            headers=identity.headers,
            credentials=(trunk.username, trunk.password or "") if trunk.username else None,
        )

    def text_ways(self, target: NumberTarget, from_: str) -> list[Attempt]:
        """Where a text to a number goes over a trunk, best first. ``from_`` is a name-addr."""
        return [self._attempt(target, trunk, flow, from_) for trunk, flow in self._ways(target)]

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


def _target(target: NumberTarget, trunk: Trunk, flow: Flow, country: str) -> InviteTarget:
    number = written_for(target.number, trunk, country)
    host = trunk.domain or trunk.host or flow.remote.host
    port = trunk.port if trunk.domain is None else None
    params = {"transport": flow.transport} if flow.transport != "udp" else {}
    return InviteTarget(uri=str(URI("sip", number, host=host, port=port, params=params)), flow=flow)
