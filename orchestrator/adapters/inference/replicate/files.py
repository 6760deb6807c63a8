"""Fetches finished pictures from wherever Replicate has put them."""

import asyncio
import ipaddress

from yarl import URL

from orchestrator.adapters.inference.replicate.answers import TITLE
from orchestrator.adapters.inference.replicate.client import Client, Request
from orchestrator.adapters.inference.replicate.limits import Limits
from orchestrator.adapters.inference.replicate.wire import is_ours
from orchestrator.adapters.strangers import is_picture
from orchestrator.domain.errors import InferenceFailed, InferenceUnavailable

TRUSTED = ("replicate.delivery", "api.replicate.com")
TRIES = 3


class Files:
    """
    Pictures lie behind plain links for an hour (docs/topics/predictions/data-retention).

    An older page says that the links want our key: a refused one is asked for once more with it, but only where
    Replicate itself is.
    """

    def __init__(self, client: Client, limits: Limits) -> None:
        self._client = client
        self._limits = limits

    async def fetch(self, link: str) -> bytes:
        """
        Download one picture.

        Raises:
            InferenceFailed: It cannot be had, or is no picture.
        """
        url = self._address(link)
        why = "no answer in time"
        try:
            async with asyncio.timeout(self._limits.download.total_seconds()):
                for left in reversed(range(TRIES)):
                    try:
                        return await self._once(url)
                    except InferenceUnavailable as error:
                        why = str(error)
                    if left:
                        await asyncio.sleep(self._limits.poll.total_seconds())
        except TimeoutError:
            pass
        raise InferenceFailed(f"{TITLE}: the picture was made and cannot be fetched: {why}")

    def _address(self, link: str) -> URL:
        try:
            url = URL(link)
            is_plain_ok = _is_loopback(url) and _is_loopback(self._client.address)
        except ValueError:
            raise InferenceFailed(f"{TITLE}: the picture is at no address") from None
        if not url.host or not (url.scheme == "https" or (url.scheme == "http" and is_plain_ok)):
            raise InferenceFailed(f"{TITLE}: the picture is not behind https")
        return url

    async def _once(self, url: URL) -> bytes:
        status, raw = await self._get(url, has_key=False)
        if status in {401, 403} and self._may_have_key(url):
            status, raw = await self._get(url, has_key=True)
        if status >= 500 or status == 429:
            raise InferenceUnavailable(f"{TITLE}: fetching: {status}")
        if status != 200:
            raise InferenceFailed(f"{TITLE}: the picture was made and cannot be fetched: {status}")
        if not is_picture(raw):
            raise InferenceFailed(f"{TITLE}: what it made is no picture")
        return raw

    async def _get(self, url: URL, *, has_key: bool) -> tuple[int, bytes]:
        request = Request(method="GET", url=url, doing="fetching", limit=self._limits.download, has_key=has_key)
        got = await self._client.fetch(request, self._limits.picture_bytes)
        return got.status, got.raw

    def _may_have_key(self, url: URL) -> bool:
        host = url.host or ""
        is_theirs = any(host == name or host.endswith(f".{name}") for name in TRUSTED)
        return (is_theirs and url.scheme == "https") or is_ours(url, self._client.address)


def _is_loopback(url: URL) -> bool:
    try:
        return ipaddress.ip_address(url.host or "").is_loopback
    except ValueError:
        return url.host == "localhost"
