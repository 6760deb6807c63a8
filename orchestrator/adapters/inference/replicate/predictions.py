"""Orders at Replicate: place one, look at it, stop it, find it again."""

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from urllib.parse import quote

from yarl import URL

from orchestrator.adapters.inference.replicate.answers import TITLE, AnswerLost, refusal
from orchestrator.adapters.inference.replicate.client import Client, Request
from orchestrator.adapters.inference.replicate.limits import Limits
from orchestrator.adapters.inference.replicate.wire import Prediction, Wanted, is_ours, page, prediction
from orchestrator.domain.errors import InferenceError, InferenceUnavailable

log = logging.getLogger(__name__)

CLOCKS_DIFFER = timedelta(minutes=2)
LOOK_AGAIN_S = 1.0


class Predictions:
    """One account's orders; errors are those of the port, and :class:`AnswerLost`."""

    def __init__(self, client: Client, limits: Limits) -> None:
        self._client = client
        self._limits = limits

    async def serves(self, model: str) -> None:
        """
        See that *model* is there for our key.

        Raises:
            ApiOff: It is not, or the key is refused.
            InferenceUnavailable: Nobody can say.
        """
        answer = await self._client.send(self._get(self._client.at(f"/v1/models/{model}"), f"looking for {model}"))
        if not answer.is_success:
            raise refusal(answer, f"looking for {model}")
        if not isinstance(answer.body, dict):
            raise InferenceUnavailable(f"{TITLE}: looking for {model}: an answer that nobody can read")

    async def create(self, wanted: Wanted) -> Prediction:
        """
        Place the order, once.

        Raises:
            AnswerLost: It may have been placed.
            InferenceUnavailable: It was not placed.
        """
        doing = f"ordering from {wanted.model}"
        request = Request(
            method="POST",
            url=self._client.at(f"/v1/models/{wanted.model}/predictions"),
            doing=doing,
            limit=self._limits.order,
            body={"input": wanted.input},
            headers={
                "Prefer": f"wait={_seconds(self._limits.hold)}",
                "Cancel-After": f"{_seconds(self._limits.run)}s",  # docs/topics/predictions/lifecycle
            },
        )
        answer = await self._client.send(request)
        if not answer.is_success:
            raise refusal(answer, doing)
        return prediction(answer.body, doing)

    async def get(self, ref: str) -> Prediction | None:
        """Look at an order; None when there is no such."""
        answer = await self._client.send(self._get(self._client.at(f"/v1/predictions/{quote(ref)}"), "looking"))
        if answer.status == 404:
            return None
        if not answer.is_success:
            raise refusal(answer, "looking at an order")
        return prediction(answer.body, "looking at an order")

    async def cancel(self, ref: str) -> Prediction | None:
        """Stop an order, and say what became of it; None when there is nothing to stop."""
        url = self._client.at(f"/v1/predictions/{quote(ref)}/cancel")
        answer = await self._client.send(
            Request(method="POST", url=url, doing="cancelling", limit=self._limits.read, body={})
        )
        if answer.status in {404, 409, 422}:
            return None
        if not answer.is_success:
            raise refusal(answer, "cancelling")
        return prediction(answer.body, "cancelling")

    async def find(self, wanted: Wanted, since: datetime) -> Prediction | None:
        """The newest order for just this that was placed after *since*, by one look through the listing."""
        async for it in self.placed(since):
            if wanted.is_made_by(it):
                return it
        return None

    async def find_lost(self, wanted: Wanted, since: datetime) -> Prediction | None:
        """
        The same for an order whose answer was just lost: it may take a while to be listed.

        None when it does not turn up, and when nobody answers.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + self._limits.settle.total_seconds()
        try:
            async with asyncio.timeout_at(until):
                while True:
                    try:
                        if found := await self.find(wanted, since):
                            return found
                    except InferenceError as error:
                        log.info("the list of orders cannot be read: %s", error)
                    await asyncio.sleep(LOOK_AGAIN_S)
        except TimeoutError:
            return None

    async def placed(self, since: datetime) -> AsyncIterator[Prediction]:
        """
        All orders after *since*, newest first, as far as anybody wants to read.

        ``created_after``, ``next``: the types of replicate/replicate-python-beta (48e138a), prediction_list_params.
        """
        url = self._client.at("/v1/predictions", {"created_after": (since - CLOCKS_DIFFER).isoformat()})
        for _ in range(self._limits.pages):
            answer = await self._client.send(self._get(url, "listing"))
            if not answer.is_success:
                raise refusal(answer, "listing")
            read = page(answer.body, "listing")
            for it in read.results:
                yield it
            if not read.next:
                return
            url = URL(read.next)
            if not is_ours(url, self._client.address):
                raise AnswerLost(f"{TITLE}: listing: its next page is at another address")

    def _get(self, url: URL, doing: str) -> Request:
        return Request(method="GET", url=url, doing=doing, limit=self._limits.read)


def _seconds(span: timedelta) -> int:
    return max(1, round(span.total_seconds()))
