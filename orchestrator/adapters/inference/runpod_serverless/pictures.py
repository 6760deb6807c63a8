"""Fetches a picture by the address that a result names: without our key, over https, bounded."""

import asyncio
from collections.abc import Callable

import aiohttp
from yarl import URL

from orchestrator.adapters.inference.runpod_serverless.client import AnswerLost, Failed, once, read_at_most
from orchestrator.adapters.inference.runpod_serverless.limits import Limits
from orchestrator.adapters.inference.runpod_serverless.wire import NoPictures, checked

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
AGENT = {"User-Agent": "glowplug"}


class Pictures:
    """
    Where pictures are fetched from.

    Args:
        is_known: Whether a host may be asked at all.
        is_local: The API itself is on this computer, so its pictures may be, over plain http.
    """

    def __init__(
        self, session: aiohttp.ClientSession, limits: Limits, *, is_known: Callable[[str], bool], is_local: bool
    ) -> None:
        self._session = session
        self._limits = limits
        self._is_known = is_known
        self._is_local = is_local

    async def fetch(self, address: str) -> bytes:
        """
        Fetch one picture.

        Raises:
            NoPictures: It cannot be had, or is none.
        """
        url = self._checked(address)
        try:
            async with (
                asyncio.timeout(self._limits.transfer.total_seconds()),
                self._session.get(
                    url,
                    headers=AGENT,
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, connect=self._limits.connect.total_seconds()),
                    middlewares=(once,),
                ) as response,
            ):
                if response.status != 200:
                    raise NoPictures(f"its picture's address answered {response.status}")
                return checked(await read_at_most(response, self._limits.picture_bytes))
        except AnswerLost as error:
            raise NoPictures(f"its picture could not be fetched: {error}") from None
        except (Failed, aiohttp.ClientError, OSError, ValueError) as error:
            # A presigned address is a secret, and aiohttp's texts hold it: only their kind is told.
            raise NoPictures(f"its picture could not be fetched: {type(error).__name__}") from None

    def _checked(self, address: str) -> URL:
        try:
            url = URL(address, encoded=True)
            host = url.host or ""
        except ValueError:
            raise NoPictures("its picture's address is none") from None
        if url.scheme in {"http", "https"} and host in LOOPBACK and self._is_local:
            return url
        if url.scheme != "https" or host in LOOPBACK or not self._is_known(host):
            raise NoPictures("its picture is at an address that is not fetched from")
        return url
