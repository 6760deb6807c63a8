"""Requests read and answers written as the real cloud does it."""

import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from orchestrator.sandbox.cloud import Refusal

OURS = "sandbox"
"""Operation of what no real cloud has. No fault falls on it: whoever makes trouble can end it."""

CHUNK = b" " * 2**20

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    One operation of the API.

    Attributes:
        operation: Its name in rate limits and faults.
        for_machines: Whether a machine's own key may use it, on itself.
    """

    operation: str
    method: str
    path: str
    handler: Handler
    for_machines: bool = False
    needs_key: bool = True


def reply(body: object, *, status: int = 200) -> web.Response:
    """Answer in JSON, with the bare content type that the official client insists on."""
    return web.Response(body=json.dumps(body).encode(), status=status, content_type="application/json")


def refuse(refusal: Refusal) -> web.Response:
    return reply(refusal.body, status=refusal.status)


async def read_object(request: web.Request) -> dict[str, Any]:
    """
    Read the body as a JSON object; no body is an empty one.

    Raises:
        Refusal: It is something else.
    """
    text = await request.text()
    try:
        body = json.loads(text) if text else {}
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, "invalid_request", "Invalid json body")
    return body


def number_in_path(request: web.Request) -> int:
    return int(request.match_info["id"])


def cut(request: web.Request) -> web.Response:
    """Break the connection instead of answering."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)  # goes nowhere


async def pour(request: web.Request, size: int) -> web.StreamResponse:
    """Answer with so many bytes of nothing, made as they go; whoever has had enough of it leaves."""
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    with contextlib.suppress(ConnectionError):
        for _ in range(size // len(CHUNK)):
            await response.write(CHUNK)
    return response
