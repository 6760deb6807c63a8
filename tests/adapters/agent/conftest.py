"""An agent, and two mirrors of the same files."""

import asyncio
import hashlib
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiohttp.typedefs import Handler

from orchestrator.sandbox.mirror import MIRROR_FAULTS, MirrorFault, MirrorFaults, mirror_app
from tests.adapters.agent.machine import LIMIT_S, AgentMachine, Event

FAST = 2**31
CHUNK = 128 * 1024
SIZES = {"unet/flux.safetensors": 1_500_000, "clip/t5.safetensors": 700_001, "vae/ae.safetensors": 3}


@dataclass
class Mirrors:
    """
    Servers of the same files.

    Attributes:
        served: Bytes of bodies sent, by server.
        asked: Requests, by server.
        answered: Those of them whose answer is over, whole or cut off.
        at_once: Answers that were under way at the same time, at most, by server.
        headers: Of each request.
        tls: What servers that are added from now on show; None for plain http.
    """

    folder: Path
    tls: ssl.SSLContext | None = None
    servers: list[TestServer] = field(default_factory=list)
    served: list[int] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    at_once: list[int] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    async def add(self, *, bytes_per_s: int = FAST, per_connection: int = FAST) -> TestServer:
        app = mirror_app(self.folder, bytes_per_s=bytes_per_s, bytes_per_s_per_connection=per_connection)
        number = len(self.servers)
        begun: dict[int, web.StreamResponse] = {}
        self.served.append(0)
        self.asked.append(0)
        self.answered.append(0)
        self.at_once.append(0)

        @web.middleware
        async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.asked[number] += 1
            self.at_once[number] = max(self.at_once[number], self.asked[number] - self.answered[number])
            self.headers.append(dict(request.headers))
            try:
                response = await handler(request)
                with suppress(ConnectionError):
                    await response.write_eof()  # only then does it know how much it has sent
                return response
            finally:
                self.served[number] += sent(begun.pop(id(request), None))
                self.answered[number] += 1

        async def note(request: web.Request, response: web.StreamResponse) -> None:
            begun[id(request)] = response

        app.middlewares.append(count)
        app.on_response_prepare.append(note)
        server = TestServer(app, scheme="https" if self.tls else "http")
        await server.start_server(ssl=self.tls)
        self.servers.append(server)
        return server

    async def all_answered(self) -> None:
        """Wait until every answer is over: one that is cut off knows only then how much it has sent."""
        async with asyncio.timeout(LIMIT_S):
            while self.answered != self.asked:
                await asyncio.sleep(0.01)

    def faults(self, number: int) -> MirrorFaults:
        return self.servers[number].app[MIRROR_FAULTS]

    def switch_on(self, fault: MirrorFault) -> None:
        """Let every mirror suffer it."""
        for number in range(len(self.servers)):
            self.faults(number).switch_on(fault)

    def manifest(self, *paths: str, **changes: object) -> Event:
        """A request for those files, or all, from every mirror."""
        return {
            "op": "fetch",
            "dest": "comfyui/models",
            "files": [self.entry(path) for path in paths or SIZES],
        } | changes

    def entry(self, path: str) -> Event:
        content = (self.folder / path).read_bytes()
        urls = [str(server.make_url(f"/models/{path}")) for server in self.servers]
        return {"path": path, "size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "urls": urls}

    def chunked(self, *paths: str, chunk: int = CHUNK) -> Event:
        """A request that has the checksums of chunks, too."""
        request = self.manifest(*paths)
        for entry in request["files"]:
            content = (self.folder / entry["path"]).read_bytes()
            parts = [content[start : start + chunk] for start in range(0, len(content), chunk)]
            entry |= {"chunk": chunk, "chunks": [hashlib.sha256(part).hexdigest() for part in parts]}
        return request


def sent(response: web.StreamResponse | None) -> int:
    """Bytes, headers among them; also of an answer that was cut off."""
    if response is None:
        return 0
    cut_off = response._payload_writer
    return response.body_length if cut_off is None else cut_off.output_size


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for path, size in SIZES.items():
        (folder / path).parent.mkdir(parents=True)
        (folder / path).write_bytes(random.Random(path).randbytes(size))
    return folder


@pytest.fixture
async def mirrors(models: Path) -> AsyncIterator[Mirrors]:
    """Two of them, as fast as this computer."""
    found = Mirrors(models)
    await found.add()
    await found.add()
    yield found
    for server in found.servers:
        await server.close()


@pytest.fixture
async def bare_machine(tmp_path: Path) -> AsyncIterator[AgentMachine]:
    """A machine without its agent."""
    folders = [tmp_path / name for name in ("root", "programs", "home")]
    for folder in folders:
        folder.mkdir()
    machine = AgentMachine(root=folders[0], programs=folders[1], home=folders[2])
    yield machine
    await machine.end()


@pytest.fixture
async def machine(bare_machine: AgentMachine) -> AgentMachine:
    await bare_machine.start()
    return bare_machine


def assert_complete(machine: AgentMachine, mirrors: Mirrors, *paths: str) -> None:
    """Hold what was fetched against what the mirrors have; and nothing may be left lying beside it."""
    folder = machine.root / "comfyui" / "models"
    for path in paths or SIZES:
        assert (folder / path).read_bytes() == (mirrors.folder / path).read_bytes(), path
    assert not [file for file in folder.rglob("*") if ".part" in file.name]
