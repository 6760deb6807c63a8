"""
What Hugging Face does when a file is fetched: a redirect to another host, with an address that expires.

The files are virtual: every byte follows from its place, so that a file of any size takes no memory.
"""

import asyncio
import hashlib
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Container, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

MIB = 2**20
REPOSITORY = "flux/schnell"
NOISE = random.Random(8).randbytes(MIB - 8)


def content(first: int, last: int) -> Iterator[bytes]:
    """Bytes *first* to *last*, both included, of the file that all files here are the beginning of."""
    while first <= last:
        block, offset = divmod(first, MIB)
        whole = block.to_bytes(8, "big") + NOISE
        piece = whole[offset : offset + last - first + 1]
        yield piece
        first += len(piece)


def sha256_of(size: int) -> str:
    digest = hashlib.sha256()
    for piece in content(0, size - 1):
        digest.update(piece)
    return digest.hexdigest()


@dataclass(kw_only=True)
class HubStage:
    """
    The lookalike and what it was asked.

    Attributes:
        sizes: Of the files it has, by name.
        claims: A sha256 that it says instead of the true one; empty says none, as for files without LFS.
        uses: How many ranges one address is good for.
        busy: Answers to give before any other: status and headers.
        torn: How many ranges break off in the middle.
        hollow: How many ranges have no bytes, under the right headers.
        held: Ranges that begin at these bytes wait for *released*.
        frees: Whether the first range that was given in full sets it.
        wrong: Whether it gives other bytes than it says.
        asked: Times of the redirects, by the loop's clock.
        tickets: Ranges by the address they were read at.
        tokens: Who was shown which ``Authorization``.
    """

    url: str = ""
    cdn: str = ""
    sizes: dict[str, int] = field(default_factory=dict)
    claims: dict[str, str] = field(default_factory=dict)
    gated: bool = False
    has_ranges: bool = True
    uses: int = 1_000_000
    torn: int = 0
    hollow: int = 0
    held: Container[int] = ()
    frees: bool = False
    wrong: bool = False
    busy: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    tickets: Counter[str] = field(default_factory=Counter)
    tokens: set[tuple[str, str]] = field(default_factory=set)
    served: int = 0
    released: asyncio.Event = field(default_factory=asyncio.Event)

    def address(self, name: str) -> str:
        return f"{self.url}/{REPOSITORY}/resolve/main/{name}"

    async def resolve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(asyncio.get_running_loop().time())
        self.tokens.add(("hub", request.headers.get("Authorization", "")))
        if self.busy:
            status, headers = self.busy.pop(0)
            return web.Response(status=status, headers=headers)
        if self.gated:
            status = 403 if "Authorization" in request.headers else 401
            return web.Response(status=status, headers={"X-Error-Code": "GatedRepo"})
        name = request.match_info["name"]
        if name not in self.sizes:
            return web.Response(status=404, headers={"X-Error-Code": "EntryNotFound"})
        sha256 = self.claims.get(name, sha256_of(self.sizes[name]) if self.sizes[name] < 64 * MIB else "")
        headers = {
            "X-Linked-Size": str(self.sizes[name]),
            "X-Linked-ETag": f'"{sha256}"',
            "Location": f"{self.cdn}/{name}?ticket={len(self.asked)}",
        }
        return web.Response(status=302, headers=headers)

    async def give(self, request: web.Request) -> web.StreamResponse:
        self.tokens.add(("cdn", request.headers.get("Authorization", "")))
        ticket, size = request.query["ticket"], self.sizes[request.match_info["name"]]
        self.tickets[ticket] += 1
        if self.tickets[ticket] > self.uses:
            return web.Response(status=403, text="<Error><Code>AccessDenied</Code></Error>")
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("Range", ""))
        first, last = (int(asked[1]), int(asked[2])) if asked and self.has_ranges else (0, size - 1)
        if first in self.held:
            await self.released.wait()
        if self.hollow:
            self.hollow -= 1
            return web.Response(status=206, headers={"Content-Range": f"bytes {first}-{last}/{size}"})
        response = web.StreamResponse(status=206 if self.has_ranges else 200)
        response.content_length = last - first + 1
        if self.has_ranges:
            response.headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        await response.prepare(request)
        for piece in content(first, last):
            await response.write(piece[::-1] if self.wrong else piece)
            self.served += len(piece)
            if self.torn:
                self.torn -= 1
                raise ConnectionResetError("torn off, as asked")
        if self.frees:
            self.released.set()
        return response


@asynccontextmanager
async def hub_stage() -> AsyncIterator[HubStage]:
    """The lookalike and its content network, each at an address of its own."""
    stage = HubStage()
    hub, cdn = web.Application(), web.Application()
    hub.router.add_get(f"/{REPOSITORY}/resolve/main/{{name}}", stage.resolve)
    cdn.router.add_get("/{name}", stage.give)
    runners = [web.AppRunner(app, access_log=None, shutdown_timeout=0.1) for app in (hub, cdn)]
    try:
        for runner in runners:
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
        stage.url, stage.cdn = (f"http://127.0.0.1:{runner.addresses[0][1]}" for runner in runners)
        yield stage
    finally:
        for runner in runners:
            await runner.cleanup()
