"""One UDP socket: everything that waits is read at one wake-up, without a task or a buffer between.

A refused datagram (ICMP port unreachable) is told to an unconnected socket only through its error
queue (Linux ``IP_RECVERR``); it saves a caller 32 s of waiting for a phone that has gone.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable

from sip.flow import Address

DATAGRAMS_PER_WAKE = 64  # then other work has its turn
RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
MAX_DATAGRAM_BYTES = 65_535

_IP_RECVERR = 11  # linux/in.h
_IPV6_RECVERR = 25  # linux/in6.h
_MSG_ERRQUEUE = 0x2000


class UdpSocket:
    """Bound from construction to ``close``. Raises OSError when the address cannot be had."""

    def __init__(
        self,
        address: Address,
        *,
        on_datagram: Callable[[bytes, Address], None],
        on_refused: Callable[[Address], None],
        on_drained: Callable[[bool], None],
    ) -> None:
        """``on_drained(empty)`` tells after each wake-up whether everything that waited was read."""
        self._on_datagram = on_datagram
        self._on_refused = on_refused
        self._on_drained = on_drained
        self._loop = asyncio.get_running_loop()
        is_ipv6 = ":" in address.host
        self.socket = socket.socket(socket.AF_INET6 if is_ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.socket.setblocking(False)
            with contextlib.suppress(OSError):  # the kernel's limit may be lower
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            if is_ipv6:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            with contextlib.suppress(OSError):  # other systems than Linux: Timer B tells instead
                if is_ipv6:
                    self.socket.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
                else:
                    self.socket.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
            self.socket.bind((address.host, address.port))
        except OSError:
            self.socket.close()
            raise
        host, port = self.socket.getsockname()[:2]
        self.address = Address(host, port)
        self._loop.add_reader(self.socket, self._readable)

    def send(self, data: bytes, to: Address) -> None:
        """Raises OSError if the datagram can never arrive; a full buffer just loses it, as UDP may."""
        try:
            self.socket.sendto(data, to)
        except BlockingIOError:
            pass
        except OSError:
            # The error may belong to an earlier datagram: hear whose it was, and try once more.
            self._read_errors()
            with contextlib.suppress(BlockingIOError):
                self.socket.sendto(data, to)

    def close(self) -> None:
        self._loop.remove_reader(self.socket)
        self.socket.close()

    def _readable(self) -> None:
        receive, on_datagram = self.socket.recvfrom, self._on_datagram
        empty = False
        for count in range(DATAGRAMS_PER_WAKE):
            try:
                data, source = receive(MAX_DATAGRAM_BYTES)
            except BlockingIOError:
                empty = True
                if not count:  # woken by the error queue alone
                    self._read_errors()
                break
            except OSError:
                self._read_errors()
                continue
            on_datagram(data, Address(source[0], source[1]))
            if self.socket.fileno() < 0:  # closed by what it brought
                return
        self._on_drained(empty)

    def _read_errors(self) -> None:
        refused = set()
        for _ in range(DATAGRAMS_PER_WAKE):
            try:
                _, _, _, destination = self.socket.recvmsg(0, 512, _MSG_ERRQUEUE)
            except OSError:
                break
            if destination:
                refused.add(Address(destination[0], destination[1]))
        for address in refused:
            self._on_refused(address)
