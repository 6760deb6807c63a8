"""
One account of a cloud, asked in turn: what the clouds' clients have in common around one request.

When the account may be asked is each cloud's pace; what an answer means is for each cloud to say.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
from yarl import URL

from orchestrator.adapters import once
from orchestrator.adapters.once import Answer, Ask, NothingSent, Unanswered
from orchestrator.domain.errors import AccountProblem, CloudError, CloudProtocolError, CloudUnavailable, RateLimited
from orchestrator.domain.ids import CloudName

Turn = Callable[[float], Awaitable[None]]
"""Waits for a turn within so many seconds, or raises TooLate."""


class AnswerLost(CloudUnavailable):
    """The request may have arrived; what came of it is unknown."""


class AnswerUnreadable(CloudProtocolError):
    """An answer came that nobody can read: too long, or no HTTP at all."""


class TooLate(Exception):
    """The turn would come after the caller's limit."""

    def __init__(self, wait_s: float) -> None:
        super().__init__(f"the next turn is in {wait_s:.1f} s")
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    One request.

    Attributes:
        path: Below the cloud's address, quoted.
        doing: What it is for, in a word or two, for messages.
        limit: For all of it, waiting for a turn included.
    """

    method: str
    path: str
    doing: str
    limit: timedelta
    query: Mapping[str, str] | None = None
    body: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """
    Sends requests with one key to one address and to no other.

    Attributes:
        url: What every path is appended to.
        connect: For name, connection and TLS alone. What fails within it has sent nothing.
        most: The longest answer that is read, in bytes.
        headers: Sent along with the key.
    """

    cloud: CloudName
    url: str
    key: str = field(repr=False)
    session: aiohttp.ClientSession
    connect: timedelta
    most: int
    headers: Mapping[str, str] = field(default_factory=dict)

    async def send(self, request: Request, turn: Turn) -> Answer:
        """
        Wait for a turn, send once, read the answer.

        Raises:
            RateLimited: The turn is too far away; nothing was sent.
            CloudUnavailable: Nothing was sent.
            AnswerLost: Something may have been sent.
            AnswerUnreadable: The answer is too long or not HTTP.
        """
        clock = asyncio.get_running_loop().time
        ends_at = clock() + request.limit.total_seconds()
        try:
            await turn(request.limit.total_seconds() / 2)  # the rest belongs to the answer
        except TooLate as late:
            wait = timedelta(seconds=late.wait_s)
            raise RateLimited(self.cloud, f"{request.doing}: {late}", retry_after=wait) from late
        try:
            return await once.send(self.session, self._ask(request, timedelta(seconds=ends_at - clock())))
        except Unanswered as failed:
            error = failed
        raise unanswered(self.cloud, error, request.doing)

    def _ask(self, request: Request, limit: timedelta) -> Ask:
        url = URL(self.url.rstrip("/"))
        url = url.with_path(url.path.rstrip("/") + request.path, encoded=True)
        return Ask(
            method=request.method,
            url=url if request.query is None else url.with_query(request.query),
            headers={"Authorization": f"Bearer {self._checked_key()}", "Accept": "application/json", **self.headers},
            limit=limit,
            connect=self.connect,
            most=self.most,
            body=request.body,
        )

    def _checked_key(self) -> str:
        if not self.key.isascii() or not self.key.isprintable() or " " in self.key:
            raise AccountProblem(self.cloud, "the key contains characters that no key has; copy it again")
        return self.key


def unanswered(cloud: CloudName, error: Unanswered, doing: str) -> CloudError:
    """Say it as the port does."""
    message = f"{doing}: {error} {error.words}".rstrip()
    if isinstance(error, NothingSent):
        return CloudUnavailable(cloud, f"{message}, nothing was sent")
    if isinstance(error, once.AnswerUnreadable):
        return AnswerUnreadable(cloud, message)
    return AnswerLost(cloud, f"{message}, the answer was lost")
