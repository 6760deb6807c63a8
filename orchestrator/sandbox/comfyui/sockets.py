"""Who listens, and what they are told: ComfyUI's WebSocket side."""

import asyncio
import json
import logging
from typing import Any

from aiohttp import web

log = logging.getLogger(__name__)
SEND_LIMIT_S = 10


class Sockets:
    """
    The open sockets by client id; the newest of one id is the one that counts.

    As on the real server a socket that closes takes its client id with it, even when a newer socket has that id by
    then: a client that reconnects too early hears nothing more and has to ask `/history`.
    """

    def __init__(self) -> None:
        self._by_client: dict[str, web.WebSocketResponse] = {}
        self._outgoing: asyncio.Queue[tuple[str | None, str]] = asyncio.Queue()

    def join(self, client: str, socket: web.WebSocketResponse) -> None:
        self._by_client[client] = socket

    def leave(self, client: str) -> None:
        self._by_client.pop(client, None)

    def tell(self, kind: str, data: dict[str, Any], client: str | None = None) -> None:
        """Queue a message for one client, or for all; it keeps its place among the others."""
        self._outgoing.put_nowait((client, json.dumps({"type": kind, "data": data})))

    async def deliver(self) -> None:
        """Send what is queued, in order, until cancelled."""
        while True:
            client, text = await self._outgoing.get()
            wanted = list(self._by_client) if client is None else [client]
            for name in wanted:
                await self._send(name, text)

    async def close(self) -> None:
        for socket in list(self._by_client.values()):
            await socket.close(code=1001, message=b"server shutdown")

    async def _send(self, client: str, text: str) -> None:
        socket = self._by_client.get(client)
        if socket is None or socket.closed:
            return
        try:
            async with asyncio.timeout(SEND_LIMIT_S):
                await socket.send_str(text)
        except (ConnectionError, TimeoutError) as error:
            log.warning("cannot send to a client: %s", error)
