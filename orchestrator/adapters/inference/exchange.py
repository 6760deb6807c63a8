"""One request to a managed API, one bounded answer. Nothing is sent twice, no redirect is followed."""

import asyncio
import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import aiohttp

from orchestrator.domain.errors import ApiOff

PNG, JPEG, RIFF, WEBP = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF", b"WEBP"
USER_AGENT = "glowplug"
LONGEST_QUOTE = 200
LONGEST_WAIT_S = 86_400

NOT_SENT = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
    aiohttp.InvalidURL,
)
"""What aiohttp raises before the first byte of a request has left."""


class NothingSent(Exception):
    """The request never left."""


class AnswerLost(Exception):
    """The request may have arrived; what came of it is unknown."""


class _Failed(Exception):
    """Carries an exception past aiohttp, which would otherwise send some requests a second time."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause


async def _once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a request whose kept-alive connection broke."""
    try:
        return await send(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _Failed(error) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """
    What is waited for at most.

    Attributes:
        connect: Until a connection stands.
        order: Until the pictures are there.
        ask: For anything that makes no picture.
        answer_bytes: The longest answer: four pictures of three megapixels as base64 have less than half of it.
    """

    connect: timedelta = timedelta(seconds=10)
    order: timedelta = timedelta(minutes=2)
    ask: timedelta = timedelta(seconds=20)
    answer_bytes: int = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        """Its JSON; None when it is none."""
        try:
            return json.loads(self.raw)
        except (ValueError, RecursionError):
            return None

    @property
    def retry_after(self) -> timedelta | None:
        """The time to ask again that it tells, in seconds; a date is not read."""
        told = self.headers.get("Retry-After", "").strip()
        if not (told.isascii() and told.isdecimal() and len(told) < 9):
            return None
        return timedelta(seconds=min(int(told), LONGEST_WAIT_S))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """
    One request.

    Attributes:
        limit: For all of it, the answer included.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    limit: timedelta
    body: Mapping[str, Any] | None = None


class Exchange:
    """Sends requests over a shared session; the caller's headers hold its key, and no exception of ours does."""

    def __init__(self, session: aiohttp.ClientSession, limits: Limits) -> None:
        self._session = session
        self._limits = limits

    async def send(self, ask: Ask) -> Answer:
        """
        Send once, read the answer.

        Raises:
            NothingSent: It never left.
            AnswerLost: It may have arrived; the answer did not, is too long, or is no HTTP.
        """
        try:
            async with asyncio.timeout(ask.limit.total_seconds()), self._open(ask) as response:
                raw = await self._read(response)
                return Answer(status=response.status, headers=response.headers, raw=raw)
        except _Failed as failed:
            error = failed.cause
        except (aiohttp.ClientError, aiohttp.http_exceptions.HttpProcessingError, OSError, ValueError) as failed:
            error = failed  # TimeoutError is an OSError
        # Raised here and not above: aiohttp's exceptions hold the request's headers, and so the key.
        words = type(error).__name__
        raise NothingSent(words) if isinstance(error, NOT_SENT) else AnswerLost(words)

    def _open(self, ask: Ask) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self._session.request(
            ask.method,
            ask.url,
            json=ask.body,
            headers={"User-Agent": USER_AGENT, "Accept": "application/json", **ask.headers},
            allow_redirects=False,
            raise_for_status=False,
            timeout=aiohttp.ClientTimeout(total=None, connect=self._limits.connect.total_seconds()),
            middlewares=(_once,),
        )

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        raw = bytearray()
        async for chunk in response.content.iter_chunked(2**16):
            raw += chunk
            if len(raw) > self._limits.answer_bytes:
                response.close()
                raise AnswerLost(f"an answer of more than {self._limits.answer_bytes} bytes")
        return bytes(raw)


def is_picture(content: bytes) -> bool:
    """PNG, JPEG or WebP, by what it begins with."""
    return content.startswith((PNG, JPEG)) or (content.startswith(RIFF) and content[8:12] == WEBP)


def quoted(text: object, *secrets: str) -> str:
    """A stranger's words on one line, short, without our secrets."""
    line = " ".join(text.split()) if isinstance(text, str) else ""
    for secret in filter(None, secrets):
        line = line.replace(secret, "***")
    line = "".join(letter for letter in line if letter.isprintable())
    return line if len(line) <= LONGEST_QUOTE else f"{line[: LONGEST_QUOTE - 1]}…"


def checked_key(key: str, title: str, setting: str) -> str:
    """
    Strip a key.

    Raises:
        ApiOff: It cannot be sent in a header.
    """
    key = key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ApiOff(f"{title} is off: {setting} is empty or contains characters that no key has; set it anew.")
    return key
