"""HTTP to Replicate: one request, one bounded answer or one error of ours. Nothing is sent twice."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
from yarl import URL

from orchestrator.adapters.inference.replicate.answers import TITLE, Answer, AnswerLost, read_json, tidy
from orchestrator.adapters.inference.replicate.limits import Limits
from orchestrator.domain.errors import ApiOff, InferenceError, InferenceUnavailable

ADDRESS = "https://api.replicate.com"

NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
    aiohttp.InvalidURL,
)
"""What aiohttp raises before the first byte of a request has left."""


class _Failed(Exception):
    """Carries an exception past aiohttp, which would otherwise send some requests a second time."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause


async def once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a request whose connection broke."""
    try:
        return await send(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Failed(error) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    One request.

    Attributes:
        doing: What it is for, in a word or two, for messages.
    """

    method: str
    url: URL
    doing: str
    limit: timedelta
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    has_key: bool = True


class Client:
    """Sends our key to one address, and elsewhere only where the caller says so."""

    def __init__(self, *, url: str, key: str, session: aiohttp.ClientSession, limits: Limits) -> None:
        self.address = URL(url.rstrip("/"))
        self._key = key.strip()
        self._session = session
        self._limits = limits

    def at(self, path: str, query: Mapping[str, str] | None = None) -> URL:
        """The address of *path*, such as ``/v1/predictions``."""
        return self.address.with_path(self.address.path.rstrip("/") + path).with_query(query)

    async def send(self, request: Request) -> Answer:
        """
        Send once, read the answer as JSON.

        Raises:
            InferenceUnavailable: Nothing was sent.
            AnswerLost: Something may have been sent.
        """
        status, headers, raw = await self.fetch(request, self._limits.answer_bytes)
        return Answer(status=status, headers=headers, body=read_json(raw), key=self._key)

    async def fetch(self, request: Request, longest: int) -> tuple[int, Mapping[str, str], bytes]:
        """The same for an answer of any kind, *longest* bytes of it at most: status, headers, body."""
        try:
            async with (
                asyncio.timeout(request.limit.total_seconds()),
                self._session.request(
                    request.method,
                    request.url,
                    json=request.body,
                    headers=self._headers(request),
                    allow_redirects=False,
                    raise_for_status=False,
                    timeout=aiohttp.ClientTimeout(total=None, connect=self._limits.connect.total_seconds()),
                    middlewares=(once,),
                ) as response,
            ):
                return response.status, response.headers, await _read(response, request.doing, longest)
        except _Failed as failed:
            error = failed.cause
        except (aiohttp.ClientError, OSError) as failed:  # TimeoutError is an OSError
            error = failed
        # Raised here and not above: aiohttp's exceptions hold the request's headers, and so our key.
        raise _unanswered(error, request.doing)

    def _headers(self, request: Request) -> dict[str, str]:
        if not request.has_key:
            return dict(request.headers)
        if not self._key.isascii() or not self._key.isprintable() or " " in self._key or not self._key:
            raise ApiOff(f"{TITLE}: REPLICATE_API_TOKEN is no key: it is empty or has characters that no key has.")
        return {"Authorization": f"Bearer {self._key}", "Accept": "application/json", **request.headers}


async def _read(response: aiohttp.ClientResponse, doing: str, longest: int) -> bytes:
    raw = bytearray()
    async for chunk in response.content.iter_chunked(2**16):
        raw += chunk
        if len(raw) > longest:
            response.close()
            raise AnswerLost(f"{TITLE}: {doing}: an answer of more than {longest} bytes")
    return bytes(raw)


def _unanswered(error: Exception, doing: str) -> InferenceError:
    """Translate what aiohttp raises. Of the exception only its name is kept, and the system's words."""
    words = tidy(str(error)) if isinstance(error, OSError) else ""
    message = f"{TITLE}: {doing}: {type(error).__name__} {words}".rstrip()
    if isinstance(error, NOT_SENT):
        return InferenceUnavailable(f"{message}, nothing was sent")
    return AnswerLost(f"{message}, the answer was lost")
