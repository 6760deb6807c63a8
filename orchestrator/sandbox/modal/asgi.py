"""One request to an ASGI application, as Modal gives it: without a socket between."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

Message = dict[str, Any]
AsgiApp = Callable[[Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]]


@dataclass(slots=True)
class Response:
    status: int = 500
    kind: str = "text/plain"
    body: bytearray = field(default_factory=bytearray)


async def call(app: AsgiApp, method: str, path: str, body: bytes) -> Response:
    """Let *app* serve one request."""
    response = Response()
    left = [
        {"type": "http.request", "body": body[: len(body) // 2], "more_body": True},
        {"type": "http.request", "body": body[len(body) // 2 :], "more_body": False},
    ]

    async def receive() -> Message:
        return left.pop(0) if left else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            response.status = message["status"]
            response.kind = dict(message["headers"])[b"content-type"].decode()
        else:
            response.body += message["body"]

    await app({"type": "http", "method": method, "path": path, "headers": []}, receive, send)
    return response
