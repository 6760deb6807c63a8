"""HTTP to Replicate: one request, one bounded answer or one error of ours. Nothing is sent twice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
from yarl import URL

from orchestrator.adapters import once
from orchestrator.adapters.inference.exchange import checked_key
from orchestrator.adapters.inference.replicate.answers import TITLE, Answer, AnswerLost
from orchestrator.adapters.inference.replicate.limits import Limits
from orchestrator.adapters.once import AnswerUnreadable, Ask, NothingSent, Unanswered
from orchestrator.domain.errors import InferenceUnavailable

ADDRESS = "https://api.replicate.com"


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
        got = await self.fetch(request, self._limits.answer_bytes)
        return Answer(status=got.status, headers=got.headers, body=got.body, key=self._key)

    async def fetch(self, request: Request, longest: int) -> once.Answer:
        """The same for an answer of any kind, *longest* bytes of it at most."""
        ask = Ask(
            method=request.method,
            url=request.url,
            headers=self._headers(request),
            limit=request.limit,
            connect=self._limits.connect,
            most=longest,
            body=request.body,
        )
        try:
            return await once.send(self._session, ask)
        except AnswerUnreadable as error:
            raise AnswerLost(f"{TITLE}: {request.doing}: {error}") from None
        except Unanswered as error:
            message = f"{TITLE}: {request.doing}: {error} {error.words}".rstrip()
            if isinstance(error, NothingSent):
                raise InferenceUnavailable(f"{message}, nothing was sent") from None
            raise AnswerLost(f"{message}, the answer was lost") from None

    def _headers(self, request: Request) -> dict[str, str]:
        if not request.has_key:
            return dict(request.headers)
        key = checked_key(self._key, TITLE, "REPLICATE_API_TOKEN")
        return {"Authorization": f"Bearer {key}", "Accept": "application/json", **request.headers}
