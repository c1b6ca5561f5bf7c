"""``python -m tests.support.serve_at MOMENT --config FILE``: a server that believes it starts at that moment."""

import argparse
import asyncio
import logging
import signal
from datetime import UTC, datetime
from pathlib import Path

from pbx.clock import SystemClock
from pbx.config.load import load
from pbx.server import Server


class ShiftedClock(SystemClock):
    """The machine's clock, as if it were another day."""

    def __init__(self, start: datetime) -> None:
        self._shift = start - super().now()

    def now(self) -> datetime:
        return super().now() + self._shift


async def serve(config: Path, start: datetime) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    server = Server(load(config), ShiftedClock(start))
    await server.start()
    await stopping.wait()
    await server.stop()


if __name__ == "__main__":
    words = argparse.ArgumentParser()
    words.add_argument("moment", type=lambda text: datetime.fromisoformat(text).replace(tzinfo=UTC))
    words.add_argument("--config", type=Path, required=True)
    given = words.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(serve(given.config, given.moment))
