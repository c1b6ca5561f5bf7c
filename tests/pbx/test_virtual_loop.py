"""The loop under VirtualClock does what asyncio's own does, without its system calls."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from pbx.clock import VirtualClock


def both(main: Callable[[list[object]], Awaitable[None]]) -> tuple[list[object], list[object]]:
    """What ``main`` notes on the virtual loop, and on asyncio's."""
    ours: list[object] = []
    theirs: list[object] = []

    async def run(into: list[object]) -> None:
        await main(into)

    VirtualClock().run(run(ours))
    asyncio.run(run(theirs))
    return ours, theirs


def test_what_is_ready_runs_in_the_order_of_asyncios_loop() -> None:
    async def main(seen: list[object]) -> None:
        async def worker(name: str) -> None:
            for turn in range(3):
                seen.append((name, turn))
                await asyncio.sleep(0)

        loop = asyncio.get_running_loop()
        loop.call_later(0.002, seen.append, "second")
        loop.call_later(0.001, seen.append, "first")
        loop.call_later(0.001, seen.append, "not this").cancel()
        await asyncio.gather(worker("a"), worker("b"))
        await asyncio.sleep(0.01)
        loop.call_soon(seen.append, "soon")
        await asyncio.sleep(0)

    ours, theirs = both(main)
    assert ours == theirs
    assert ours[-3:] == ["first", "second", "soon"]


def test_timers_of_one_moment_run_in_the_order_in_which_they_were_set() -> None:
    seen: list[int] = []

    async def main() -> None:
        when = asyncio.get_running_loop().time() + 5
        for number in range(20):
            asyncio.get_running_loop().call_at(when, seen.append, number)
        await asyncio.sleep(6)

    VirtualClock().run(main())
    assert seen == list(range(20))


def test_timeouts_locks_queues_and_events_work() -> None:
    async def main(seen: list[object]) -> None:
        queue: asyncio.Queue[int] = asyncio.Queue(1)
        lock, event = asyncio.Lock(), asyncio.Event()

        async def producer() -> None:
            for number in range(4):
                await queue.put(number)
                async with lock:
                    await asyncio.sleep(0)
            event.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(producer())
            seen.extend([await queue.get() for _ in range(4)])
            await event.wait()
        try:
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        except TimeoutError:
            seen.append("timeout")
        done, pending = await asyncio.wait((asyncio.ensure_future(asyncio.sleep(30)),), timeout=0.001)
        seen.append((len(done), len(pending)))

    ours, theirs = both(main)
    assert ours == theirs == [0, 1, 2, 3, "timeout", (0, 1)]


def test_tasks_left_behind_are_cancelled() -> None:
    ended: list[str] = []

    async def left() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("cancelled")

    async def main() -> None:
        task = asyncio.get_running_loop().create_task(left())
        await asyncio.sleep(1)
        assert not task.done()

    clock = VirtualClock()
    clock.run(main())
    assert ended == ["cancelled"]
    assert clock.monotonic() == pytest.approx(1)


def test_a_fault_in_a_callback_ends_the_run() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(1)

    with pytest.raises(ZeroDivisionError):
        VirtualClock().run(main())


def test_a_result_passes_and_the_loop_around_it_is_restored() -> None:
    async def inner() -> int:
        await asyncio.sleep(3600)
        return 7

    async def outer() -> int:
        before = asyncio.get_running_loop()
        result = VirtualClock().run(inner())
        assert asyncio.get_running_loop() is before
        return result

    assert asyncio.run(outer()) == 7


def test_waiting_for_less_than_the_clock_can_tell_still_ends() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(1e6)
        until = loop.time() + 1e-12
        while loop.time() < until:
            await asyncio.sleep(until - loop.time())

    VirtualClock().run(main())
