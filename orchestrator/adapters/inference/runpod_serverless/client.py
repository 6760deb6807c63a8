"""Bounded requests with our key to one endpoint. Nothing is sent twice, and aiohttp's exceptions stay here."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
from yarl import URL

from orchestrator.adapters.inference.runpod_serverless.limits import Limits
from orchestrator.domain.errors import ApiOff

NOT_SENT = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, aiohttp.InvalidURL)
"""What aiohttp raises before the first byte of a request has left."""


class NotSent(Exception):
    """Nothing has left this computer."""


class AnswerLost(Exception):
    """The request may have arrived; what came of it is unknown, or nobody can read it."""


class Failed(Exception):
    """Carries an exception past aiohttp, which would otherwise send the request a second time."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(type(cause).__name__)
        self.cause = cause


async def once(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a request whose kept connection broke, as it does for what it takes for harmless."""
    try:
        return await send(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise Failed(error) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """
    One complete answer.

    Attributes:
        body: Its JSON; None where it has none.
    """

    status: int
    headers: Mapping[str, str] = field(repr=False)
    text: str = field(repr=False)
    body: Any = field(repr=False)

    @property
    def fields(self) -> Mapping[str, Any]:
        return self.body if isinstance(self.body, dict) else {}


class JobClient:
    """The job API of one endpoint, request by request."""

    def __init__(self, *, url: str, endpoint: str, key: str, session: aiohttp.ClientSession, limits: Limits) -> None:
        self._base = URL(url.rstrip("/")) / "v2" / endpoint
        self._key = key.strip()
        self._session = session
        self._limits = limits

    async def run(self, order: bytes) -> Reply:
        """POST /run with a body of JSON.

        Raises:
            NotSent: Nothing was ordered.
            AnswerLost: It may have been.
        """
        return await self._send("POST", "run", limit=self._limits.order, most=self._limits.json_bytes, data=order)

    async def status(self, ref: str) -> Reply:
        """GET /status: when the job is over, with its pictures."""
        return await self._send("GET", "status", ref, limit=self._limits.transfer, most=self._limits.result_bytes)

    async def cancel(self, ref: str) -> Reply:
        return await self._send("POST", "cancel", ref, limit=self._limits.answer, most=self._limits.result_bytes)

    async def health(self) -> Reply:
        return await self._send("GET", "health", limit=self._limits.answer, most=self._limits.json_bytes)

    async def _send(self, method: str, *path: str, limit: timedelta, most: int, data: bytes | None = None) -> Reply:
        try:
            async with (
                asyncio.timeout(limit.total_seconds()),
                self._session.request(
                    method,
                    self._base.joinpath(*path),
                    data=data,
                    headers=self._headers(),
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, connect=self._limits.connect.total_seconds()),
                    middlewares=(once,),
                ) as response,
            ):
                return await _read(response, most)
        except Failed as failed:
            error = failed.cause
        except (aiohttp.ClientError, OSError, ValueError) as failed:  # TimeoutError is an OSError
            error = failed
        # Raised here and not above: aiohttp's exceptions hold the request's headers, and so our key.
        if isinstance(error, NOT_SENT):
            raise NotSent(f"no connection ({type(error).__name__})")
        raise AnswerLost("no answer in time" if isinstance(error, TimeoutError) else f"{type(error).__name__}")

    def _headers(self) -> dict[str, str]:
        if not self._key.isascii() or not self._key.isprintable() or " " in self._key:
            raise ApiOff("RunPod: the key contains characters that no key has; see RUNPOD_API_KEY")
        return {
            "Authorization": f"Bearer {self._key}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        }


async def _read(response: aiohttp.ClientResponse, most: int) -> Reply:
    raw = await read_at_most(response, most)
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    return Reply(
        status=response.status,
        headers=response.headers,
        text=raw[:1000].decode("utf-8", errors="replace"),
        body=body,
    )


async def read_at_most(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The whole body.

    Raises:
        AnswerLost: It is longer than *most* bytes.
    """
    raw = bytearray()
    async for chunk in response.content.iter_chunked(2**16):
        raw += chunk
        if len(raw) > most:
            response.close()
            raise AnswerLost(f"an answer of more than {most} bytes")
    return bytes(raw)
