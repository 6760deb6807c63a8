"""Runs the steps of a preparation as the graph that they are: each begins as soon as what it needs is done."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from orchestrator.domain.stages import AHEAD, Step, needed

Work = Callable[[], Awaitable[None]]


async def run_steps(works: Mapping[Step, Work]) -> None:
    """
    Do all of *works*, side by side where :data:`~orchestrator.domain.stages.NEEDS` lets them.

    Those that are only :data:`~orchestrator.domain.stages.AHEAD` are not waited for: what is left of them ends when the
    others are done.

    Raises:
        Exception: What the first step that failed has raised; the others are ended.
    """
    done = {step: asyncio.Event() for step in works}  # gone through in the order of *works*: sets have another each run

    async def run(step: Step) -> None:
        needs = needed(step, works)
        for need in [each for each in works if each in needs]:
            await done[need].wait()
        await works[step]()
        done[step].set()

    try:
        async with asyncio.TaskGroup() as group:
            tasks = {step: group.create_task(run(step), name=str(step)) for step in works}
            for step in [each for each in works if each not in AHEAD]:
                await done[step].wait()
            for step in [each for each in works if each in AHEAD]:
                tasks[step].cancel()
    except BaseExceptionGroup as errors:
        raise _first(errors) from errors


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that came first: the others are its siblings' cancellation."""
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
