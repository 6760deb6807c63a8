"""
The event loop of one life of the bot, on the world's time.

Its clock jumps to whatever comes next; its steps are counted, so that a life can end at any of them, as SIGKILL ends a
process: nothing is cancelled, nothing is cleaned up.
"""

import asyncio
import contextlib
import gc
import heapq
import itertools
import math
from collections.abc import Callable, Coroutine, Iterator
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple

from orchestrator.sim.timeline import Timeline

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

TURN_S = 1e-6
"""Work takes time: without that, whoever waits for the clock to move on might turn in a circle."""


class Killed(BaseException):
    """This life is over, between two steps."""


class Stuck(Exception):
    """Nothing will ever happen any more: everything waits for something else."""


class SimTask(asyncio.Task[Any]):
    """Hashed by a running number, so that sets of tasks have the same order in every run."""

    def __init__(self, coro: Coroutine[Any, Any, Any], *, number: int, **options: Any) -> None:
        self._number = number
        super().__init__(coro, **options)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class SimLoop(asyncio.BaseEventLoop):
    """
    For what waits on timers alone: it knows no sockets and no threads.

    Args:
        turn_s: Seconds that each turn takes.

    Attributes:
        timeline: Of the world that it runs in.
        steps: Callbacks run so far.
        kill_at: The step before which this life ends; None lets it live.
    """

    def __init__(
        self, timeline: Timeline, *, after_step: Callable[[], None] = lambda: None, turn_s: float = TURN_S
    ) -> None:
        super().__init__()
        self.timeline = timeline
        self._after_step = after_step
        self._turn_s = turn_s
        self._tasks: list[SimTask] = []
        self._numbers = itertools.count()
        self.steps = 0
        self.kill_at: int | None = None
        self.set_task_factory(self._new_task)

    def time(self) -> float:
        return self.timeline.now

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """
        Run *main* to its end.

        Raises:
            Killed: This life came to its end first. Call :meth:`bury` when its world can no longer be touched.
        """
        try:
            return self.run_until_complete(main)
        finally:
            asyncio.set_event_loop(None)

    def bury(self) -> None:
        """Throw away what was under way, without letting any of it run on."""
        for task in self._tasks:
            if not task.done():
                task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 - it was killed on purpose
                _close_quietly(task)
            elif not task.cancelled():
                task.exception()  # nobody is left who would have asked for it
        self._tasks.clear()
        self._ready.clear()
        self._scheduled.clear()
        self.close()

    def run_in_executor(self, *_: Any) -> Any:  # type: ignore[override]
        raise RuntimeError("there are no threads in a simulated world")

    def _new_task(self, loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> asyncio.Task[Any]:
        task = SimTask(coro, number=next(self._numbers), loop=loop, **options)  # since Python 3.14 with a name, too
        self._tasks.append(task)
        if len(self._tasks) > 2000:
            self._tasks = [each for each in self._tasks if not each.done()]
        return task

    # What asyncio leaves to a loop. https://github.com/python/cpython/blob/3.11/Lib/asyncio/base_events.py

    _ready: Any
    _scheduled: list[tuple[float, asyncio.TimerHandle]]  # timers compare slowly, and numbers do not

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(when, callback, args, self, context)
        heapq.heappush(self._scheduled, (when, timer))
        return timer

    def _run_once(self) -> None:
        self.timeline.move_to(self.timeline.now + self._turn_s if self._ready else self._next_at())
        while self._scheduled and self._scheduled[0][0] <= self.timeline.now:
            self._ready.append(heapq.heappop(self._scheduled)[1])
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            if handle.cancelled():
                continue
            if self.steps == self.kill_at:
                raise Killed
            self.steps += 1
            handle._run()  # noqa: SLF001 - this is what a loop does
            self._after_step()

    def _next_at(self) -> float:
        """The next timer of this life or the next event of the world, whichever is earlier."""
        while self._scheduled and self._scheduled[0][1].cancelled():
            heapq.heappop(self._scheduled)
        timer = self._scheduled[0][0] if self._scheduled else math.inf
        when = min(timer, self.timeline.next_at)
        if when == math.inf:
            raise Stuck
        return when

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """It stays in the heap until its time comes; worlds are short."""

    def _write_to_self(self) -> None:
        """Nobody else could wake this loop."""


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """
    Keep Python's collector out: it closes generators that were left in circles, which are steps of the loop.

    When it runs depends on all that the process did before, other worlds included, and not on the seed.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _close_quietly(task: SimTask) -> None:
    with contextlib.suppress(BaseException):  # whatever its cleanups meet in a dead process harms nobody
        task.get_coro().close()
