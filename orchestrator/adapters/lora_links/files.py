"""
Reads what a person's link leads to, without believing the link, the name in it, or whoever answers.

One request each hop, over a connection of its own to the addresses that were checked (see :mod:`addresses`); TLS still
holds the server to the name in the link. The file is read once, as a stream: its header first, so that anything else
than a LoRA ends there, then the rest into a checksum. So the bytes that were looked at are the bytes that are hashed.
"""

import asyncio
import hashlib
import logging
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import aiohttp
from yarl import URL

from orchestrator.adapters.lora_links.addresses import LookUp, Pinned, is_loopback, is_public, look_up
from orchestrator.adapters.lora_links.safetensors import LENGTH_BYTES, file_size, header_length
from orchestrator.domain.errors import RequestError
from orchestrator.domain.loras import LARGEST, LoraFile
from orchestrator.ports.lora_files import LoraFiles

REDIRECTS = 5
MOVED = frozenset({301, 302, 303, 307, 308})
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "glowplug"}

Mirrors = frozenset[tuple[str, int]]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLimits:
    """
    Attributes:
        connect: To look a name up, and to connect.
        silence: Between two parts of an answer.
        whole: For everything; at 7 MB/s enough for the largest file.
        largest: Bytes of one file.
    """

    connect: timedelta = timedelta(seconds=10)
    silence: timedelta = timedelta(seconds=15)
    whole: timedelta = timedelta(minutes=5)
    largest: int = LARGEST


class LinkedLoras(LoraFiles):
    """
    Args:
        mirrors: Host and port of a sandbox's download mirrors: the only ones that are asked over plain http, and on
            this computer.
        is_allowed: Whether an address may be asked over https.
        tls: Whose certificates are believed; None for the system's.
    """

    def __init__(
        self,
        *,
        mirrors: Mirrors = frozenset(),
        limits: LinkLimits | None = None,
        look_up: LookUp = look_up,
        is_allowed: Callable[[str], bool] = is_public,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._mirrors = mirrors
        self._limits = limits or LinkLimits()
        self._look_up = look_up
        self._is_allowed = is_allowed
        self._tls = tls

    async def read(self, url: str) -> LoraFile:
        try:
            async with asyncio.timeout(self._limits.whole.total_seconds()):
                return await self._follow(url)
        except TimeoutError:
            raise RequestError("lora_link_slow") from None
        except (aiohttp.ClientError, asyncio.IncompleteReadError, OSError, ValueError) as error:
            log.info("a link to a LoRA: %s", type(error).__name__)  # its text may have the link, and that a signature
            raise RequestError("lora_link_dead") from None

    async def _follow(self, url: str) -> LoraFile:
        at = URL(url, encoded=True)
        for _ in range(REDIRECTS + 1):
            async with self._asked(at) as answer:
                if answer.status not in MOVED:
                    size, sha256 = await self._hashed(answer)
                    return LoraFile(url=url, size_bytes=size, sha256=sha256)
                at = at.join(URL(answer.headers.get("Location", ""), encoded=True))
        raise RequestError("lora_link_redirects", most=REDIRECTS)

    @asynccontextmanager
    async def _asked(self, url: URL) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask *url* alone: over a new connection, without cookies, proxies or redirects of aiohttp's own."""
        connector = aiohttp.TCPConnector(
            resolver=Pinned(await self._checked(url)), use_dns_cache=False, ssl=self._tls or True, force_close=True
        )
        limits = self._limits
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=limits.connect.total_seconds(), sock_read=limits.silence.total_seconds()
        )
        async with (
            aiohttp.ClientSession(
                connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
            ) as session,
            session.get(url, headers=HEADERS, allow_redirects=False) as answer,
        ):
            yield answer

    async def _checked(self, url: URL) -> tuple[str, ...]:
        """
        Look the host up, once: its addresses, every one of them allowed.

        Raises:
            RequestError: It is not for us to ask.
        """
        host, port = url.host or "", url.port or 0
        if not host or not port or url.user is not None:
            raise RequestError("bad_lora_link")
        is_mirror = url.scheme == "http" and (host, port) in self._mirrors
        if url.scheme != "https" and not is_mirror:
            raise RequestError("lora_link_not_https")
        is_allowed = is_loopback if is_mirror else self._is_allowed
        async with asyncio.timeout(self._limits.connect.total_seconds()):
            addresses = await self._look_up(host, port)
        if not addresses:
            raise RequestError("lora_link_dead")
        if not all(is_allowed(address) for address in addresses):
            raise RequestError("lora_link_private")
        return addresses

    async def _hashed(self, answer: aiohttp.ClientResponse) -> tuple[int, str]:
        """Size and checksum of the file in *answer*, if it is a LoRA."""
        if answer.status != 200 or answer.headers.get("Content-Encoding", "identity") != "identity":
            raise RequestError("lora_link_refused", status=answer.status)
        self._check_size(answer.content_length or 0)
        if answer.content_type == "text/html":
            raise RequestError("lora_link_is_page")
        first = await _exactly(answer, LENGTH_BYTES)
        header = await _exactly(answer, header_length(first))
        size = file_size(header)
        self._check_size(size)
        digest, read = hashlib.sha256(first + header), len(first) + len(header)
        async for part in answer.content.iter_any():
            read += len(part)
            if read > size:
                break
            digest.update(part)
        if read != size:
            raise RequestError("not_safetensors")
        return size, digest.hexdigest()

    def _check_size(self, size: int) -> None:
        if size > self._limits.largest:
            raise RequestError(
                "lora_too_large", size_gb=f"{size / 1e9:.1f}", allowed_gb=f"{self._limits.largest / 1e9:.1f}"
            )


async def _exactly(answer: aiohttp.ClientResponse, count: int) -> bytes:
    try:
        return await answer.content.readexactly(count)
    except asyncio.IncompleteReadError:
        raise RequestError("not_safetensors") from None
