"""Runs the softphone of :mod:`pbx.phone` as a child process and reads what it reports."""

import asyncio
import contextlib
import ctypes
import json
import signal
import sys
from collections.abc import AsyncIterator
from importlib.util import find_spec
from typing import Any

from pbx.phone_plan import Plan

INSTALL_HINT = "the softphone needs pjsua2: pip install 'dialtrace[phone]' (make install does it)"


class PhoneUnavailable(Exception):  # noqa: N818 - the user's word
    """pjsua2 is not installed; the message says how to install it."""


def _die_with_parent() -> None:
    """In the child, before exec: SIGTERM when our process goes, however it goes (prctl(2))."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


class Phone:
    """One phone process: ``async with Phone(plan) as phone``, then ``await phone.until("answered")``."""

    def __init__(self, plan: Plan) -> None:
        if find_spec("pjsua2") is None:
            raise PhoneUnavailable(INSTALL_HINT)
        self.plan = plan
        self.events: list[dict[str, Any]] = []
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> "Phone":
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "pbx.phone",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            preexec_fn=_die_with_parent,
        )
        assert self._process.stdin is not None
        self._process.stdin.write(self.plan.to_json().encode() + b"\n")
        await self._process.stdin.drain()
        return self

    async def __aexit__(self, *exc: object) -> None:
        process = self._process
        assert process is not None
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
        await process.wait()

    async def follow(self) -> AsyncIterator[dict[str, Any]]:
        """Each event as it comes, until the phone is through."""
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            event: dict[str, Any] = json.loads(line)
            self.events.append(event)
            yield event

    async def until(self, *names: str) -> dict[str, Any]:
        """The next event of that name. Raises EOFError if the phone ends without one."""
        async for event in self.follow():
            if event["event"] in names:
                return event
        raise EOFError(f"the phone ended without {' or '.join(names)}; it said {self.events}")

    async def finish(self) -> list[dict[str, Any]]:
        """Read to the end; every event the phone reported."""
        async for _ in self.follow():
            pass
        return self.events
