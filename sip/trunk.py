"""Trunks, accounts and the question who sent a request.

In this order (the first that fits): credentials, or the address and port of a registration, make it
that agent's; otherwise an address in a trunk's ``allow_from`` makes it that trunk's; anything else
is a stranger's. On loopback, where trunk and phones share one address, the order keeps them apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address

from sip.flow import bracketed
from sip.invite import FromTrunk, Identity
from sip.locate import Place
from sip.uri import escaped_user


@dataclass(frozen=True, slots=True)
class Account:
    """An agent who may authenticate. ``owner`` is the agent's id, whichever user name is used."""

    owner: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    """A carrier, as an admin decides it; what it is doing is a :class:`sip.trunk_line.TrunkLine`'s to say."""

    name: str
    allow_from: tuple[IPv4Network | IPv6Network, ...] = ()
    host: str | None = None  # where calls out go; None: it only brings calls in
    port: int | None = None  # None: the DNS says (RFC 3263)
    transport: str | None = "udp"  # None: the DNS says that too
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    domain: str | None = None  # of our address of record there; None: the host
    register: bool = False
    expires_s: int = 3600  # what REGISTER asks for
    probe_s: float = 0.0  # between two OPTIONS; 0: none
    priority: int = 1  # the lowest is tried first

    @property
    def place(self) -> Place | None:
        """Where it takes our requests."""
        return Place(self.host, self.port, self.transport) if self.host is not None else None

    @property
    def uri(self) -> str:
        """The Request-URI of what we ask of the trunk itself."""
        return f"sip:{bracketed(self.domain or self.host or '')}"

    @property
    def address_of_record(self) -> str:
        user = f"{escaped_user(self.username)}@" if self.username else ""
        return f"sip:{user}{bracketed(self.domain or self.host or '')}"


class Directory:
    """Who is known: accounts by digest user name, trunks by address."""

    def __init__(self, accounts: Mapping[str, Account], trunks: Sequence[Trunk]) -> None:
        self.accounts = dict(accounts)
        self.trunks = tuple(trunks)
        self.trunk_at = lru_cache(maxsize=4096)(self._trunk_at)

    @property
    def owners(self) -> frozenset[str]:
        return frozenset(account.owner for account in self.accounts.values())

    def credentials_of(self, identity: Identity) -> tuple[str, str] | None:
        """Ours towards whoever that is: what we prove a trunk, should it challenge us."""
        if not isinstance(identity, FromTrunk):
            return None
        trunk = next((trunk for trunk in self.trunks if trunk.name == identity.name), None)
        return (trunk.username, trunk.password or "") if trunk is not None and trunk.username else None

    def _trunk_at(self, host: str) -> str | None:
        """The first trunk whose calls come from ``host``."""
        address = ip_address(host.partition("%")[0])
        if address.version == 6 and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        for trunk in self.trunks:
            if any(address in network for network in trunk.allow_from):
                return trunk.name
        return None
