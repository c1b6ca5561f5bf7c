"""Where TLS connections come in: counted from their first packet, not from the end of their handshake.

A server of asyncio tells of a TLS connection when its handshake is done, so that half-open ones would be
nobody's to count: a stranger could keep as many as there are descriptors, each for as long as a handshake may
take. Here each is asked for first, and takes its place among the stranger's connections at once.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Protocol

from sip.flow import Address
from sip.transport.tls import HANDSHAKE_TIMEOUT_S

log = logging.getLogger(__name__)

ACCEPTED_PER_WAKE = 64  # then other work has its turn
BACKLOG = 512
NO_DESCRIPTORS_S = 1.0  # so long nobody is accepted after the system refused to


class Guest(Protocol):
    """What a door asks before it lets somebody in, and tells."""

    def knocks(self, remote: Address) -> bool: ...
    def came_in(self, remote: Address) -> None:
        """Whoever knocked has finished the handshake, or gone."""
        ...


class TlsDoor:
    """A listening socket. Raises OSError when the address cannot be had."""

    def __init__(
        self,
        address: Address,
        context: ssl.SSLContext,
        guest: Guest,
        protocol: Callable[[], asyncio.Protocol],
    ) -> None:
        self._context = context
        self._guest = guest
        self._protocol = protocol
        self._loop = asyncio.get_running_loop()
        self._handshakes: set[asyncio.Task[None]] = set()
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        self._socket = socket.create_server((address.host, address.port), family=family, backlog=BACKLOG)
        self._socket.setblocking(False)
        host, port = self._socket.getsockname()[:2]
        self.address = Address(host, port)
        self._again: asyncio.TimerHandle | None = None
        self._open()

    async def close(self) -> None:
        if self._again is not None:
            self._again.cancel()
        self._loop.remove_reader(self._socket)
        self._socket.close()
        for handshake in self._handshakes:
            handshake.cancel()
        await asyncio.gather(*self._handshakes, return_exceptions=True)

    def _open(self) -> None:
        self._again = None
        self._loop.add_reader(self._socket, self._accept)

    def _accept(self) -> None:
        for _ in range(ACCEPTED_PER_WAKE):
            try:
                peer, address = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                log.error("no TLS connection can be accepted: %s", error.strerror or error)
                self._loop.remove_reader(self._socket)
                self._again = self._loop.call_later(NO_DESCRIPTORS_S, self._open)
                return
            remote = Address(address[0], address[1])
            if not self._guest.knocks(remote):
                peer.close()
                continue
            task = self._loop.create_task(self._shake_hands(peer, remote))
            self._handshakes.add(task)
            task.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, peer: socket.socket, remote: Address) -> None:
        peer.setblocking(False)
        try:
            await self._loop.connect_accepted_socket(
                self._protocol, peer, ssl=self._context, ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S
            )
        except (OSError, ssl.SSLError) as error:  # TimeoutError is one
            log.info("no TLS with %s: %s", remote, error or "timed out")
        finally:
            self._guest.came_in(remote)
