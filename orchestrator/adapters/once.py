"""
One HTTP request, one bounded answer. Nothing is sent twice, no redirect is followed, aiohttp's exceptions stay here.

For whoever is paid: clouds and managed APIs. Whether an answer is good news is theirs to say.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
from yarl import URL

from orchestrator.adapters.strangers import one_line, read_json

NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
    aiohttp.InvalidURL,
)
"""What aiohttp raises before the first byte of a request has left."""


class Unanswered(Exception):
    """
    No answer that can be read; which of the three, its class says.

    Attributes:
        words: The system's, where it had any; they may hold the address that was asked.
    """

    def __init__(self, kind: str, words: str = "") -> None:
        super().__init__(kind)
        self.words = words

    @property
    def is_late(self) -> bool:
        return str(self) == TimeoutError.__name__


class NothingSent(Unanswered):
    """The request never left."""


class AnswerLost(Unanswered):
    """The request may have arrived; what came of it is unknown."""


class AnswerUnreadable(AnswerLost):
    """The same, and an answer came: too long, or no HTTP."""


class _Failed(Exception):
    """Carries an exception past aiohttp, which would otherwise send some requests a second time."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """
    Keep aiohttp from repeating a request whose kept-alive connection broke.

    It does that by itself for GET, PUT and DELETE, and a PUT is how a machine is bought at Vast.ai.
    """
    try:
        return await send(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Failed(error) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """
    One request.

    Attributes:
        limit: For all of it, the answer included.
        connect: For name, connection and TLS alone.
        most: The longest answer that is read, in bytes.
        body: Sent as JSON.
        data: Sent as it is.
    """

    method: str
    url: URL | str
    headers: Mapping[str, str] = field(repr=False)
    limit: timedelta
    connect: timedelta
    most: int
    body: Mapping[str, Any] | None = None
    data: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One complete answer, whatever it says."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    raw: bytes = field(repr=False)

    @property
    def body(self) -> Any:
        """Its JSON; None when it is none."""
        return read_json(self.raw)


async def send(session: aiohttp.ClientSession, ask: Ask) -> Answer:
    """
    Send once, read the answer.

    Raises:
        NothingSent: It never left.
        AnswerLost: It may have arrived; the answer did not.
        AnswerUnreadable: The answer is too long, or no HTTP.
    """
    try:
        async with asyncio.timeout(ask.limit.total_seconds()), _open(session, ask) as response:
            return Answer(status=response.status, headers=response.headers, raw=await _read(response, ask.most))
    except _Failed as failed:
        error = failed.cause
    except (aiohttp.ClientError, aiohttp.http_exceptions.HttpProcessingError, OSError, ValueError) as failed:
        error = failed  # TimeoutError is an OSError
    # Raised here and not above: aiohttp's exceptions hold the request's headers, and so the key.
    raise unanswered(error)


def unanswered(error: Exception) -> Unanswered:
    """Translate what aiohttp raises. Of the exception only its name is kept, and the system's words."""
    kind, words = type(error).__name__, one_line(str(error)) if isinstance(error, OSError) else ""
    if isinstance(error, NOT_SENT):
        return NothingSent(kind, words)
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.http_exceptions.HttpProcessingError):
        return AnswerUnreadable(kind, words)
    return AnswerLost(kind, words)


def _open(session: aiohttp.ClientSession, ask: Ask) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
    return session.request(
        ask.method,
        ask.url,
        json=ask.body,
        data=ask.data,
        headers=ask.headers,
        allow_redirects=False,
        raise_for_status=False,
        timeout=aiohttp.ClientTimeout(total=None, connect=ask.connect.total_seconds()),
        middlewares=(_once,),
    )


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    raw = bytearray()
    async for chunk in response.content.iter_chunked(2**16):
        raw += chunk
        if len(raw) > most:
            response.close()
            raise AnswerUnreadable(f"an answer of more than {most} bytes")
    return bytes(raw)
