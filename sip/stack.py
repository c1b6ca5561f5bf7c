"""The asyncio driver: sockets, the clock and one timer, around :class:`sip.core.Core`.

It decides nothing. A datagram or a message cut from a TCP stream goes to ``core.receive``; what the
core sends goes out at once; the core's timer queue is served by a single ``loop.call_at``. Host names
are looked up here, off the loop, and remembered for a while. Everything runs on the event loop's
thread, and so must every call into it.
"""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

from sip.bans import Bans
from sip.client_session import Attempt, ClientSession, InviteTarget
from sip.core import Core, Handler, StackConfig
from sip.counters import Counters
from sip.flow import Address, Flow, is_ip, unbracketed
from sip.headers import Replaces
from sip.invite import SessionEvent
from sip.locate import Hop, Place
from sip.message import Response
from sip.registrar import Registrar
from sip.server_session import ServerSession
from sip.session import Session
from sip.transport.connections import SECURE, STREAMS, Connections
from sip.transport.dns import DnsResolver, Resolver, search
from sip.transport.tls import TlsContexts, TlsError
from sip.transport.udp import UdpSocket
from sip.trunk_line import TrunkLines

log = logging.getLogger(__name__)

OnMessage = Callable[[bool, Flow, bytes], None]

NAME_LIFETIME_S = 60.0
BUSY_TO_OVERLOADED_S = 1.0


class ListenError(Exception):
    """A listening address cannot be had; the message names it and says why."""


class Stack:
    """SIP on real sockets. ``handler`` hears of each call that comes in."""

    def __init__(self, config: StackConfig, handler: Handler, resolver: Resolver | None = None) -> None:
        self._config = config
        self._resolver = resolver or DnsResolver()
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._udp: dict[int, UdpSocket] = {}
        self._addresses: list[tuple[str, Address]] = []  # of each listener: transport, address bound
        self._connections = Connections(self, TlsContexts(), config.limits)
        self._names: dict[str, tuple[str, float]] = {}
        self._lookups: dict[str, list[tuple[Flow, bytes]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy_since: float | None = None
        self._closed = False
        self.on_message: OnMessage | None = None  # hears what is sent (True) and received (False)
        self._local_address = lru_cache(maxsize=4096)(self._address_towards)
        self._listener_of = lru_cache(maxsize=64)(self._listener_for)
        self.core = Core(config, handler, self)

    # --- the public face

    @property
    def registrar(self) -> Registrar:
        return self.core.registrar

    @property
    def lines(self) -> TrunkLines:
        """What each trunk that takes calls is doing."""
        return self.core.lines

    @property
    def bans(self) -> Bans:
        return self.core.bans

    @property
    def counters(self) -> Counters:
        return self.core.counters

    @property
    def sessions(self) -> int:
        """How many sessions are up or being ended."""
        return len(self.core.endpoint.sessions)

    @property
    def dialogs(self) -> int:
        return len(self.core.endpoint.dialogs)

    @property
    def transactions(self) -> int:
        return len(self.core.endpoint.transactions)

    @property
    def listening(self) -> tuple[str, ...]:
        """What was bound, ports chosen by the system included, in the order of ``config.listen``."""
        return tuple(f"{transport}://{address}" for transport, address in self._addresses)

    async def start(self) -> None:
        """Bind everything. Raises ListenError, with nothing left bound, if any address cannot be had."""
        try:
            self._connections.contexts.renew(self._config.tls)
        except TlsError as error:
            raise ListenError(str(error)) from error
        for index, url in enumerate(self._config.listen):
            transport, address = parse_listen(url)
            if transport in SECURE and self._config.tls is None:
                await self.close()
                raise ListenError(f"cannot listen on {url} without a certificate")
            try:
                if transport == "udp":
                    self._udp[index] = udp = self._open_udp(address, index)
                    bound = udp.address
                else:
                    bound = await self._connections.listen(transport, address, index)
            except OSError as error:
                await self.close()
                raise ListenError(f"cannot listen on {url}: {error.strerror or error}") from error
            self._addresses.append((transport, bound))
            self._listener_of.cache_clear()
        self.core.start()

    async def close(self) -> None:
        """Close every socket and stop every timer. Sessions get no BYE: end them before."""
        if self._closed:
            return
        self.core.lines.stop()
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        self.core.endpoint.queue.clear()
        for udp in self._udp.values():
            udp.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._connections.close()

    def reconfigure(self, config: StackConfig) -> None:
        """Other accounts, trunks and certificates, live. Listening addresses, realm and timers stay."""
        try:
            self._connections.contexts.renew(config.tls)
        except TlsError as error:
            log.error("the certificates in use stay: %s", error)
        self._config = replace(config, listen=self._config.listen)
        self._local_address.cache_clear()
        self.core.reconfigure(self._config)

    def refuse_new(self, refusing: bool) -> None:
        """While draining: 503 with Retry-After to new calls."""
        self.core.load.refusing = refusing

    def invite(
        self,
        target: InviteTarget,
        *,
        offer: bytes,
        from_: str,
        to: str,
        headers: Sequence[tuple[str, str]] = (),
        credentials: tuple[str, str] | None = None,
        fallbacks: Sequence[Attempt] = (),
        on_event: Callable[[SessionEvent], None],
    ) -> ClientSession:
        """Call somebody; see :meth:`sip.core.Core.invite`."""
        return self.core.invite(
            target,
            offer=offer,
            from_=from_,
            to=to,
            headers=headers,
            credentials=credentials,
            fallbacks=fallbacks,
            on_event=on_event,
        )

    def session_of(self, replaces: Replaces) -> Session | None:
        return self.core.session_of(replaces)

    def challenge(self, session: ServerSession) -> None:
        """Refuse a call with 407, to have it again with the agent's password proved."""
        self.core.challenge(session)

    async def message(
        self,
        uri: str,
        flow: Flow,
        *,
        from_: str,
        text: str,
        headers: Sequence[tuple[str, str]] = (),
        credentials: tuple[str, str] | None = None,
    ) -> int:
        """Send a text (RFC 3428); the final status, 0 if there was no answer."""
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def end(response: Response | None) -> None:
            if not ended.done():
                ended.set_result(response.status if response is not None else 0)

        self.core.message(
            uri, flow, from_=from_, text=text, headers=headers, credentials=credentials, end=end
        )
        return await ended

    # --- the wire, as the core sees it

    def now(self) -> float:
        return self._loop.time()

    def alias(self, flow: Flow, address: Address) -> None:
        self._connections.alias(flow, address)

    def wake(self, at: float) -> None:
        if self._closed:
            return
        if self._timer is not None:
            if not self._timer.cancelled() and self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._tick)

    def alive(self, flow: Flow) -> bool:
        return flow.transport == "udp" or self._connections.alive(flow)

    def local(self, flow: Flow) -> Address:
        return self._local_address(flow.transport, flow.listener, flow.remote.host)

    def locate(self, place: Place, then: Callable[[Sequence[Hop], float], None]) -> None:
        self._start(self._locate(place, then))

    def send(self, flow: Flow, data: bytes) -> None:
        if self._closed:
            return
        self._tell(True, flow, data)
        host = flow.remote.host
        if is_ip(host):
            self._send_to(flow, flow.remote, data)
            return
        known = self._names.get(host)
        if known is not None and known[1] > self.now():
            self._send_to(flow, Address(known[0], flow.remote.port), data)
            return
        waiting = self._lookups.setdefault(host, [])
        waiting.append((flow, data))
        if len(waiting) == 1:
            self._start(self._look_up(host))

    # --- the inside

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _locate(self, place: Place, then: Callable[[Sequence[Hop], float], None]) -> None:
        spoken = tuple(dict.fromkeys(transport for transport, _ in self._addresses))
        ipv6 = any(":" in address.host for _, address in self._addresses)
        hops, holds_s = await search(self._resolver, place, transports=spoken, ipv6=ipv6)
        then(hops, holds_s)

    def _open_udp(self, address: Address, index: int) -> UdpSocket:
        def datagram(data: bytes, source: Address) -> None:
            self.message_received(data, Flow("udp", source, index))

        def refused(remote: Address) -> None:
            for listener in range(len(self._addresses)):  # whichever a flow to there has named
                self.undeliverable(Flow("udp", remote, listener))

        return UdpSocket(address, on_datagram=datagram, on_refused=refused, on_drained=self._drained)

    def _tick(self) -> None:
        self._timer = None
        try:
            self.core.tick()
        except Exception:
            log.exception("a timer failed")
            self.wake(self.now())  # what else is due still wants to be served

    def _drained(self, empty: bool) -> None:
        """A socket that never runs empty is how overload looks from here."""
        if empty:
            self._busy_since = None
            self.core.load.overloaded = False
        elif self._busy_since is None:
            self._busy_since = self.now()
        elif self.now() - self._busy_since > BUSY_TO_OVERLOADED_S:
            self.core.load.overloaded = True

    def _send_to(self, flow: Flow, remote: Address, data: bytes) -> None:
        if flow.transport != "udp":
            self._connections.send(flow if remote == flow.remote else _moved(flow, remote), data)
            return
        try:
            listener = self._listener_of(flow.transport, flow.listener, ":" in remote.host)
            self._udp[listener].send(data, remote)
        except OSError as error:
            log.info("cannot send to %s: %s", flow, error.strerror or error)
            self.undeliverable(flow)

    def _address_towards(self, transport: str, listener: int, remote_host: str) -> Address:
        """What we call ourselves towards ``remote_host``."""
        address = self._addresses[self._listener_of(transport, listener, ":" in remote_host)][1]
        external = self._config.external_address
        if external is not None and not self.is_local(remote_host):
            return Address(external, address.port)
        if ip_address(address.host).is_unspecified:
            return Address(_source_address(remote_host), address.port)
        return address

    def is_local(self, host: str) -> bool:
        """Whether ``host`` reaches us by our own address, without a NAT between."""
        networks = self._config.local_networks
        if not networks:
            return _is_private(host)
        return is_ip(host) and any(ip_address(host) in network for network in networks)

    def _listener_for(self, transport: str, listener: int, is_ipv6: bool) -> int:
        """The listener asked for, if it fits, or the first that speaks the transport and address family."""
        fitting = [
            index
            for index, (spoken, address) in enumerate(self._addresses)
            if spoken == transport and (":" in address.host) == is_ipv6
        ]
        if listener in fitting:
            return listener
        # None fits a TCP peer called from a server that listens on UDP only, say.
        return fitting[0] if fitting else min(listener, len(self._addresses) - 1)

    async def _look_up(self, host: str) -> None:
        found: str | None = None
        with contextlib.suppress(OSError):
            results = await self._loop.getaddrinfo(unbracketed(host), None, type=socket.SOCK_DGRAM)
            families = {socket.AF_INET6 if ":" in a.host else socket.AF_INET for _, a in self._addresses}
            found = next((str(r[4][0]) for r in results if r[0] in families), None)
        waiting = self._lookups.pop(host)
        if found is None:
            log.warning("the name %s has no address that we can reach", host)
            for flow, _ in waiting:
                self.undeliverable(flow)
            return
        self._names[host] = (found, self.now() + NAME_LIFETIME_S)
        for flow, data in waiting:
            self._send_to(flow, Address(found, flow.remote.port), data)

    # --- what the transports report

    def _tell(self, out: bool, flow: Flow, data: bytes) -> None:
        if self.on_message is not None:
            try:
                self.on_message(out, flow, data)
            except Exception:
                log.exception("who listens to the messages failed")

    def message_received(self, data: bytes, flow: Flow) -> None:
        self._tell(False, flow, data)
        try:
            self.core.receive(data, flow)
        except Exception:
            # Whatever one message does, the next one must be heard.
            log.exception("a message from %s could not be handled", flow)

    def undeliverable(self, flow: Flow) -> None:
        # Never from inside the core's own call to send: it is told when it is done.
        self._loop.call_soon(self._if_open, self.core.flow_failed, flow)

    def connection_closed(self, flow: Flow) -> None:
        self._loop.call_soon(self._if_open, self.core.flow_closed, flow)

    def is_known(self, flow: Flow) -> bool:
        return self.core.keeps(flow)

    def admits(self, remote: Address) -> bool:
        connections = self._connections
        return self.core.admits(remote.host, connections.connections_from(remote.host), len(connections))

    def _if_open(self, tell: Callable[[Flow], None], flow: Flow) -> None:
        if not self._closed:
            tell(flow)


def parse_listen(url: str) -> tuple[str, Address]:
    """``udp://127.0.0.1:5060`` taken apart. Raises ListenError."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        port = None
    host = parts.hostname or ""
    if parts.scheme not in ("udp", *STREAMS) or port is None or not is_ip(host):
        known = ", ".join(("udp", *STREAMS))
        raise ListenError(f"cannot listen on {url}: write udp://address:port; transports are {known}")
    return parts.scheme, Address(host, port)


def _moved(flow: Flow, remote: Address) -> Flow:
    return replace(flow, remote=remote, server_name=flow.server_name or flow.remote.host)


@lru_cache(maxsize=4096)
def _is_private(host: str) -> bool:
    return is_ip(host) and ip_address(host).is_private


def _source_address(remote: str) -> str:
    """Our address on the way to ``remote``, as the routing table has it; no packet is sent."""
    is_ipv6 = ":" in remote
    with socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((remote, 9))
        except OSError:
            return "::1" if is_ipv6 else "127.0.0.1"
        return str(probe.getsockname()[0])
