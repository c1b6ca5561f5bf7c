"""Where an agent or a number is reached, and what they see as the caller."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pbx.config.models import Config, Trunk
from pbx.flows.control import AgentTarget, NumberTarget, Target
from pbx.legs import Destination, Exchange
from pbx.ringing import Unroutable
from sip import Address, Flow, InviteTarget
from sip.headers import NameAddr
from sip.uri import URI

if TYPE_CHECKING:
    from pbx.calls import LiveCall

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
            return [Destination(self._static(agent.contact))]
        bindings = self.exchange.stack.registrar.bindings(target.agent)
        if not bindings:
            raise Unroutable("not_registered")
        return [
            Destination(InviteTarget(uri=binding.contact_uri, flow=binding.flow, owner=target.agent))
            for binding in bindings
        ]

    def _static(self, contact: str) -> InviteTarget:
        uri = URI.parse(contact)
        transport = uri.params.get("transport") or "udp"
        return InviteTarget(uri=contact, flow=Flow(transport, Address(uri.host, uri.port or SIP_PORT)))

    def _over_trunk(self, target: NumberTarget) -> Destination:
        trunk = _trunk_for(target, self.config.trunks)
        if trunk is None or trunk.host is None:
            raise Unroutable("no_trunk")
        transport = ";transport=tcp" if trunk.transport == "tcp" else ""
        uri = f"sip:{target.number}@{trunk.host}:{trunk.port}{transport}"
        flow = Flow(trunk.transport, Address(trunk.host, trunk.port))
        credentials = (trunk.username, trunk.password or "") if trunk.username else None
        return Destination(InviteTarget(uri=uri, flow=flow), credentials)

    def caller_id(self, call: "LiveCall", target: Target) -> str:
        """The caller's number; out on a trunk, the number they dialled, which is ours to present."""
        facts = call.facts
        host = self.exchange.address
        if isinstance(target, AgentTarget):
            if not facts.caller:
                return str(NameAddr("Anonymous", URI("sip", "anonymous", host=host)))
            # Not every caller is a number: quoted and escaped, a name can say nothing but itself.
            return str(NameAddr(facts.caller, URI("sip", facts.caller, host=host)))
        return str(NameAddr("", URI("sip", facts.did, host=host)))


def _trunk_for(target: NumberTarget, trunks: Mapping[str, Trunk]) -> Trunk | None:
    if target.trunk is not None:
        return trunks.get(target.trunk)
    return next((trunk for trunk in trunks.values() if trunk.host), None)
