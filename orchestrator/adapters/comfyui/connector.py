"""How to reach a ComfyUI: through a Unix socket, which is the end of a tunnel, or by URL."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from yarl import URL

from orchestrator.adapters.comfyui.connection import ComfyConnection
from orchestrator.adapters.comfyui.events import EventSocket
from orchestrator.adapters.comfyui.http import ComfyHttp
from orchestrator.adapters.comfyui.limits import ComfyLimits
from orchestrator.ports.comfy import Comfy, ComfyConnector

BEHIND_SOCKET = URL("http://127.0.0.1/")
"""ComfyUI compares the Host that it is asked for with the Origin, of which there is none."""

CONNECTIONS = 6
"""One for the WebSocket, the rest for requests; each is a channel of the tunnel."""

KEPT_ALIVE_S = 300.0
"""A person paints every 40 seconds: a request should find its connection open. ComfyUI closes first."""

DEFAULT_LIMITS = ComfyLimits()


class ComfyUiConnector(ComfyConnector):
    def __init__(self, limits: ComfyLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits

    @asynccontextmanager
    async def connect(self, socket: Path) -> AsyncIterator[Comfy]:
        """
        Talk to the ComfyUI behind *socket* inside the block.

        Nothing is asked at first: the WebSocket opens beside the block, and the first call says whether it answers.
        """
        connector = aiohttp.UnixConnector(str(socket), limit=CONNECTIONS, keepalive_timeout=KEPT_ALIVE_S)
        async with _session(connector) as session, _connected(session, BEHIND_SOCKET, self._limits) as comfy:
            yield comfy


@asynccontextmanager
async def connect_url(url: str, *, token: str = "", limits: ComfyLimits = DEFAULT_LIMITS) -> AsyncIterator[Comfy]:
    """
    Talk to the ComfyUI at *url* inside the block.

    Args:
        token: Sent as bearer with each request, for a ComfyUI behind a guard; empty sends none.
    """
    base = URL(url if url.endswith("/") else f"{url}/")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    connector = aiohttp.TCPConnector(limit=CONNECTIONS, keepalive_timeout=KEPT_ALIVE_S)
    async with _session(connector, headers) as session, _connected(session, base, limits) as comfy:
        yield comfy


def _session(connector: aiohttp.BaseConnector, headers: dict[str, str] | None = None) -> aiohttp.ClientSession:
    """Each request has its own limit of time, and a stranger's cookies are not kept."""
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    return aiohttp.ClientSession(
        trace_configs=[trace],
        connector=connector,
        headers=headers,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),
    )


async def _refuse_redirect(*_: object) -> None:
    """The WebSocket's own request would follow one: a rented machine has no say in whom this process talks to."""
    raise aiohttp.ClientError("redirected")


@asynccontextmanager
async def _connected(session: aiohttp.ClientSession, base: URL, limits: ComfyLimits) -> AsyncIterator[Comfy]:
    client_id = secrets.token_hex(16)
    http = ComfyHttp(session, base, limits)
    events = EventSocket(http, client_id, limits)
    async with _beside(events.run()):
        yield ComfyConnection(http, events, client_id=client_id, limits=limits)


@asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Run *work* while the block runs; the block's own error comes out as it went in, in no group."""
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        task = group.create_task(work, name="comfyui socket")
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised again below, outside the group
            failure = error
        finally:
            task.cancel()
    if failure is not None:
        raise failure
