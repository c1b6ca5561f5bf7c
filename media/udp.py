"""UDP sockets for one endpoint: an even port for RTP and the odd one above it for RTCP.

Once we know where a far end sends from, its RTP socket is *connected*: the kernel then drops what
others send, and each packet costs a third less, as neither its source nor our destination passes
through Python. :func:`disconnect` undoes that; Python's own ``connect`` has no word for it.
"""

import ctypes
import errno
import os
import resource
import socket
import struct

Address = tuple[str, int]

_libc = ctypes.CDLL(None, use_errno=True)
_UNSPECIFIED = struct.pack("=H14x", socket.AF_UNSPEC)


def bind_pair(address: str, port: int) -> tuple[socket.socket, socket.socket]:
    """Non-blocking sockets on ``port`` and ``port`` + 1. Raises OSError, leaving nothing open."""
    rtp = _bind(address, port)
    try:
        return rtp, _bind(address, port + 1)
    except OSError:
        rtp.close()
        raise


def _bind(address: str, port: int) -> socket.socket:
    sock = socket.socket(_family(address), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        sock.bind((address, port))
    except OSError:
        sock.close()
        raise
    return sock


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def disconnect(sock: socket.socket) -> None:
    """Take packets from anybody again (connect(2): AF_UNSPEC dissolves the association)."""
    if _libc.connect(sock.fileno(), _UNSPECIFIED, len(_UNSPECIFIED)) != 0:
        error = ctypes.get_errno()
        if error not in (errno.EAFNOSUPPORT, errno.ENOTCONN):
            raise OSError(error, os.strerror(error))


def allow_many_sockets() -> None:
    """Raise this process's limit of open files as far as it may go: two sockets an endpoint."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
