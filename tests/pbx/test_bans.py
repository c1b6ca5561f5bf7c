"""Bans outlive a restart, with the time that is left of them."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pbx.bans import FILE, BanList
from pbx.clock import VirtualClock
from sip.bans import Bans, Rules

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Stack:
    """As much of a stack as bans need: a table, and a clock that begins anew at each start."""

    def __init__(self, clock: VirtualClock) -> None:
        self.bans = Bans(Rules(strikes=1, first_s=600))
        self._clock, self._began = clock, clock.now()

    def now(self) -> float:
        return (self._clock.now() - self._began).total_seconds() + 5


def ban_list(folder: Path, clock: VirtualClock) -> BanList:
    return BanList(Stack(clock), clock, folder)  # type: ignore[arg-type]


def test_a_ban_holds_on_after_a_restart(tmp_path: Path) -> None:
    async def scene() -> None:
        clock = VirtualClock(NOON)
        first = ban_list(tmp_path, clock)
        first.start()
        first._stack.bans.strike("192.0.2.66", "guesses passwords", first._stack.now())
        (before,) = first.list()
        await first.close()
        later = VirtualClock(NOON + timedelta(minutes=4))
        second = ban_list(tmp_path, later)
        second.start()
        assert second.list() == [before]
        assert second._stack.bans.holds("192.0.2.66", second._stack.now() + 350)
        assert not second._stack.bans.holds("192.0.2.66", second._stack.now() + 370)
        assert second.lift("192.0.2.66")
        await second.close()
        third = ban_list(tmp_path, later)
        third.start()
        assert third.list() == []
        await third.close()

    asyncio.run(scene())


@pytest.mark.parametrize("text", ["", "{", "[1]", '[["a", "x", 1, "y"]]'])
def test_a_file_that_is_none_is_passed_over(tmp_path: Path, text: str) -> None:
    async def scene() -> None:
        (tmp_path / FILE).write_text(text)
        bans = ban_list(tmp_path, VirtualClock(NOON))
        bans.start()
        assert bans.list() == []
        await bans.close()

    asyncio.run(scene())
