"""A server that answers each request with the bytes it was given, then hangs up: nobody's HTTP is too wrong for it."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.fuzz.mutate import ODD_TEXTS, Mutator

STATUSES = (
    200,
    200,
    200,
    200,
    201,
    204,
    206,
    301,
    302,
    304,
    400,
    401,
    403,
    404,
    408,
    410,
    413,
    429,
    500,
    502,
    503,
    999,
)
KINDS = ("application/json", "text/html", "text/plain; charset=nonsense", "image/png", "multipart/form-data", "")
LONGEST_REQUEST = 2**20


class AnyServer:
    """Attributes: answers: What the next requests get, in order; the last one is kept for all that follow."""

    def __init__(self) -> None:
        self.answers: list[bytes] = [b""]
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _request(reader)
            writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked went away
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _request(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line.partition(b":")[2]))
        if line.startswith(b"transfer-encoding:"):
            await reader.readuntil(b"0\r\n\r\n")


@asynccontextmanager
async def any_server(socket: Path | None = None) -> AsyncIterator[AnyServer]:
    """Serve on loopback, or at a Unix socket, while the block runs."""
    server = AnyServer()
    if socket is not None:
        listener = await asyncio.start_unix_server(server.serve, socket, limit=LONGEST_REQUEST)
    else:
        listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, limit=LONGEST_REQUEST)
        server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener:
        yield server


def http_answer(mutator: Mutator, usual: Any, *, status: int = 200) -> bytes:
    """A whole HTTP answer around *usual* (bytes, or JSON), with something wrong in its body, its head or both."""
    body = _body(mutator, usual)
    said = status if mutator.dice.random() < 0.6 else mutator.one_of(STATUSES)
    lines = [
        f"HTTP/1.1 {said} OK",
        f"Content-Type: {KINDS[0] if mutator.dice.random() < 0.7 else mutator.one_of(KINDS)}",
    ]
    lines += ["Connection: close", *_framing(mutator, body)]
    if mutator.chance(6):
        lines += mutator.dice.sample(_ODD_HEADERS, 2)
    if mutator.chance(25):
        body, lines = gzip.compress(body, 1), [*lines[:3], "Content-Encoding: gzip"]
    head = "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n"
    return mutator.damaged(head + body[:4000]) if mutator.chance(25) else head + body


def _body(mutator: Mutator, usual: Any) -> bytes:
    if isinstance(usual, bytes):
        return usual if mutator.chance(3) else mutator.damaged(usual)
    return mutator.as_json(usual)


def _framing(mutator: Mutator, body: bytes) -> list[str]:
    """How long the body is said to be; mostly the truth."""
    length = len(body)
    if mutator.dice.random() < 0.85:
        return [f"Content-Length: {length}"]
    odd = (length + 1, max(length - 1, 0), -1, 10**30, "x", "")
    told: list[str] = mutator.one_of(([], [f"Content-Length: {mutator.one_of(odd)}"], ["Transfer-Encoding: chunked"]))
    return told


def _line(text: str) -> str:
    return json.dumps(text)[1:-1][:200]


_ODD_HEADERS = (
    "Content-Encoding: gzip",
    "Content-Encoding: deflate",
    "Content-Encoding: nonsense",
    "Location: http://169.254.169.254/",
    "Location: file:///etc/passwd",
    "Retry-After: 1e400",
    "Retry-After: -5",
    "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT",
    "X-RateLimit-Reset: 99999999999999999999",
    "Date: yesterday",
    "Set-Cookie: a=b; Domain=127.0.0.1",
    "Content-Length: 3",
    "Upgrade: websocket",
    f"X-Long: {'x' * 20_000}",
    "X-Bad: \x00",
    ": nothing",
    *(f"X-Odd: {_line(text)}" for text in ODD_TEXTS[:8]),
)
