"""An event loop without a network: what runs on it waits for nothing but timers and itself.

Theory of operation
-------------------
``ready`` holds what is to run now, ``timers`` (a heap) what is to run later. A round runs what was
ready when it began, in order, as asyncio's own loop does. When nothing is ready, the clock jumps to
the next timer; when there is no timer either, everything waits for what nothing will bring:
:class:`Stalled`.

It has neither selector nor threads nor signal handlers, so that one can be made for each simulated
call: that, and the system calls of each round, were half of what a simulated call cost. Tasks, futures,
``asyncio.wait``, ``timeout`` and ``sleep`` need no more of a loop than this.
"""

import asyncio
import heapq
import logging
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)

HAIR_S = 1e-9
"""The clock jumps so much past a timer, so that no rounding leaves a moment that is never over."""


class Stalled(RuntimeError):  # noqa: N818 - names the state, as in "the simulation stalled"
    """Nothing is left to run and no timer is set: the virtual clock would wait for ever."""


class Movable(Protocol):
    """The clock that the loop lives on."""

    def monotonic(self) -> float: ...

    def advance(self, seconds: float) -> None: ...


class _Handle:
    """Something to run; what asyncio needs of its Handle, without what it does not.

    ``run`` is its context's, bound: a simulated call runs dozens of handles and does little else.
    """

    __slots__ = ("_when", "args", "callback", "is_cancelled", "run")

    def __init__(
        self, callback: Callable[..., Any], args: tuple[Any, ...], context: Context | None, when: float
    ) -> None:
        self.callback = callback
        self.args = args
        self.run = (copy_context() if context is None else context).run
        self._when = when
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled

    def when(self) -> float:
        return self._when


class VirtualLoop(asyncio.AbstractEventLoop):
    """Runs tasks and timers on a clock that stands still while they run."""

    def __init__(self, clock: Movable) -> None:
        self._clock = clock
        self._ready: deque[_Handle] = deque()
        self._timers: list[tuple[float, int, _Handle]] = []
        self._set = 0  # timers set so far: those of one moment run in their order
        self._tasks: set[asyncio.Task[Any]] = set()
        self._fault: BaseException | None = None

    # What tasks and futures ask of a loop

    def time(self) -> float:
        return self._clock.monotonic()

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> _Handle:
        handle = _Handle(callback, args, context, 0.0)
        self._ready.append(handle)
        return handle

    def call_later(  # type: ignore[override]
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> _Handle:
        return self.call_at(self._clock.monotonic() + delay, callback, *args, context=context)

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> _Handle:
        handle = _Handle(callback, args, context, when)
        self._set += 1
        heapq.heappush(self._timers, (when, self._set, handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(  # type: ignore[override]
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[T]:
        task = asyncio.Task(coro, loop=self, name=name, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return events._get_running_loop() is self

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """A fault that no task takes: it ends the run, rather than being lost in a simulation."""
        fault = context.get("exception")
        log.error("%s", context.get("message"), exc_info=fault)
        self._fault = self._fault or fault or RuntimeError(context.get("message"))

    # Running

    def run_until_complete(self, main: Coroutine[Any, Any, T]) -> T:  # type: ignore[override]
        """The result of ``main``; tasks that it leaves behind are cancelled. Raises Stalled."""
        before = events._get_running_loop()
        events._set_running_loop(self)
        try:
            task = self.create_task(main)
            try:
                self._run_until(task)
                return task.result()
            finally:
                self._cancel_the_rest()
        finally:
            events._set_running_loop(before)

    def _run_until(self, task: asyncio.Future[Any]) -> None:
        ready = self._ready
        while not task.done():
            if not ready:
                self._jump()
            for _ in range(len(ready)):
                handle = ready.popleft()
                if not handle.is_cancelled:
                    handle.run(handle.callback, *handle.args)
            if self._fault is not None:
                raise self._fault

    def _jump(self) -> None:
        """Go to the next timer, and make ready all that fall due by then."""
        timers = self._timers
        while timers and timers[0][2].is_cancelled:
            heapq.heappop(timers)
        if not timers:
            raise Stalled("every task waits, and no timer is set")
        self._clock.advance(timers[0][0] - self._clock.monotonic() + HAIR_S)
        now = self._clock.monotonic()
        while timers and timers[0][0] <= now:
            self._ready.append(heapq.heappop(timers)[2])

    def _cancel_the_rest(self) -> None:
        if rest := tuple(self._tasks):
            for task in rest:
                task.cancel()
            self._fault = None
            self._run_until(self.create_task(asyncio.wait(rest)))
