"""All pictures of one attempt, several at the same time, and one account of what they cost."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.adapters.inference.replicate.making import Maker
from orchestrator.adapters.inference.replicate.wire import Prediction, Wanted, refs_of
from orchestrator.domain.errors import (
    ApiOff,
    InferenceError,
    InferenceFailed,
    InferenceUnavailable,
    InferenceUncertain,
    PictureFiltered,
)
from orchestrator.domain.money import MicroUsd
from orchestrator.ports.comfy import Painting
from orchestrator.ports.inference import Attempt, Made

WORST_FIRST = (PictureFiltered, ApiOff, InferenceUncertain, InferenceFailed, InferenceUnavailable)
"""What is told of several errors: what the person or the operator has to know goes first."""

TRIES = 3


@dataclass(slots=True, kw_only=True)
class Batch:
    """
    The pictures of one attempt.

    Once one of them cannot be had, no further one is ordered; those that are under way are waited for, because they
    are paid for, and what they cost belongs into the books.

    Attributes:
        refs: What the orders are called, in the order of the pictures; empty for one that is not known.
    """

    maker: Maker
    attempt: Attempt
    wanted: Sequence[Wanted]
    refs: list[str] = field(init=False)
    _pictures: dict[int, bytes] = field(default_factory=dict)
    _errors: list[InferenceError] = field(default_factory=list)
    _noting: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.refs = refs_of(self.attempt.job)

    async def make(self) -> Made:
        """
        Make all of them.

        Raises:
            InferenceError: The worst that happened to one of them, with the cost of all.
        """
        places = asyncio.Semaphore(self.maker.limits.at_once)
        try:
            async with asyncio.TaskGroup() as tasks:
                for index in range(len(self.wanted)):
                    tasks.create_task(self._make(index, places))
        except ExceptionGroup as group:  # a note that could not be written: whoever takes notes knows what it means
            raise group.exceptions[0] from None
        cost = MicroUsd(self.maker.price * len(self._pictures) + sum(error.cost for error in self._errors))
        if self._errors:
            raise self._told(cost)
        return Made(pictures=tuple(self._pictures[index] for index in range(len(self.wanted))), cost=cost)

    async def _make(self, index: int, places: asyncio.Semaphore) -> None:
        async with places:
            if self._errors:
                return
            try:
                self._pictures[index] = await self.maker.finish(
                    await self._begun(index), lambda ref: self._note(index, ref)
                )
            except InferenceError as error:
                self._errors.append(error)
                return
        self.attempt.on_progress(Painting(done=len(self._pictures), total=len(self.wanted)))

    async def _begun(self, index: int) -> Prediction:
        if not self.attempt.is_new:
            return await self.maker.recall(self.wanted[index], self.refs[index])
        for left in reversed(range(TRIES)):
            try:
                return await self.maker.order(self.wanted[index])
            except InferenceUnavailable as error:
                wait = error.retry_after
                if not left or len(self.wanted) == 1 or wait is None or wait > self.maker.limits.patience:
                    raise
                await asyncio.sleep(wait.total_seconds())
        raise AssertionError("the last try raises")

    async def _note(self, index: int, ref: str) -> None:
        """One note at a time: each names all that are known by then, the last one all."""
        async with self._noting:
            if self.refs[index] != ref:
                self.refs[index] = ref
                await self.attempt.note_ref(",".join(self.refs))

    def _told(self, cost: MicroUsd) -> InferenceError:
        worst = min(self._errors, key=_rank)
        if isinstance(worst, InferenceUnavailable) and (cost or self._pictures):
            return InferenceFailed(f"{worst}; not all pictures could be ordered", cost=cost)
        worst.cost = cost
        return worst


def _rank(error: InferenceError) -> int:
    return next((place for place, kind in enumerate(WORST_FIRST) if isinstance(error, kind)), len(WORST_FIRST))
