"""Fetches a picture by the address that a result names: without our key, over https, bounded."""

from collections.abc import Callable

import aiohttp
from yarl import URL

from orchestrator.adapters.inference.exchange import LOOPBACK, USER_AGENT
from orchestrator.adapters.inference.runpod_serverless.limits import Limits
from orchestrator.adapters.inference.runpod_serverless.wire import NoPictures, checked
from orchestrator.adapters.once import Ask, Unanswered, send


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
        ask = Ask(
            method="GET",
            url=url,
            headers={"User-Agent": USER_AGENT},
            limit=self._limits.transfer,
            connect=self._limits.connect,
            most=self._limits.picture_bytes,
        )
        try:
            answer = await send(self._session, ask)
        except Unanswered as error:  # a presigned address is a secret, and the system's words may hold it
            raise NoPictures(f"its picture could not be fetched: {error}") from None
        if answer.status != 200:
            raise NoPictures(f"its picture's address answered {answer.status}")
        return checked(answer.raw)

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
