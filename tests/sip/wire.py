"""Two or more cores joined in memory, on virtual time, by a line that may lose, repeat and reorder.

Everything is deterministic: the line's faults come from a seeded generator or from ``drop``, which is
asked about each message. ``run`` lets a stretch of time pass in the order in which things fall due.
"""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import ip_network

from sip.client_session import ClientSession, InviteTarget
from sip.core import Core, StackConfig
from sip.flow import Address, Flow
from sip.guard import Limits
from sip.invite import SessionEvent
from sip.locate import Hop, default_port
from sip.message import Message, Request, parse
from sip.server_session import ServerSession
from sip.trunk import Account, Trunk


def description(host: str, port: int) -> bytes:
    lines = ["v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0", f"m=audio {port} RTP/AVP 0"]
    return "".join(f"{line}\r\n" for line in lines).encode()


OFFER = description("192.0.2.1", 4000)
ANSWER = description("192.0.2.2", 5000)


@dataclass
class Line:
    """What lies between the cores."""

    loss: float = 0.0
    duplication: float = 0.0
    delay_s: float = 0.01
    jitter_s: float = 0.0
    seed: int = 1
    now: float = 1000.0
    drop: Callable[[Message], bool] = lambda message: False
    pings: int = 0
    sent: list[Message] = field(default_factory=list)  # lost ones included
    ends: dict[Address, "End"] = field(default_factory=dict)
    hops: dict[str, list[Hop]] = field(default_factory=dict)  # what the DNS would say
    dead: set[Address] = field(default_factory=set)  # addresses where nobody listens any more: ICMP
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _serial: int = 0

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def at(self, when: float, what: Callable[[], None]) -> None:
        self._serial += 1
        heapq.heappush(self._due, (when, self._serial, what))

    def run(self, seconds: float) -> None:
        until = self.now + seconds
        while self._due and self._due[0][0] <= until:
            when, _, what = heapq.heappop(self._due)
            self.now = max(self.now, when)
            what()
        self.now = until

    def carry(self, data: bytes, source: Address, flow: Flow) -> None:
        if not data.strip():
            self.pings += 1
            return
        message = parse(data)
        self.sent.append(message)
        if flow.remote in self.dead:
            self.at(self.now + self.delay_s, lambda: self.ends[source].core.flow_failed(flow))
            return
        if self.drop(message) or self._random.random() < self.loss:
            return
        copies = 2 if self._random.random() < self.duplication else 1
        for _ in range(copies):
            delay_s = self.delay_s + self._random.random() * self.jitter_s
            self.at(self.now + delay_s, lambda: self.deliver(data, source, flow))

    def deliver(self, data: bytes, source: Address, flow: Flow) -> None:
        end = self.ends.get(flow.remote)
        if end is not None:
            end.core.receive(data, Flow(flow.transport, source, 0, flow.connection))

    def methods(self) -> list[str]:
        """What was sent, as ``INVITE``, ``180 INVITE``, …"""
        return [label(message) for message in self.sent]


class End:
    """One core's wire, at an address."""

    def __init__(self, line: Line, address: Address) -> None:
        self.line = line
        self.address = address
        self.core: Core
        self.received: list[ServerSession] = []
        self.closed: set[int] = set()
        self.aliases: list[tuple[Flow, Address]] = []
        line.ends[address] = self

    def now(self) -> float:
        return self.line.now

    def send(self, flow: Flow, data: bytes) -> None:
        self.line.carry(data, self.address, flow)

    def local(self, flow: Flow) -> Address:
        return self.address

    def alias(self, flow: Flow, address: Address) -> None:
        self.aliases.append((flow, address))

    def alive(self, flow: Flow) -> bool:
        return flow.connection not in self.closed

    def locate(self, place, then) -> None:
        """From the line's table, as if at once; an address is its own hop."""
        hops = self.line.hops.get(place.host)
        if hops is None:
            transport = place.transport or "udp"
            hops = [Hop(transport, Address(place.host, place.port or default_port(transport)), place.host)]
        self.line.at(self.line.now, lambda: then(hops, 3600.0))

    def wake(self, at: float) -> None:
        self.line.at(at, self.core_tick)

    def core_tick(self) -> None:
        self.core.tick()

    # what a handler does

    def invite_received(self, session: ServerSession) -> None:
        self.received.append(session)
        heard: list[SessionEvent] = []
        session.events = heard  # type: ignore[attr-defined]
        session.on_event = heard.append

    # what a caller does

    def call(self, other: "End", **options: object) -> tuple[ClientSession, list[SessionEvent]]:
        events: list[SessionEvent] = []
        owner = options.pop("owner", None)
        session = self.core.invite(
            InviteTarget(uri=f"sip:100@{other.address}", flow=Flow("udp", other.address), owner=owner),
            offer=OFFER,
            from_=f"<sip:200@{self.address}>",
            to=f"<sip:100@{other.address}>",
            on_event=events.append,
            **options,
        )
        return session, events

    def left(self) -> tuple[int, int, int]:
        """Sessions, dialogs and transactions that still exist."""
        endpoint = self.core.endpoint
        return len(endpoint.sessions), len(endpoint.dialogs), len(endpoint.transactions)


ACCOUNTS = {
    "alice": Account("alice", "wonderland"),
    "101": Account("alice", "wonderland"),
    "bob": Account("bob", "builder"),
}


def make_end(line: Line, host: str, *, trusts: str = "192.0.2.0/24", limits: Limits | None = None) -> End:
    end = End(line, Address(host, 5060))
    trunk = Trunk(name="carrier", allow_from=(ip_network(trusts),))
    config = StackConfig(
        listen=(),
        realm="example",
        nonce_secret=b"secret of these tests, 32 bytes.",
        accounts=ACCOUNTS,
        trunks=(trunk,),
        limits=limits or Limits(),
    )
    end.core = Core(config, end, end)
    return end


def pair(line: Line) -> tuple[End, End]:
    return make_end(line, "192.0.2.1"), make_end(line, "192.0.2.2")


def label(message: Message) -> str:
    if isinstance(message, Request):
        return message.method
    return f"{message.status} {message.cseq.method}"
