"""How every loop of the control plane runs, and how it keeps one task a row."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta

from orchestrator import logs
from orchestrator.control.wakeups import Wakeup
from orchestrator.domain.errors import StaleWrite, is_expected
from orchestrator.domain.policy import retry

log = logging.getLogger(__name__)

Step = Callable[[], Awaitable[timedelta | None]]
"""One look at the store; says when it has work again, None for "when woken"."""

UNEXPECTED_TRIES = 3
"""How often work may fail in a way that no code of ours expected, before what it is about is given up."""


async def keep_doing(name: str, step: Step, *, wakeup: Wakeup) -> None:
    """
    Run *step* on every wakeup and whenever it said that it has work, until cancelled.

    A step that fails is repeated after a growing pause; it starts from the store, so nothing is lost by that.
    """
    failures = 0
    while True:
        try:
            due = await step()
            failures = 0
        except Exception as error:
            if is_expected(error):
                log.warning("%s: %s", name, error)
            else:
                log.exception("%s: step failed; the next one starts from the store", name)
            due, failures = retry.pause(failures, 1.0), failures + 1
        await wakeup.wait(due)


class Workers:
    """
    At most one task a key, all in one group.

    A worker that ends rings its loop, so that the loop looks at the row again. One that failed is not started
    again before a growing pause has passed.
    """

    def __init__(
        self,
        name: str,
        group: asyncio.TaskGroup,
        *,
        wakeup: Wakeup,
        keys: str,
        give_up: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """
        Keep tasks in *group*.

        Args:
            keys: What the keys are ids of: the name under which they stand in log records.
            give_up: What is done about a key whose worker fails :data:`UNEXPECTED_TRIES` times in a row with an error
                that no code of ours expected; without it, it is tried for ever.
        """
        self._give_up = give_up
        self._name = name
        self._keys = keys
        self._group = group
        self._wakeup = wakeup
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failures: dict[str, int] = {}
        self._unexpected: dict[str, int] = {}

    def ensure(self, key: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        """Start *work* under *key* unless a task of that key is still there."""
        if key not in self._tasks:
            self._tasks[key] = self._group.create_task(self._run(key, work), name=f"{self._name}:{key}")

    def keys(self) -> frozenset[str]:
        return frozenset(self._tasks)

    def cancel(self, key: str) -> None:
        """Stop the worker of *key*; it leaves the books as they are."""
        if task := self._tasks.get(key):
            task.cancel()

    async def _run(self, key: str, work: Callable[[], Coroutine[None, None, None]]) -> None:
        try:
            with logs.bound(**{self._keys: key}):
                await work()
            self._forget(key)
        except StaleWrite:
            log.debug("%s %s: somebody moved first", self._name, key)
        except Exception as error:  # noqa: BLE001 - this is the loop's one net; the row tells what to do next
            await self._pause(key, error)
        finally:
            del self._tasks[key]
            self._wakeup.wake()

    async def _pause(self, key: str, error: Exception) -> None:
        self._tell(key, "failed", error)
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        self._unexpected[key] = 0 if is_expected(error) else self._unexpected.get(key, 0) + 1
        if self._unexpected[key] < UNEXPECTED_TRIES or not await self._has_given_up(key):
            await asyncio.sleep(retry.pause(failures, 1.0).total_seconds())

    async def _has_given_up(self, key: str) -> bool:
        if self._give_up is None:
            return False
        try:
            await self._give_up(key)
        except Exception as error:  # noqa: BLE001 - as above: it is tried again
            self._tell(key, "cannot be given up yet", error)
            return False
        self._forget(key)
        return True

    def _tell(self, key: str, what: str, error: Exception) -> None:
        level, trace = (logging.WARNING, None) if is_expected(error) else (logging.ERROR, error)
        log.log(level, "%s %s %s: %s", self._name, key, what, error, exc_info=trace)

    def _forget(self, key: str) -> None:
        self._failures.pop(key, None)
        self._unexpected.pop(key, None)
