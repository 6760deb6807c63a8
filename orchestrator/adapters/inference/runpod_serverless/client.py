"""Bounded requests with our key to one endpoint."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
from yarl import URL

from orchestrator.adapters import once
from orchestrator.adapters.inference.exchange import checked_key
from orchestrator.adapters.inference.runpod_serverless.limits import Limits
from orchestrator.adapters.once import AnswerLost, Ask, NothingSent


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
            NothingSent: Nothing was ordered.
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
        ask = Ask(
            method=method,
            url=self._base.joinpath(*path),
            headers=self._headers(),
            limit=limit,
            connect=self._limits.connect,
            most=most,
            data=data,
        )
        try:
            got = await once.send(self._session, ask)
        except NothingSent as error:
            raise NothingSent(f"no connection ({error})") from None
        except AnswerLost as error:
            raise AnswerLost("no answer in time" if error.is_late else str(error)) from None
        text = got.raw[:1000].decode("utf-8", errors="replace")
        return Reply(status=got.status, headers=got.headers, text=text, body=got.body)

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {checked_key(self._key, 'RunPod', 'RUNPOD_API_KEY')}",
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
