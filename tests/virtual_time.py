"""An event loop whose clock jumps to the next timer whenever nothing is left to do: an hour takes no time."""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """For what waits on timers alone: a thread or a socket would be overtaken by the clock."""

    def __init__(self) -> None:
        super().__init__(_Jumping(self._jump))
        self._now = 0.0

    def time(self) -> float:
        return self._now

    def _jump(self, by: float) -> None:
        self._now += by


class _Jumping(selectors.DefaultSelector):
    """Instead of waiting, it tells how long it would have waited."""

    def __init__(self, jump: Callable[[float], None]) -> None:
        super().__init__()
        self._jump = jump

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("nothing will ever happen any more: everything waits for something else")
        self._jump(max(timeout, 0.0))
        return super().select(0)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run *main* on virtual time."""
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
