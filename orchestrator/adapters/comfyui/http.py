"""Bounded requests to one ComfyUI, and the only place where aiohttp's exceptions are seen."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Any

import aiohttp
from yarl import URL

from orchestrator.adapters.comfyui.limits import ComfyLimits
from orchestrator.adapters.comfyui.wire import PictureRef, as_json
from orchestrator.adapters.strangers import is_picture
from orchestrator.domain.errors import ComfyUnavailable

CLOSE_LIMIT = timedelta(seconds=2)


class AnswerLost(ComfyUnavailable):
    """The request may have arrived; its answer did not."""


class ComfyRefused(ComfyUnavailable):
    """What guards it does not take our token."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """
    Let none of aiohttp's exceptions out.

    Their texts may hold addresses with credentials, so only their kind is told.
    """
    try:
        yield
    except TimeoutError as error:
        raise AnswerLost(f"{what}: no answer in time") from error
    except aiohttp.ClientConnectorError as error:
        raise ComfyUnavailable(f"{what}: no connection: {error.os_error.strerror or 'refused'}") from error
    except (
        aiohttp.ClientError,
        aiohttp.WebSocketError,
        aiohttp.http_exceptions.HttpProcessingError,
        OSError,
        ssl.CertificateError,
    ) as error:
        raise AnswerLost(f"{what}: {type(error).__name__}") from error


class Room:
    """How many bytes may still come, in one answer or in several."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._left = most

    def take(self, size: int, what: str) -> None:
        """
        Note that so many came.

        Raises:
            ComfyUnavailable: There is no room for them.
        """
        self._left -= size
        if self._left < 0:
            raise ComfyUnavailable(f"{what}: the answer is larger than {self._most} bytes")


class ComfyHttp:
    """
    The requests of one connection.

    Redirects are not followed: a rented machine has no say in whom this process talks to.
    """

    def __init__(self, session: aiohttp.ClientSession, base: URL, limits: ComfyLimits) -> None:
        self._session = session
        self._base = base
        self._limits = limits

    async def get(self, path: str) -> Any:
        """Ask for JSON.

        Raises:
            ComfyUnavailable: No answer, not 200, too large, not JSON.
        """
        status, content = await self.exchange("GET", path)
        return as_json(_good(path, status, content), path)

    async def post(self, path: str, body: object) -> bytes:
        status, content = await self.exchange("POST", path, json=body)
        return _good(path, status, content)

    async def exchange(self, method: str, path: str, **request: Any) -> tuple[int, bytes]:
        """Send one small request; returns the status and the body.

        Raises:
            AnswerLost: It may have arrived.
            ComfyUnavailable: It has not, or its answer is too large.
        """
        return await self._exchange(method, path, self._limits.answer, Room(self._limits.json_bytes), **request)

    async def picture(self, ref: PictureRef, room: Room) -> bytes:
        """
        Fetch one picture.

        Args:
            room: For this and others.

        Raises:
            ComfyUnavailable: It does not come, is too large, or is no picture.
        """
        params = {"filename": ref.filename, "subfolder": ref.subfolder, "type": ref.type}
        own = Room(self._limits.picture_bytes)
        status, content = await self._exchange("GET", "/view", self._limits.transfer, own, room, params=params)
        if not is_picture(_good("/view", status, content)):
            raise ComfyUnavailable("/view: what came is neither PNG nor JPEG nor WebP")
        return content

    async def upload(self, picture: bytes, name: str) -> Any:
        form = aiohttp.FormData()
        form.add_field("image", picture, filename=name, content_type="application/octet-stream")
        form.add_field("type", "input")
        room = Room(self._limits.json_bytes)
        status, content = await self._exchange("POST", "/upload/image", self._limits.transfer, room, data=form)
        return as_json(_good("/upload/image", status, content), "/upload/image")

    @asynccontextmanager
    async def websocket(self, client_id: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open the socket to which the events of *client_id*'s prompts come.

        Raises:
            ComfyUnavailable: It does not open, or breaks.
        """
        with translated("/ws"):
            async with asyncio.timeout(self._limits.opening.total_seconds()):
                socket = await self._session.ws_connect(
                    self._base / "ws" % {"clientId": client_id},
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_LIMIT.total_seconds()),
                    heartbeat=self._limits.heartbeat.total_seconds(),
                    max_msg_size=self._limits.message_bytes,
                )
            async with socket:
                yield socket

    async def _exchange(
        self, method: str, path: str, limit: timedelta, *rooms: Room, **request: Any
    ) -> tuple[int, bytes]:
        if self._session.closed:
            raise ComfyUnavailable(f"{path}: the connection was closed")
        with translated(path):
            async with (
                asyncio.timeout(limit.total_seconds()),
                self._session.request(
                    method, self._base / path.lstrip("/"), allow_redirects=False, **request
                ) as response,
            ):
                return response.status, await _bounded(response, rooms, path)


async def _bounded(response: aiohttp.ClientResponse, rooms: Iterable[Room], path: str) -> bytes:
    parts = []
    async for part in response.content.iter_any():
        for room in rooms:
            room.take(len(part), path)
        parts.append(part)
    return b"".join(parts)


def _good(path: str, status: int, content: bytes) -> bytes:
    if status in {401, 403}:
        raise ComfyRefused(f"{path} answered {status}")
    if status != 200:
        raise ComfyUnavailable(f"{path} answered {status}")
    return content
