"""Trunks, accounts and the question who sent a request.

In this order (the first that fits): credentials, or the address and port of a registration, make it
that agent's; otherwise an address in a trunk's ``allow_from`` makes it that trunk's; anything else
is a stranger's. On loopback, where trunk and phones share one address, the order keeps them apart.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address

from sip.flow import Address, Flow


@dataclass(frozen=True, slots=True)
class Account:
    """An agent who may authenticate. ``owner`` is the agent's id, whichever user name is used."""

    owner: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    name: str
    allow_from: tuple[IPv4Network | IPv6Network, ...] = ()
    host: str | None = None  # where calls out go
    port: int = 5060
    transport: str = "udp"
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def flow(self) -> Flow:
        """Where this trunk takes our calls. Raises ValueError if it takes none."""
        if self.host is None:
            raise ValueError(f"trunk {self.name} has no host: it only brings calls in")
        return Flow(self.transport, Address(self.host, self.port))


class Directory:
    """Who is known: accounts by digest user name, trunks by address."""

    def __init__(self, accounts: Mapping[str, Account], trunks: Sequence[Trunk]) -> None:
        self.accounts = dict(accounts)
        self.trunks = tuple(trunks)
        self.trunk_at = lru_cache(maxsize=4096)(self._trunk_at)

    @property
    def owners(self) -> frozenset[str]:
        return frozenset(account.owner for account in self.accounts.values())

    def _trunk_at(self, host: str) -> str | None:
        """The first trunk whose calls come from ``host``."""
        address = ip_address(host.partition("%")[0])
        if address.version == 6 and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        for trunk in self.trunks:
            if any(address in network for network in trunk.allow_from):
                return trunk.name
        return None
