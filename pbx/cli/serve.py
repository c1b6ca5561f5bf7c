"""``pbx serve``: the server, in the foreground."""

import asyncio
import gc
import logging
import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from media.engine import MediaUnavailable
from pbx.config.load import Site, load
from pbx.config.problems import ConfigErrors
from pbx.pidfile import AlreadyRunning, pid_file
from pbx.server import Server
from pbx.webserver import WebAddressTaken
from sip.stack import ListenError

log = logging.getLogger("pbx")


def serve(
    config: Annotated[Path, typer.Option(help="The config to run.")] = Path("config.yaml"),
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Run until SIGTERM or SIGINT; then wait for calls in progress and end. SIGHUP re-reads the config."""
    logging.basicConfig(
        level=logging.DEBUG if verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    for chatty in ("asyncio", "alembic.runtime.plugins"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        site = load(config)
    except ConfigErrors as errors:
        typer.echo(str(errors), err=True)
        raise typer.Exit(1) from None
    try:
        with pid_file(site.data_dir):
            asyncio.run(_serve(site))
    except ListenError as error:
        typer.echo(f"pbx serve: {error} (setting: sip.listen in {config})", err=True)
        raise typer.Exit(1) from None
    except (WebAddressTaken, AlreadyRunning, MediaUnavailable) as error:
        typer.echo(f"pbx serve: {error}", err=True)
        raise typer.Exit(1) from None


async def _serve(site: Site) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    server = Server(site)

    def reload() -> None:
        if not started:
            log.info("the config is being taken up already")
        elif problem := server.reload(os.environ):
            log.error("the config was not taken up; nothing has changed:\n%s", problem)
        else:
            _look_no_more_at_what_stays()

    # Before the start, which takes calls before it is over: no signal is to cut them off.
    started = False
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    loop.add_signal_handler(signal.SIGHUP, reload)
    await server.start()
    _look_no_more_at_what_stays()
    started = True
    log.info(
        "ready: SIP on %s, dashboard on http://%s", ", ".join(server.stack.listening), site.config.web.listen
    )
    await stopping.wait()
    log.info("stopping")
    await server.stop()


def _look_no_more_at_what_stays() -> None:
    """Modules, config and services live as long as the server, 160,000 objects: each full garbage collection
    would look through them again, and stop every call for some 90 ms. What a call makes is freed at its end
    without the collector."""
    gc.unfreeze()  # what a config that was replaced leaves behind may go
    gc.collect()
    gc.freeze()
