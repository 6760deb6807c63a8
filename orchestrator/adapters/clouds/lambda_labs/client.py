"""HTTP to the cloud: one request in its turn, one answer or one error of ours."""

import logging
from dataclasses import dataclass, replace

import aiohttp

from orchestrator.adapters.clouds import exchange
from orchestrator.adapters.clouds.exchange import Exchange
from orchestrator.adapters.clouds.lambda_labs.answers import Answer, asked_wait
from orchestrator.adapters.clouds.lambda_labs.limits import Claim, Limits
from orchestrator.adapters.clouds.lambda_labs.pace import Pace
from orchestrator.domain.ids import CloudName

log = logging.getLogger(__name__)

BASE = "/api/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(exchange.Request):
    """One request. Its path is below the API's base."""

    claim: Claim = Claim.USUAL
    is_launch: bool = False


class LambdaClient:
    """Raises errors of ours alone; whether an answer is good news is the caller's to say."""

    def __init__(
        self, *, cloud: CloudName, url: str, key: str, session: aiohttp.ClientSession, limits: Limits, pace: Pace
    ) -> None:
        self._exchange = Exchange(
            cloud=cloud,
            url=url.rstrip("/") + BASE,
            key=key.strip(),
            session=session,
            connect=limits.connect,
            most=limits.answer_bytes,
        )
        self._pace = pace

    async def send(self, request: Request) -> Answer:
        """Wait for the account's turn and send once; errors are the exchange's."""
        got = await self._exchange.send(
            request,
            lambda within_s: self._pace.turn(request.claim, is_launch=request.is_launch, within_s=within_s),
        )
        answer = Answer(status=got.status, headers=got.headers, body=got.body, key=self._exchange.key)
        return self._note_pace(request, answer)

    def _note_pace(self, request: Request, answer: Answer) -> Answer:
        if not answer.is_rate_limit:
            self._pace.accepted(is_launch=request.is_launch)
            return answer
        wait = self._pace.refused(asked_wait(answer), is_launch=request.is_launch)
        log.info("%s: asked too often to %s, again in %.1f s", self._exchange.cloud, request.doing, wait)
        return replace(answer, wait_s=wait)
