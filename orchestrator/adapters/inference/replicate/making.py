"""One picture, from its order to its bytes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from orchestrator.adapters.inference.replicate.answers import TITLE, AnswerLost, tidy
from orchestrator.adapters.inference.replicate.files import Files
from orchestrator.adapters.inference.replicate.limits import Limits
from orchestrator.adapters.inference.replicate.predictions import Predictions
from orchestrator.adapters.inference.replicate.wire import Prediction, Status, Wanted
from orchestrator.domain.errors import (
    ApiOff,
    InferenceError,
    InferenceFailed,
    InferenceUnavailable,
    InferenceUncertain,
    PictureFiltered,
)
from orchestrator.domain.money import MicroUsd

log = logging.getLogger(__name__)

UNSEEN = "unseen"
"""What we say of an order that we have not looked at yet."""

GRACE_S = 10.0
"""How long the API has for stopping by itself what took too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """
    Makes the pictures of one job, each by an order of its own.

    Attributes:
        price: Of one picture.
        since: When the job's attempt began.
    """

    predictions: Predictions
    files: Files
    limits: Limits
    price: MicroUsd
    since: datetime

    async def order(self, wanted: Wanted) -> Prediction:
        """
        Order a picture that nobody can have ordered yet.

        Raises:
            InferenceUncertain: The answer was lost, and the order does not turn up in the listing.
        """
        try:
            return await self.predictions.create(wanted)
        except AnswerLost as error:
            log.info("an order's answer was lost, looking for it: %s", error)
            if found := await self.predictions.find_lost(wanted, self.since):
                return found
            raise self._uncertain(f"{error}; it is not in the list of orders") from None

    async def recall(self, wanted: Wanted, ref: str) -> Prediction:
        """
        Find what an earlier life of ours may have ordered; nothing is ordered.

        Raises:
            InferenceUncertain: It cannot be found.
        """
        if ref:
            return Prediction(id=ref, status=UNSEEN)
        found = await self.predictions.find_lost(wanted, self.since)
        if found is None:
            raise self._uncertain(f"{TITLE}: it may have been ordered before we crashed, and cannot be found")
        return found

    async def finish(self, it: Prediction, note: Callable[[str], Awaitable[None]]) -> bytes:
        """
        Follow an order to its end and fetch its picture.

        Args:
            note: Told what the order is called, before anything is waited for.
        """
        await note(it.id)
        over = await self._followed(it)
        if not over.picture:
            raise self._failure(over)
        try:
            return await self.files.fetch(over.picture)
        except InferenceFailed as error:
            error.cost = self.price
            raise

    async def _followed(self, it: Prediction) -> Prediction:
        clock = asyncio.get_running_loop().time
        began = clock()
        latest = began + self.limits.run.total_seconds() + GRACE_S
        while not it.is_over:
            is_stuck = it.status == Status.STARTING and clock() - began >= self.limits.queue.total_seconds()
            if is_stuck or clock() >= latest:
                return await self._given_up(it)
            await asyncio.sleep(self.limits.poll.total_seconds())
            it = await self._seen(it, latest)
        return it

    async def _seen(self, it: Prediction, latest: float) -> Prediction:
        """Look at it again; looking is free, so an outage is waited out until *latest*."""
        try:
            found = await self.predictions.get(it.id)
        except InferenceUnavailable as error:
            if asyncio.get_running_loop().time() < latest:
                return it
            raise self._uncertain(str(error)) from error
        except ApiOff as error:
            error.cost = self.price
            raise
        if found is None:
            raise self._uncertain(f"{TITLE}: it no longer knows an order of ours")
        return found

    async def _given_up(self, it: Prediction) -> Prediction:
        """Stop what does not get on, unless it is done just now."""
        try:
            stopped = await self.predictions.cancel(it.id) or await self.predictions.get(it.id)
        except InferenceError as error:
            raise self._uncertain(f"{TITLE}: it does not get on ({it.status}), nor be stopped: {error}") from error
        if stopped is not None and stopped.picture:
            return stopped
        raise InferenceFailed(f"{TITLE}: it does not get on ({it.status}); stopped", cost=self.price)

    def _failure(self, it: Prediction) -> InferenceError:
        """
        Say what became of an order without a picture.

        Charged are pictures, and what was cancelled; what was aborted is not (docs/topics/billing; changelog of
        2025-10-16). That a failed run of such a model is free follows from that and is said nowhere.
        """
        why = tidy(it.error or "")
        if it.data_removed and it.status == Status.SUCCEEDED:
            return InferenceFailed(f"{TITLE}: the picture was made and is deleted by now", cost=self.price)
        if it.is_filtered:
            return PictureFiltered(f"{TITLE} keeps a picture back: {why}")
        if it.status == Status.CANCELED:
            return InferenceFailed(f"{TITLE}: it was cancelled there", cost=self.price)
        if it.status == Status.SUCCEEDED:
            return InferenceFailed(f"{TITLE}: it has made fewer pictures than were ordered")
        return InferenceFailed(f"{TITLE}: {it.status}: {why}")

    def _uncertain(self, message: str) -> InferenceUncertain:
        return InferenceUncertain(message, cost=self.price)
