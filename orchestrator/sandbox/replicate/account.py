"""One account at Replicate: its orders, what becomes of them, and what they cost."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from orchestrator.sandbox.replicate.models import MODELS, Task, task_of
from orchestrator.sandbox.replicate.prediction import NSFW, Prediction
from orchestrator.sandbox.replicate.troubles import Trouble
from orchestrator.sandbox.struck import Struck
from orchestrator.sandbox.studio import SECONDS, Studio

NAME = "replicate"
KEPT = 50
"""So many orders keep their pictures: the real ones are deleted after an hour, and these need memory."""
LISTED = 500
"""So many orders that are over are known at all."""
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
FAILURE = "Prediction interrupted; please retry (code: PA)"
LAG_S = 0.5
"""How long a status lags behind the output where it does."""


@dataclass(slots=True, kw_only=True)
class Account:
    """
    One account.

    Attributes:
        orders: How many have arrived, refused ones included.
        predictions: By id, oldest first.
        seconds: What a picture takes at speed 1.
        page: How many orders one page of the list has.
        wait_s: When one that asks too often may ask again.
    """

    studio: Studio
    now: Callable[[], datetime]
    troubles: Struck[Trouble] = field(default_factory=lambda: Struck(Trouble))
    orders: int = 0
    predictions: dict[str, Prediction] = field(default_factory=dict)
    seconds: float = SECONDS
    page: int = 100
    wait_s: int = 30
    _courses: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _group: asyncio.TaskGroup | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Work within the block; what is under way when it is left is dropped."""
        async with asyncio.TaskGroup() as self._group:
            try:
                yield
            finally:
                for course in self._courses.values():
                    course.cancel()

    def order(self, model: str, given: Mapping[str, Any], *, origin: str, within: timedelta | None) -> Prediction:
        """Take an order on; *within* is how long it may take."""
        task, now = task_of(given), self.now()
        it = Prediction(
            id="".join(secrets.choice(ALPHABET) for _ in range(26)),
            model=model,
            input=given,
            origin=origin,
            created_at=now,
            deadline=None if within is None else now + within,
            form={"JPEG": "jpg"}.get(task.form, task.form.lower()),
        )
        self.predictions[it.id] = it
        self._tidy_up()
        assert self._group is not None, "open it first"  # noqa: S101
        self._courses[it.id] = self._group.create_task(self._run(it, task, within))
        return it

    def _tidy_up(self) -> None:
        """Keep no more than there is memory for."""
        over = [it for it in self.predictions.values() if it.is_over]
        for old in over[:-KEPT]:
            old.forget()
        for old in over[:-LISTED]:
            del self.predictions[old.id]

    def cancel(self, it: Prediction) -> None:
        """Stop an order; what was begun is charged. Silent when it is over."""
        if it.is_over:
            return
        if it.started_at is not None:
            self._charge(it, task_of(it.input).count)
        it.end("canceled", self.now())
        if course := self._courses.pop(it.id, None):
            course.cancel()

    async def _run(self, it: Prediction, task: Task, within: timedelta | None) -> None:
        try:
            async with asyncio.timeout(None if within is None else within.total_seconds()):
                await self._take_its_course(it, task)
        except TimeoutError:
            if it.started_at is None:
                it.end("aborted", self.now())
            else:
                self.cancel(it)
        finally:
            self._courses.pop(it.id, None)

    async def _take_its_course(self, it: Prediction, task: Task) -> None:
        strikes = self.troubles.take
        if strikes(Trouble.STUCK):
            await asyncio.Event().wait()
        if strikes(Trouble.ABORTED):
            it.end("aborted", self.now())
            return
        it.begin(self.now())
        if strikes(Trouble.ENDLESS):
            await asyncio.Event().wait()
        if strikes(Trouble.CANCELED):
            self.cancel(it)
            return
        if strikes(Trouble.FAILS):
            it.end("failed", self.now(), FAILURE)
            return
        if strikes(Trouble.FILTERED):
            it.end("failed", self.now(), NSFW)
            return
        await self._paint(it, task)

    async def _paint(self, it: Prediction, task: Task) -> None:
        """Paint what was ordered; charged is what comes out."""
        strikes = self.troubles.take
        count = 0 if strikes(Trouble.TOO_FEW) else task.count
        it.logs = f"Using seed: {task.seed}\n"
        pictures = [
            await self.studio.paint(
                task.prompt,
                width=task.width,
                height=task.height,
                seed=task.seed + index,
                form=task.form,
                seconds=self.seconds,
            )
            for index in range(count)
        ]
        self._charge(it, count)
        it.show(pictures)
        if strikes(Trouble.EARLY_OUTPUT):
            await asyncio.sleep(LAG_S)
        it.end("succeeded", self.now())
        if strikes(Trouble.DATA_REMOVED):
            it.forget()

    def _charge(self, it: Prediction, count: int) -> None:
        if count:
            self.studio.charge(NAME, it.id, MODELS[it.model] * count)
