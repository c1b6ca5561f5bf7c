"""TCP: a listening socket's connections, and those that we open.

Each connection is one ordered writer. A message for a peer to whom no connection stands waits for
the one being opened; if that fails, everybody who waited is told, by flow.
"""

import asyncio
import logging
from typing import Protocol

from sip.flow import Address, Flow
from sip.transport.stream import PING, PONG, Framer, StreamError

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0
MAX_UNSENT_BYTES = 1024 * 1024  # a peer that does not read is cut off


class Owner(Protocol):
    """What connections report to."""

    def message_received(self, data: bytes, flow: Flow) -> None: ...
    def connection_closed(self, flow: Flow) -> None: ...
    def undeliverable(self, flow: Flow) -> None: ...
    def admits(self, remote: Address) -> bool: ...


class Connections:
    """All TCP connections of a stack."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._serial = 0
        self._by_id: dict[int, Connection] = {}
        self._by_remote: dict[Address, Connection] = {}
        self._waiting: dict[Address, list[tuple[Flow, bytes]]] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._per_host: dict[str, int] = {}
        self._servers: list[asyncio.Server] = []

    def __len__(self) -> int:
        return len(self._by_id)

    async def listen(self, address: Address, listener: int) -> Address:
        """Raises OSError when the address cannot be had."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: Connection(self, listener), address.host, address.port, backlog=512
        )
        self._servers.append(server)
        host, port = server.sockets[0].getsockname()[:2]
        return Address(host, port)

    def connections_from(self, host: str) -> int:
        return self._per_host.get(host, 0)

    def alive(self, flow: Flow) -> bool:
        return flow.connection in self._by_id

    def send(self, flow: Flow, data: bytes) -> None:
        """Over the flow's own connection, else one that stands to the same peer, else a new one."""
        connection = self._by_id.get(flow.connection) or self._by_remote.get(flow.remote)
        if connection is not None:
            connection.send(data, flow)
            return
        waiting = self._waiting.setdefault(flow.remote, [])
        waiting.append((flow, data))
        if len(waiting) == 1:
            task = asyncio.get_running_loop().create_task(self._open(flow.remote, flow.listener))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)

    async def close(self) -> None:
        for task in tuple(self._opening):
            task.cancel()
        await asyncio.gather(*self._opening, return_exceptions=True)
        for server in self._servers:
            server.close()
        for connection in tuple(self._by_id.values()):
            connection.abort()
        await asyncio.sleep(0)  # lets the closed transports say so
        self._by_id.clear()
        self._by_remote.clear()

    async def _open(self, remote: Address, listener: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, connection = await loop.create_connection(
                    lambda: Connection(self, listener, opened_to=remote), remote.host, remote.port
                )
        except OSError as error:  # TimeoutError is one
            log.info("no TCP connection to %s: %s", remote, error or "timed out")
            for flow, _ in self._waiting.pop(remote, []):
                self._owner.undeliverable(flow)
            return
        for flow, data in self._waiting.pop(remote, []):
            connection.send(data, flow)

    # --- what connections report

    def opened(self, connection: "Connection", listener: int) -> Flow | None:
        """A number for a new connection; None if it is one too many."""
        remote = connection.remote
        if connection.opened_to is None and not self._owner.admits(remote):
            return None
        self._serial += 1
        flow = Flow("tcp", remote, listener, self._serial)
        self._by_id[flow.connection] = connection
        self._by_remote[connection.opened_to or remote] = connection
        self._per_host[remote.host] = self._per_host.get(remote.host, 0) + 1
        return flow

    def received(self, flow: Flow, message: bytes) -> None:
        self._owner.message_received(message, flow)

    def closed(self, connection: "Connection", flow: Flow) -> None:
        self._by_id.pop(flow.connection, None)
        key = connection.opened_to or connection.remote
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


class Connection(asyncio.Protocol):
    """One connection, ours or the peer's."""

    def __init__(self, connections: Connections, listener: int, opened_to: Address | None = None) -> None:
        self.opened_to = opened_to
        self.remote = Address("", 0)
        self.flows: set[Flow] = set()  # by which something was sent here
        self._connections = connections
        self._listener = listener
        self._framer = Framer()
        self._flow: Flow | None = None
        self._transport: asyncio.Transport | None = None

    def send(self, data: bytes, flow: Flow) -> None:
        self.flows.add(flow)
        if self._transport is None:
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            log.warning("TCP peer %s does not read; cut off", self.remote)
            self._transport.abort()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        host, port = (transport.get_extra_info("peername") or ("", 0))[:2]
        self.remote = Address(host, port)
        self._flow = self._connections.opened(self, self._listener)
        if self._flow is None:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._flow is None or self._transport is None:
            return
        try:
            for message in self._framer.feed(data):
                if message == PING:
                    self._transport.write(PONG)
                else:
                    self._connections.received(self._flow, message)
        except StreamError as error:
            log.info("TCP peer %s: %s; closed", self.remote, error)
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        flow, self._flow, self._transport = self._flow, None, None
        if flow is not None:
            self._connections.closed(self, flow)
