"""HTTP to the cloud: one request in its turn, one answer or one error of ours."""

import logging
from dataclasses import dataclass, replace

import aiohttp

from orchestrator.adapters.clouds import exchange
from orchestrator.adapters.clouds.exchange import Exchange
from orchestrator.adapters.clouds.limits import Limits
from orchestrator.adapters.clouds.vast.answers import Answer, asked_wait
from orchestrator.adapters.clouds.vast.limits import Endpoint
from orchestrator.adapters.clouds.vast.pace import Pace
from orchestrator.domain.ids import CloudName

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(exchange.Request):
    """One request. Its path ends in a slash: without one the cloud redirects to another host."""

    endpoint: Endpoint


class VastClient:
    """Raises errors of ours alone; whether an answer is good news is the caller's to say."""

    def __init__(
        self, *, cloud: CloudName, url: str, key: str, session: aiohttp.ClientSession, limits: Limits, pace: Pace
    ) -> None:
        self._exchange = Exchange(
            cloud=cloud, url=url, key=key.strip(), session=session, connect=limits.connect, most=limits.answer_bytes
        )
        self._pace = pace

    async def send(self, request: Request) -> Answer:
        """Wait for the endpoint's turn and send once; errors are the exchange's."""
        got = await self._exchange.send(request, lambda within_s: self._pace.turn(request.endpoint, within_s=within_s))
        answer = Answer(
            status=got.status,
            headers=got.headers,
            text=got.raw.decode("utf-8", errors="replace"),
            body=got.body,
            key=self._exchange.key,
        )
        return self._note_pace(request.endpoint, answer)

    def _note_pace(self, endpoint: Endpoint, answer: Answer) -> Answer:
        if not answer.is_rate_limit:
            self._pace.accepted(endpoint)
            return answer
        wait = self._pace.refused(endpoint, asked_wait(answer))
        log.info("%s: %s is asked again in %.1f s", self._exchange.cloud, endpoint.lane, wait)
        return replace(answer, wait_s=wait)
