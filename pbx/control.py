"""The running server's ear for ``pbx`` commands of the same machine: a socket in the data directory.

One JSON object in, ``{"do": NAME, …}``, one out. Whoever may write the socket's file may ask, as with the
data themselves: it is the server's user's alone (mode 0600). The path goes by the folder's descriptor,
since a socket's name is limited to 107 bytes and folders are not.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

NAME = "control.sock"
LONGEST_REQUEST = 64 * 1024
PATIENCE_S = 10.0

Answer = Mapping[str, Any]
Handler = Callable[[Mapping[str, Any]], Answer]


class NoServer(Exception):  # noqa: N818 - the state found
    """No server runs on this data directory."""


@contextlib.contextmanager
def _path(data_dir: Path) -> Iterator[str]:
    folder = os.open(data_dir, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{NAME}"
    finally:
        os.close(folder)


async def serve_control(data_dir: Path, handlers: Mapping[str, Handler]) -> Callable[[], Awaitable[None]]:
    """Serve until the returned function is awaited. Raises OSError where the socket cannot be made."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(PATIENCE_S):
                line = await reader.readline()
                writer.write(json.dumps(_answer(handlers, line)).encode() + b"\n")
                await writer.drain()
        writer.close()

    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        (data_dir / NAME).unlink(missing_ok=True)
        with _path(data_dir) as path:
            listener.bind(path)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    server = await asyncio.start_unix_server(serve, sock=listener, limit=LONGEST_REQUEST)

    async def stop() -> None:
        server.close()
        await server.wait_closed()
        (data_dir / NAME).unlink(missing_ok=True)

    return stop


def _answer(handlers: Mapping[str, Handler], line: bytes) -> Answer:
    try:
        asked = json.loads(line)
        return handlers[asked["do"]](asked)
    except (ValueError, KeyError, TypeError) as error:
        return {"error": f"not understood: {error!r}"}


def ask_server(data_dir: Path, do: str, **arguments: Any) -> Any:
    """The running server's answer. Raises NoServer."""
    try:
        with socket.socket(socket.AF_UNIX) as connection, _path(data_dir) as path:
            connection.settimeout(PATIENCE_S)
            connection.connect(path)
            connection.sendall(json.dumps({"do": do, **arguments}).encode() + b"\n")
            with connection.makefile("rb") as answer:
                return json.loads(answer.readline())
    except (OSError, ValueError):
        raise NoServer(str(data_dir)) from None
