"""Connections: TCP, TLS and WebSockets, those that peers open and those that we open.

Each is one ordered writer. A message for a peer to whom no connection stands waits for the one being
opened; if that fails, everybody who waited is told, by flow. A connection serves both ways as long as
it stands (RFC 5923); a TLS one only for a peer whose name it proved.

Every few seconds all of them are looked through. One that we opened and that has been quiet is pinged
(RFC 5626 §4.4.1); a peer that has answered pings before and no longer does is gone, though no packet
says so. One from a stranger who has sent no whole message for a while is closed: neither a silent
connection nor half a message, dripping in, holds anything for long.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable
from typing import Protocol

from sip.flow import Address, Flow
from sip.guard import Limits
from sip.transport.door import BACKLOG, TlsDoor
from sip.transport.framing import Framing, StreamFraming, WebSocketFraming
from sip.transport.stream import StreamError
from sip.transport.tls import TlsContexts

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0
MAX_UNSENT_BYTES = 1024 * 1024  # a peer that does not read is cut off
MAX_FLOWS = 1000  # remembered of one connection
SWEEP_S = 5.0
PING_AFTER_S, PONG_WITHIN_S = 30.0, 10.0

SECURE = frozenset({"tls", "wss"})
STREAMS: dict[str, Callable[[], Framing]] = {
    "tcp": StreamFraming,
    "tls": StreamFraming,
    "ws": WebSocketFraming,
    "wss": WebSocketFraming,
}

Key = tuple[str, Address]  # transport and peer


class Owner(Protocol):
    """What connections report to."""

    def message_received(self, data: bytes, flow: Flow) -> None: ...
    def connection_closed(self, flow: Flow) -> None: ...
    def undeliverable(self, flow: Flow) -> None: ...
    def admits(self, remote: Address) -> bool: ...
    def is_known(self, flow: Flow) -> bool: ...


class Connections:
    """All connections of a stack."""

    def __init__(self, owner: Owner, contexts: TlsContexts, limits: Limits) -> None:
        self.contexts = contexts
        self._idle_s = limits.stranger_idle_s
        self._sweep_s = min(SWEEP_S, self._idle_s / 2)
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        self._serial = 0
        self._by_id: dict[int, Connection] = {}
        self._by_remote: dict[Key, Connection] = {}
        self._waiting: dict[Key, list[tuple[Flow, bytes]]] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._per_host: dict[str, int] = {}
        self._shaking: dict[str, int] = {}  # TLS handshakes under way, by host
        self._servers: list[asyncio.Server] = []
        self._doors: list[TlsDoor] = []
        self._sweeper: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._by_id) + sum(self._shaking.values())

    async def listen(self, transport: str, address: Address, listener: int) -> Address:
        """Raises OSError when the address cannot be had."""
        if transport in SECURE:
            assert self.contexts.server is not None
            door = TlsDoor(
                address,
                self.contexts.server,
                self,
                lambda: Connection(self, transport, listener, admitted=True),
            )
            self._doors.append(door)
            return door.address
        server = await self._loop.create_server(
            lambda: Connection(self, transport, listener), address.host, address.port, backlog=BACKLOG
        )
        self._servers.append(server)
        host, port = server.sockets[0].getsockname()[:2]
        return Address(host, port)

    def connections_from(self, host: str) -> int:
        return self._per_host.get(host, 0) + self._shaking.get(host, 0)

    def knocks(self, remote: Address) -> bool:
        if not self._owner.admits(remote):
            return False
        self._shaking[remote.host] = self._shaking.get(remote.host, 0) + 1
        return True

    def came_in(self, remote: Address) -> None:
        left = self._shaking[remote.host] - 1
        if left:
            self._shaking[remote.host] = left
        else:
            del self._shaking[remote.host]

    def alive(self, flow: Flow) -> bool:
        return flow.connection in self._by_id

    def alias(self, flow: Flow, address: Address) -> None:
        """Requests to ``address`` may go by the flow's connection (RFC 5923)."""
        connection = self._by_id.get(flow.connection)
        if connection is not None:
            self._by_remote.setdefault((flow.transport, address), connection)
            connection.keys.add((flow.transport, address))

    def send(self, flow: Flow, data: bytes) -> None:
        """Over the flow's own connection, else one that stands to the same peer, else a new one."""
        key = (flow.transport, flow.remote)
        connection = self._by_id.get(flow.connection) or self._by_remote.get(key)
        if connection is not None:
            connection.send(data, flow)
            return
        waiting = self._waiting.setdefault(key, [])
        waiting.append((flow, data))
        if len(waiting) == 1:
            task = self._loop.create_task(self._open(flow))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
        for task in tuple(self._opening):
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for server in self._servers:
            server.close()
        for door in self._doors:
            await door.close()
        for connection in tuple(self._by_id.values()):
            connection.abort()
        await asyncio.sleep(0)  # lets the closed transports say so
        self._by_id.clear()
        self._by_remote.clear()

    async def _open(self, flow: Flow) -> None:
        remote, transport = flow.remote, flow.transport
        key = (transport, remote)
        secure = transport in SECURE
        try:
            if transport not in ("tcp", "tls"):
                raise ConnectionError(f"a {transport} peer must call us")
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, connection = await self._loop.create_connection(
                    lambda: Connection(self, transport, flow.listener, opened_to=remote),
                    remote.host,
                    remote.port,
                    ssl=self.contexts.client if secure else None,
                    server_hostname=(flow.server_name or remote.host) if secure else None,
                )
        except (OSError, ssl.SSLError) as error:  # TimeoutError is one
            log.info("no %s connection to %s: %s", transport, remote, error or "timed out")
            for waiting, _ in self._waiting.pop(key, []):
                self._owner.undeliverable(waiting)
            return
        for waiting, data in self._waiting.pop(key, []):
            connection.send(data, waiting)

    # --- what connections report

    def opened(self, connection: "Connection") -> Flow | None:
        """A number for a new connection; None if it is one too many."""
        remote = connection.remote
        if connection.opened_to is None and not connection.admitted and not self._owner.admits(remote):
            return None
        self._serial += 1
        flow = Flow(connection.transport_name, remote, connection.listener, self._serial)
        self._by_id[flow.connection] = connection
        key = (flow.transport, connection.opened_to or remote)
        self._by_remote[key] = connection
        connection.keys.add(key)
        self._per_host[remote.host] = self._per_host.get(remote.host, 0) + 1
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(self._sweep_s, self._sweep)
        return flow

    def received(self, flow: Flow, message: bytes) -> None:
        self._owner.message_received(message, flow)

    def closed(self, connection: "Connection", flow: Flow) -> None:
        self._by_id.pop(flow.connection, None)
        for key in connection.keys:
            if self._by_remote.get(key) is connection:
                del self._by_remote[key]
        left = self._per_host.get(flow.remote.host, 1) - 1
        if left:
            self._per_host[flow.remote.host] = left
        else:
            self._per_host.pop(flow.remote.host, None)
        for used in connection.flows - {flow}:
            self._owner.undeliverable(used)
        self._owner.connection_closed(flow)

    def _sweep(self) -> None:
        now = self._loop.time()
        for connection in tuple(self._by_id.values()):
            connection.look_after(now, self._owner, self._idle_s)
        self._sweeper = self._loop.call_later(self._sweep_s, self._sweep) if self._by_id else None


class Connection(asyncio.Protocol):
    """One connection, ours or the peer's."""

    def __init__(
        self,
        connections: Connections,
        transport: str,
        listener: int,
        opened_to: Address | None = None,
        *,
        admitted: bool = False,
    ) -> None:
        """``admitted``: it was asked for before its handshake."""
        self.transport_name = transport
        self.listener = listener
        self.opened_to = opened_to
        self.admitted = admitted
        self.remote = Address("", 0)
        self.flows: set[Flow] = set()  # by which something was sent here
        self.keys: set[Key] = set()  # under which it is known
        self._connections = connections
        self._framing = STREAMS[transport]()
        self._flow: Flow | None = None
        self._transport: asyncio.Transport | None = None
        self._heard_at = self._message_at = self._sent_at = 0.0
        self._pinged_at: float | None = None
        self._answers_pings = False

    def send(self, data: bytes, flow: Flow) -> None:
        if len(self.flows) < MAX_FLOWS:
            self.flows.add(flow)
        self._write(self._framing.wrap(data))

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def look_after(self, now: float, owner: Owner, idle_s: float) -> None:
        """Ping a quiet peer that we called, and end what is of no use any more."""
        if self._flow is None:
            return
        if self.opened_to is None:
            if now - self._message_at > idle_s and not owner.is_known(self._flow):
                self.abort()
        elif self._pinged_at is not None:
            if self._answers_pings and now - self._pinged_at > PONG_WITHIN_S:
                log.info("%s peer %s does not answer any more; closed", self.transport_name, self.remote)
                self.abort()
        elif now - max(self._heard_at, self._sent_at) > PING_AFTER_S:
            self._pinged_at = now
            self._write(self._framing.ping())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        host, port = (transport.get_extra_info("peername") or ("", 0))[:2]
        self.remote = Address(host, port)
        self._heard_at = self._message_at = asyncio.get_running_loop().time()
        self._flow = self._connections.opened(self)
        if self._flow is None:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._flow is None or self._transport is None:
            return
        self._heard_at = asyncio.get_running_loop().time()
        if self._pinged_at is not None:
            self._answers_pings, self._pinged_at = True, None
        try:
            messages, reply = self._framing.feed(data)
        except StreamError as error:
            log.info("%s peer %s: %s; closed", self.transport_name, self.remote, error)
            self._transport.write(error.last_words)
            self._transport.close()
            return
        if reply:
            self._write(reply)
        for message in messages:
            self._message_at = self._heard_at
            self._connections.received(self._flow, message)
            if self._flow is None:  # closed by what it brought
                return

    def connection_lost(self, exc: Exception | None) -> None:
        flow, self._flow, self._transport = self._flow, None, None
        if flow is not None:
            self._connections.closed(self, flow)

    def _write(self, data: bytes) -> None:
        if self._transport is None:
            return
        self._sent_at = asyncio.get_running_loop().time()
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            log.warning("%s peer %s does not read; cut off", self.transport_name, self.remote)
            self._transport.abort()
