"""The SIP stack's bans as people see them: with the time of day, for the API and ``pbx bans``.

They outlive a restart in ``bans.json`` of the data directory, written when the server stops and, if there are
others than before, once a minute: a flood costs no more writing than that.
"""

import asyncio
import json
import logging
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from pbx.clock import Clock
from pbx.store.encoding import iso, to_ms
from sip import Ban, Stack

log = logging.getLogger(__name__)

FILE = "bans.json"
KEEP_EVERY_S = 60.0


class BanList:
    def __init__(self, stack: Stack, clock: Clock, data_dir: Path) -> None:
        self._stack = stack
        self._clock = clock
        self._path = data_dir / FILE
        self._kept: list[Ban] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Take up what an earlier run left, and keep what comes."""
        self._restore()
        self._task = asyncio.create_task(self._keep_now_and_then())

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._keep(self._stack.bans.remembered())

    def _restore(self) -> None:
        since = self._stack.now() - self._clock.now().timestamp()  # from time of day to the stack's own
        try:
            lines = json.loads(self._path.read_text())
            bans = [Ban(str(h), float(until) + since, int(times), str(why)) for h, until, times, why in lines]
        except FileNotFoundError:
            return
        except (OSError, ValueError, TypeError) as problem:
            log.warning("bans from before are not known: %s", problem)
            return
        self._stack.bans.restore(bans)
        self._kept = self._stack.bans.remembered()

    async def _keep_now_and_then(self) -> None:
        while True:
            await self._clock.sleep(KEEP_EVERY_S)
            bans = self._stack.bans.remembered()
            if bans != self._kept:
                await asyncio.to_thread(self._keep, bans)

    def _keep(self, bans: list[Ban]) -> None:
        since = self._stack.now() - self._clock.now().timestamp()
        lines = [(ban.host, round(ban.until - since), ban.times, ban.because) for ban in bans]
        part = self._path.with_suffix(".part")
        try:
            part.write_text(json.dumps(lines))
            os.replace(part, self._path)
        except OSError as problem:
            log.warning("bans are not kept: %s", problem)
        else:
            self._kept = bans

    def list(self) -> list[dict[str, Any]]:
        """Those that hold, newest first."""
        now, now_s = self._clock.now(), self._stack.now()
        return [
            {
                "address": ban.host,
                "until": iso(to_ms(now + timedelta(seconds=ban.until - now_s))),
                "times": ban.times,
                "because": ban.because,
            }
            for ban in reversed(self._stack.bans.current(now_s))
        ]

    def lift(self, address: str) -> bool:
        """Hear it again; False if it was not banned."""
        return self._stack.bans.lift(address, self._stack.now())

    def asked_to_list(self, _: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"bans": self.list()}

    def asked_to_lift(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"lifted": self.lift(str(asked["address"]))}
