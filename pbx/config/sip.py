"""Where SIP is spoken, and with which certificates."""

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from pydantic import Field

from pbx.config.fields import Host, ListenUrl, Model


class SipKeyPair(Model):
    certificate: Path = Field(description="PEM file: the certificate, and the chain behind it.")
    key: Path = Field(description="PEM file: its key, not encrypted.")


class SipTls(SipKeyPair):
    listen: ListenUrl | None = Field(None, description="Where SIP over TLS is spoken: tls://address:port.")
    names: dict[str, SipKeyPair] = Field(
        default_factory=dict, description="Other certificates, by the name that a client asks for (SNI)."
    )
    authorities: Path | None = Field(
        None, description="PEM file of the authorities to believe; without it, the system's."
    )
    verify_clients: bool = Field(
        False, description="Take no connection without a certificate from those authorities."
    )


class Sip(Model):
    listen: list[ListenUrl] = Field(
        default_factory=lambda: ["udp://127.0.0.1:5060", "tcp://127.0.0.1:5060"],
        description="Where SIP is spoken: udp, tcp, tls, ws or wss://address:port.",
    )
    tls: SipTls | None = Field(None, description="Certificate and key for tls and wss; see TLS.")
    external_address: Host | None = Field(None, description="What SDP and Contact say when behind NAT.")
    local_networks: list[IPv4Network | IPv6Network] = Field(
        default_factory=list,
        description="Reached without that NAT; if none are listed, all private addresses.",
    )

    @property
    def every_listen(self) -> tuple[str, ...]:
        return (*self.listen, *([self.tls.listen] if self.tls and self.tls.listen else []))
