"""
A download mirror: model files over HTTP with ranges, rate limits, and the ways in which real mirrors go wrong.

Behaves as R2 and Hugging Face do where a downloader can tell: one connection is slower than the wire, the ETag is
no checksum, a range beyond the end is clipped, several ranges at once get the whole file.
"""

import asyncio
import hashlib
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from aiohttp import web

PIECE = 64 * 1024
BURST_S = 0.02
SLOW_SHARE = 0.01
FLIP = bytes(byte ^ 0xFF for byte in range(256))
HTML = "<!doctype html><title>Just a moment...</title><p>Checking your browser before you continue.</p>"


class MirrorFault(StrEnum):
    DIE = "die"  # the connection closes without an answer
    LIE = "lie"  # right length, wrong bytes
    IGNORE_RANGE = "ignore_range"  # 200 and the whole file instead of 206
    WRONG_RANGE = "wrong_range"  # 206 with other bytes than those asked for, and it says so
    HTML = "html"  # 200 with a page for people
    SLOW = "slow"  # one percent of the usual rate
    RESET = "reset"  # the connection breaks after some bytes


@dataclass(slots=True)
class MirrorFaults:
    """The mirror's switches. Tests and fault profiles flip them while it runs."""

    reset_after: int = PIECE
    """Bytes of one answer that still arrive before RESET breaks it."""
    _requests_left: dict[MirrorFault, int | None] = field(default_factory=dict)

    def switch_on(self, fault: MirrorFault, *, requests: int | None = None) -> None:
        """Let *fault* hit the next *requests* requests, or all of them until it is switched off."""
        self._requests_left[fault] = requests

    def switch_off(self, fault: MirrorFault) -> None:
        """Be honest again; silent when *fault* was not on."""
        self._requests_left.pop(fault, None)

    def take(self) -> frozenset[MirrorFault]:
        """Say what hits the request that arrives now, and count it."""
        hits = frozenset(self._requests_left)
        for fault in hits:
            left = self._requests_left[fault]
            if left is not None:
                self._requests_left[fault] = left - 1
                if left <= 1:
                    del self._requests_left[fault]
        return hits


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of a file, from *start* up to but without *end*."""

    start: int
    end: int


@dataclass(slots=True)
class Bucket:
    """Bytes per second. Callers queue by reserving the moment at which their bytes may go out."""

    rate: float
    free_at: float = 0.0

    async def take(self, count: int) -> None:
        now = time.monotonic()
        self.free_at = max(self.free_at, now - BURST_S) + count / self.rate
        if self.free_at > now:
            await asyncio.sleep(self.free_at - now)


@dataclass(frozen=True, slots=True)
class _Mirror:
    folder: Path
    bytes_per_s_per_connection: int
    everybody: Bucket
    wire: Bucket | None
    faults: MirrorFaults


MIRROR_FAULTS = web.AppKey("mirror_faults", MirrorFaults)
_MIRROR = web.AppKey("mirror", _Mirror)


def mirror_app(
    folder: Path, *, bytes_per_s: int, bytes_per_s_per_connection: int, wire: Bucket | None = None
) -> web.Application:
    """
    Serve `GET` and `HEAD` of `/models/<path>` from *folder*.

    Args:
        folder: What :func:`orchestrator.sandbox.models.make_models` wrote.

        bytes_per_s: Limit over all connections.

        bytes_per_s_per_connection: Limit of each answer, which is why parallel ranges are faster.

        wire: Shared with other mirrors: the one link of whoever downloads from all of them.

    """
    app = web.Application()
    app[MIRROR_FAULTS] = MirrorFaults()
    app[_MIRROR] = _Mirror(folder.resolve(), bytes_per_s_per_connection, Bucket(bytes_per_s), wire, app[MIRROR_FAULTS])
    app.router.add_get("/models/{path:.+}", _serve)  # HEAD comes with it
    return app


def parse_range(value: str | None, size: int) -> Span | None:
    """
    Read a `Range` header for a file of *size* bytes; None means the whole file, as for several ranges at once.

    Raises:
        ValueError: Nothing of the range lies inside the file (416).

    """
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", value.strip()) if value else None
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if first and last and int(last) < start:
        return None  # RFC 9110: such a range is as good as none
    if start >= end:
        raise ValueError(f"no byte of {value} in {size} bytes")
    return Span(start, end)


async def _serve(request: web.Request) -> web.StreamResponse:
    mirror = request.app[_MIRROR]
    hits = mirror.faults.take()
    if MirrorFault.DIE in hits:
        _cut(request)
        return web.Response(status=503)
    if MirrorFault.HTML in hits:
        return web.Response(text=HTML, content_type="text/html")
    file = _find(mirror.folder, request.match_info["path"])
    etag = _etag(file)
    if request.headers.get("If-Match", etag) not in {etag, "*"}:
        raise web.HTTPPreconditionFailed
    size = file.stat().st_size
    span = _wanted_span(request, hits, size, etag)
    response = _head(span, size, etag)
    await response.prepare(request)
    if request.method != "HEAD":
        with suppress(ConnectionResetError):  # whoever downloads may leave at any time, and vanish with its machine
            await _send(request, response, file, span or Span(0, size), hits)
    return response


def _find(folder: Path, path: str) -> Path:
    file = (folder / path).resolve()
    hidden = any(part.startswith(".") for part in Path(path).parts) or path.endswith(".part")
    if hidden or not file.is_relative_to(folder) or not file.is_file():
        raise web.HTTPNotFound
    return file


def _etag(file: Path) -> str:
    known = file.stat()
    identity = f"{file.name} {known.st_size} {known.st_mtime_ns}".encode()
    return f'"{hashlib.blake2b(identity, digest_size=16).hexdigest()}"'


def _wanted_span(request: web.Request, hits: frozenset[MirrorFault], size: int, etag: str) -> Span | None:
    ignored = request.method == "HEAD" or MirrorFault.IGNORE_RANGE in hits
    if ignored or request.headers.get("If-Range", etag) != etag:
        return None
    try:
        span = parse_range(request.headers.get("Range"), size)
    except ValueError:
        raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"}) from None
    if span is not None and MirrorFault.WRONG_RANGE in hits:
        shift = 1 if span.end < size else -1 if span.start > 0 else 0
        return Span(span.start + shift, span.end + shift) if shift else Span(0, size - 1)
    return span


def _head(span: Span | None, size: int, etag: str) -> web.StreamResponse:
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Content-Type": "application/octet-stream"}
    if span is None:
        response = web.StreamResponse(headers=headers)
        response.content_length = size
        return response
    headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{size}"
    response = web.StreamResponse(status=206, headers=headers)
    response.content_length = span.end - span.start
    return response


async def _send(
    request: web.Request, response: web.StreamResponse, file: Path, span: Span, hits: frozenset[MirrorFault]
) -> None:
    mirror = request.app[_MIRROR]
    share = SLOW_SHARE if MirrorFault.SLOW in hits else 1.0
    connection = Bucket(mirror.bytes_per_s_per_connection * share)
    sent = 0
    with _opened(file, span.start) as source:
        for piece in _pieces(source, span, int(connection.rate)):
            if MirrorFault.RESET in hits and sent + len(piece) > mirror.faults.reset_after:
                await response.write(piece[: mirror.faults.reset_after - sent])
                _cut(request)
                return
            await connection.take(len(piece))
            await mirror.everybody.take(len(piece))
            if mirror.wire is not None:
                await mirror.wire.take(len(piece))
            await response.write(piece.translate(FLIP) if MirrorFault.LIE in hits else piece)
            sent += len(piece)


@contextmanager
def _opened(file: Path, offset: int) -> Iterator[BinaryIO]:
    with file.open("rb") as source:
        source.seek(offset)
        yield source


def _pieces(source: BinaryIO, span: Span, rate: int) -> Iterator[bytes]:
    """Cut the span so that even a slow connection shows some progress twenty times a second."""
    step = max(256, min(PIECE, rate // 20))
    left = span.end - span.start
    while left > 0 and (piece := source.read(min(step, left))):
        left -= len(piece)
        yield piece


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
