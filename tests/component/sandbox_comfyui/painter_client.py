"""A server of the test's own, and a client that writes down all it says in the form of the recordings."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from orchestrator.sandbox.comfyui.executor import Pace
from orchestrator.sandbox.comfyui.server import ServerSettings, open_server
from orchestrator.sandbox.models import make_models

CLIENT = "0123456789abcdef0123456789abcdef"
NO_TIME = Pace(sampling_s=0, loading_s=0)


def settings(
    base: Path, *, pace: Pace = NO_TIME, fault_file: Path | None = None, metadata: bool = True
) -> ServerSettings:
    return ServerSettings(
        listen="127.0.0.1", port=0, base=base, pace=pace, fault_file=fault_file, keeps_metadata=metadata
    )


@dataclass(frozen=True, slots=True)
class PainterClient:
    session: aiohttp.ClientSession

    async def get(self, path: str, **params: str) -> Any:
        async with self.session.get(path, params=params) as answer:
            return await answer.json()

    async def post(self, path: str, body: Any) -> tuple[int, Any]:
        async with self.session.post(path, json=body) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text else ""

    async def queue(self, graph: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Post a prompt and give the exchange as it is recorded."""
        request = {"prompt": json.loads(json.dumps(graph)), "client_id": CLIENT, **more}
        status, body = await self.post("/prompt", request)
        return {"t": 0, "http": "POST /prompt", "request": request, "response": {"status": status, "body": body}}

    @asynccontextmanager
    async def listening(self, client: str = CLIENT) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        async with self.session.ws_connect("/ws", params={"clientId": client}) as socket:
            yield socket

    async def run(self, graph: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
        """Run a prompt to its end: the exchange, every message, the history and the first picture."""
        async with self.listening() as socket:
            exchange = await self.queue(graph, **more)
            messages = await until_done(socket)
        prompt_id = exchange["response"]["body"]["prompt_id"]
        return [exchange, *({"t": 0, "ws": message} for message in messages), *await self.results(prompt_id)]

    async def results(self, prompt_id: str) -> list[dict[str, Any]]:
        history = await self.get(f"/history/{prompt_id}")
        views = [
            await self.view(image) for output in history[prompt_id]["outputs"].values() for image in output["images"]
        ]
        return [{"http": "GET /history/{id}", "response": history}, *views]

    async def view(self, image: dict[str, str]) -> dict[str, Any]:
        async with self.session.get("/view", params=image) as answer:
            content = await answer.read()
            return {
                "http": "GET /view",
                "params": image,
                "status": answer.status,
                "content_type": answer.content_type,
                "bytes": len(content),
                "png": content[:8].hex(),
            }

    async def picture(self, exchanges: list[dict[str, Any]]) -> bytes:
        """Fetch the bytes of the picture that a run ended with."""
        async with self.session.get("/view", params=exchanges[-1]["params"]) as answer:
            return await answer.read()


async def until_done(socket: aiohttp.ClientWebSocketResponse) -> list[dict[str, Any]]:
    """Collect messages up to the one that says that nothing executes any more."""
    messages: list[dict[str, Any]] = []
    while not messages or messages[-1]["type"] != "executing" or messages[-1]["data"]["node"] is not None:
        messages.append(await socket.receive_json(timeout=20))
    return messages


async def until(socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
    """Skip messages up to one of this kind."""
    while True:
        message: dict[str, Any] = await socket.receive_json(timeout=20)
        if message["type"] == kind:
            return message


@asynccontextmanager
async def painter(base: Path, **changes: Any) -> AsyncIterator[PainterClient]:
    """Start a server whose models are there, and a client of it."""
    make_models(base / "models")
    async with bare_painter(base, **changes) as client:
        yield client


@asynccontextmanager
async def bare_painter(base: Path, **changes: Any) -> AsyncIterator[PainterClient]:
    """Start a server with empty folders, and a client of it."""
    async with open_server(settings(base, **changes)) as address, aiohttp.ClientSession(address) as session:
        yield PainterClient(session)
