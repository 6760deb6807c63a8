"""HTTP to the cloud: one request, one bounded answer or one error of ours. Nothing is sent twice."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import aiohttp
from yarl import URL

from orchestrator.adapters.clouds.lambda_labs.answers import Answer, asked_wait, read_json, tidy
from orchestrator.adapters.clouds.lambda_labs.limits import Claim, Limits
from orchestrator.adapters.clouds.lambda_labs.pace import Pace, TooLate
from orchestrator.domain.errors import AccountProblem, CloudError, CloudProtocolError, CloudUnavailable, RateLimited
from orchestrator.domain.ids import CloudName

log = logging.getLogger(__name__)

BASE = "/api/v1"
NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
    aiohttp.InvalidURL,
)
"""What aiohttp raises before the first byte of a request has left."""


class AnswerLost(CloudUnavailable):
    """The request may have arrived; what came of it is unknown."""


class AnswerUnreadable(CloudProtocolError):
    """An answer came that nobody can read: too long, or no HTTP at all."""


class _Failed(Exception):
    """Carries an exception past aiohttp, which would otherwise send the request a second time."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a request whose connection broke: it does so for GET, and may for more one day."""
    try:
        return await send(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Failed(error) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    One request.

    Attributes:
        path: Below the API's base, quoted.
        doing: What it is for, in a word or two, for messages.
    """

    method: str
    path: str
    doing: str
    limit: timedelta
    claim: Claim = Claim.USUAL
    is_launch: bool = False
    query: Mapping[str, str] | None = None
    body: Mapping[str, Any] | None = None


def unanswered(cloud: CloudName, error: Exception, doing: str) -> CloudError:
    """Translate what aiohttp raises. Of the exception only its name is kept, and the system's words."""
    words = tidy(str(error)) if isinstance(error, OSError) else ""
    message = f"{doing}: {type(error).__name__} {words}".rstrip()
    if isinstance(error, NOT_SENT):
        return CloudUnavailable(cloud, f"{message}, nothing was sent")
    if isinstance(error, aiohttp.ClientResponseError):
        return AnswerUnreadable(cloud, message)
    return AnswerLost(cloud, f"{message}, the answer was lost")


class LambdaClient:
    """
    Sends requests with our key to one address and to no other.

    Raises errors of ours alone; whether an answer is good news is the caller's to say.
    """

    def __init__(
        self, *, cloud: CloudName, url: str, key: str, session: aiohttp.ClientSession, limits: Limits, pace: Pace
    ) -> None:
        self._cloud = cloud
        self._url = URL(url.rstrip("/"))
        self._key = key.strip()
        self._session = session
        self._limits = limits
        self._pace = pace

    async def send(self, request: Request) -> Answer:
        """
        Wait for the account's turn, send once, read the answer.

        Raises:
            RateLimited: The turn is too far away; nothing was sent.
            CloudUnavailable: Nothing was sent.
            AnswerLost: Something may have been sent.
            AnswerUnreadable: The answer is too long or not HTTP.
        """
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + request.limit.total_seconds()
        await self._turn(request)
        try:
            async with asyncio.timeout_at(ends_at), self._open(request) as response:
                answer = await self._read(response, request)
            return self._note_pace(request, answer)
        except _Failed as failed:
            error = failed.cause
        except (aiohttp.ClientError, OSError) as failed:  # TimeoutError is an OSError
            error = failed
        # Raised here and not above: aiohttp's exceptions hold the request's headers, and so our key.
        raise unanswered(self._cloud, error, request.doing)

    async def _turn(self, request: Request) -> None:
        """At most half of the time is spent waiting: the rest belongs to the answer."""
        within_s = request.limit.total_seconds() / 2
        try:
            await self._pace.turn(request.claim, is_launch=request.is_launch, within_s=within_s)
        except TooLate as late:
            raise RateLimited(
                self._cloud, f"{request.doing}: {late}", retry_after=timedelta(seconds=late.wait_s)
            ) from late

    def _open(self, request: Request) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self._session.request(
            request.method,
            self._url.with_path(self._url.path.rstrip("/") + BASE + request.path, encoded=True),
            params=request.query,
            json=request.body,
            headers=self._headers(),
            allow_redirects=False,
            raise_for_status=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=self._limits.connect.total_seconds()),
            middlewares=(_once,),
        )

    def _headers(self) -> dict[str, str]:
        if not self._key.isascii() or not self._key.isprintable() or " " in self._key:
            raise AccountProblem(self._cloud, "the key contains characters that no key has; copy it again")
        return {"Authorization": f"Bearer {self._key}", "Accept": "application/json"}

    async def _read(self, response: aiohttp.ClientResponse, request: Request) -> Answer:
        raw = bytearray()
        async for chunk in response.content.iter_chunked(2**16):
            raw += chunk
            if len(raw) > self._limits.answer_bytes:
                response.close()
                message = f"{request.doing}: an answer of more than {self._limits.answer_bytes} bytes"
                raise AnswerUnreadable(self._cloud, message)
        return Answer(status=response.status, headers=response.headers, body=read_json(bytes(raw)), key=self._key)

    def _note_pace(self, request: Request, answer: Answer) -> Answer:
        if not answer.is_rate_limit:
            self._pace.accepted(is_launch=request.is_launch)
            return answer
        wait = self._pace.refused(asked_wait(answer), is_launch=request.is_launch)
        log.info("%s: asked too often to %s, again in %.1f s", self._cloud, request.doing, wait)
        return replace(answer, wait_s=wait)
