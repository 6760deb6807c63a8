"""HTTP to RunPod: one request in its turn, one answer or one error of ours."""

import logging

import aiohttp

from orchestrator.adapters.clouds.exchange import Exchange, Request
from orchestrator.adapters.clouds.limits import Limits
from orchestrator.adapters.clouds.runpod.answers import Answer
from orchestrator.adapters.clouds.runpod.limits import Pace, used_up
from orchestrator.domain.ids import CloudName

log = logging.getLogger(__name__)


class RunPodClient:
    """Raises errors of ours alone; whether an answer is good news is the caller's to say."""

    def __init__(
        self, *, cloud: CloudName, url: str, key: str, session: aiohttp.ClientSession, limits: Limits, pace: Pace
    ) -> None:
        self._exchange = Exchange(
            cloud=cloud,
            url=url,
            key=key.strip(),
            session=session,
            connect=limits.connect,
            most=limits.answer_bytes,
            headers={"User-Agent": "glowplug"},
        )
        self._pace = pace

    async def send(self, request: Request) -> Answer:
        """Wait for a turn and send once; errors are the exchange's."""
        got = await self._exchange.send(request, lambda within_s: self._pace.turn(within_s=within_s))
        answer = Answer(
            status=got.status,
            headers=got.headers,
            body=got.body,
            key=self._exchange.key,
        )
        self._note_pace(answer)
        return answer

    def _note_pace(self, answer: Answer) -> None:
        wait = answer.wait_s if answer.status == 429 else used_up(answer.headers.get("RateLimit"))
        if wait > 0:
            log.info("%s: asked again in %.0f s at the earliest", self._exchange.cloud, wait)
            self._pace.stay_away(wait)
