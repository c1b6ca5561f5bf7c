import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from pbx.clock import Stalled, SteadyClock, SystemClock, VirtualClock

START = datetime(2026, 12, 5, 15, 0, tzinfo=UTC)


def test_virtual_waits_jump_and_keep_their_order() -> None:
    clock = VirtualClock(START)
    seen: list[tuple[str, timedelta]] = []

    async def waiter(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        seen.append((name, timedelta(seconds=round((clock.now() - START).total_seconds(), 3))))

    async def main() -> None:
        await asyncio.gather(waiter("hour", 3600), waiter("second", 1), waiter("minute", 60))

    clock.run(main())
    assert seen == [
        ("second", timedelta(seconds=1)),
        ("minute", timedelta(minutes=1)),
        ("hour", timedelta(hours=1)),
    ]


def test_timeouts_travel_too() -> None:
    clock = VirtualClock(START)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(120):
                await asyncio.Event().wait()

    clock.run(main())
    assert clock.monotonic() == pytest.approx(120)


def test_a_wait_that_nothing_can_end_is_an_error_not_a_hang() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stalled):
        VirtualClock(START).run(main())


def test_a_naive_start_is_refused() -> None:
    with pytest.raises(ValueError, match="aware"):
        VirtualClock(datetime(2026, 1, 1))


def test_the_system_clock_is_aware() -> None:
    assert SystemClock().now().tzinfo is UTC


def test_a_call_s_time_is_steady_when_the_machine_s_clock_is_set_back() -> None:
    class SetBack(VirtualClock):
        by = timedelta()

        def now(self) -> datetime:
            return super().now() - self.by

    machine = SetBack(START)
    steady = SteadyClock(machine)
    machine.advance(10)
    machine.by = timedelta(hours=1)
    machine.advance(5)
    assert machine.now() < START
    assert steady.now() - START == timedelta(seconds=15)
    assert steady.monotonic() == machine.monotonic()
