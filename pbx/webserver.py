"""The web's face of the server: uvicorn on the application's own event loop."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Iterator

import uvicorn
from starlette.applications import Starlette


class WebAddressTaken(Exception):  # noqa: N818 - the state found
    """The dashboard's address cannot be had; the message names it and the setting."""


class _Uvicorn(uvicorn.Server):
    """Signals are the server's business, not the web's."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve_web(
    app: Starlette, host: str, port: int, setting: str = "web.listen"
) -> Callable[[], Awaitable[None]]:
    """Serve until the returned function is awaited. Raises WebAddressTaken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
    except OSError as error:
        listener.close()
        raise WebAddressTaken(
            f"cannot listen on {host}:{port}: {error.strerror} (setting: {setting})"
        ) from error
    config = uvicorn.Config(
        app, http="httptools", log_level="warning", access_log=False, lifespan="on", server_header=False
    )
    config.timeout_graceful_shutdown = 2
    server = _Uvicorn(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="web")
    while not server.started:
        if serving.done():
            serving.result()
            raise WebAddressTaken(f"the web server ended at its start on {host}:{port}; see the log")
        await asyncio.sleep(0.01)

    async def stop() -> None:
        if feed := getattr(app.state, "feed", None):
            feed.close()  # open live streams would hold the stop for its whole grace
        server.should_exit = True
        await serving

    return stop
