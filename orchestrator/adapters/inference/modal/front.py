"""
Requests to an app behind Modal's web front: proxy credentials, and answers that take longer than a request may.

Sources: modal.com/docs/guide/webhook-proxy-auth (``Modal-Key`` and ``Modal-Secret``; 401 without, and no container is
started); webhook-timeouts (after 150 s a 303 leads to the same answer, again and again; reading it starts nothing).
"""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import aiohttp
from yarl import URL

from orchestrator.adapters.inference.exchange import LOOPBACK, Exchange, Limits, checked_key
from orchestrator.adapters.once import Answer, AnswerLost
from orchestrator.domain.errors import ApiOff

TITLE = "your Modal app"
MOST_HOPS = 20


class Front:
    """One app's address and credentials; they go to its own host and nowhere else."""

    def __init__(self, *, url: str, key: str, secret: str, session: aiohttp.ClientSession, limits: Limits) -> None:
        self._url = url
        self._key = key
        self._secret = secret
        self._exchange = Exchange(session, limits)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        limit: timedelta,
        body: Mapping[str, Any] | None = None,
        is_known: bool = True,
    ) -> Answer:
        """
        Ask, and follow where the answer is kept until it is there.

        Args:
            limit: For the whole chain.
            is_known: Whether the credentials are sent.

        Raises:
            ApiOff: The address or the credentials can be no such thing.
            NothingSent: The request never left.
            AnswerLost: It may have arrived; no answer came, or one that leads astray.
        """
        base = self._base()
        headers = self._credentials() if is_known else {}
        url = str(base / path if path else base)
        try:
            async with asyncio.timeout(limit.total_seconds()):
                for _ in range(MOST_HOPS):
                    answer = await self._exchange.send(method, url, headers=headers, limit=limit, body=body)
                    if answer.status != 303:
                        return answer
                    method, url, body = "GET", _target(url, answer.headers.get("Location", ""), base), None
        except TimeoutError as error:
            raise AnswerLost("TimeoutError") from error
        raise AnswerLost(f"it leads on more than {MOST_HOPS} times")

    def _base(self) -> URL:
        try:
            url = URL(self._url.strip().rstrip("/") + "/")
        except ValueError:
            url = URL()
        if url.scheme == "https" or (url.scheme == "http" and url.host in LOOPBACK):
            return url
        raise ApiOff(f"{TITLE} is off: MODAL_URL must begin with https://; `modal deploy` prints it.")

    def _credentials(self) -> dict[str, str]:
        return {
            "Modal-Key": checked_key(self._key, TITLE, "MODAL_KEY"),
            "Modal-Secret": checked_key(self._secret, TITLE, "MODAL_SECRET"),
        }


def _target(asked: str, location: str, base: URL) -> str:
    """
    Where an answer is kept.

    Raises:
        AnswerLost: It is said to be where the credentials must not go.
    """
    try:
        target = URL(asked).join(URL(location, encoded=True))
        if location and target.is_absolute() and target.origin() == base.origin():
            return str(target)
    except ValueError:
        pass
    raise AnswerLost("it leads to another host")
