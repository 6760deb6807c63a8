"""
A server that plays recorded traffic of ComfyUI, and can go wrong while it does.

It takes a prompt, answers as recorded, sends the recorded messages under the prompt's own id, and then knows it in its
history. Prompts run one after the other, as they do in ComfyUI.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

RECORDINGS = Path(__file__).parents[2] / "data" / "comfyui"
PNG = b"\x89PNG\r\n\x1a\n"


def recording(name: str) -> Any:
    return json.loads((RECORDINGS / f"{name}.json").read_text())


def recorded_graph(name: str) -> dict[str, dict[str, Any]]:
    """The graph that was sent when *name* was recorded."""
    graph: dict[str, dict[str, Any]] = recording(name)[0]["request"]["prompt"]
    return graph


@dataclass
class Switches:
    """What goes wrong. Each counter counts the requests or prompts that it still hits."""

    lose_prompts: int = 0
    """`POST /prompt` breaks before it is taken."""
    lose_answers: int = 0
    """`POST /prompt` is taken, and breaks."""
    drop_socket_at: int | None = None
    """Close the socket instead of sending this message of the script."""
    waits_for_return: bool = False
    """After the drop the rest is sent to the new socket; else it is lost."""
    hold_at: int | None = None
    """Say nothing more from this message on, until released."""
    forgets: bool = False
    """A prompt that ends is in neither queue nor history, as after a restart."""
    leave_out: set[str] = field(default_factory=set)
    """Kinds of messages that are never sent."""
    lingers: bool = False
    """A prompt that ended stays in the queue until released, and is in the history only then."""
    answers: dict[str, web.Response] = field(default_factory=dict)
    """Instead of the real answer, by path."""
    mute: set[str] = field(default_factory=set)
    """Paths that take a request and never answer."""
    noise: tuple[str | bytes, ...] = ()
    """Sent on the socket before the script."""


@dataclass
class Prompt:
    id: str
    client: str
    number: int
    interrupted: bool = False


class ReplayServer:
    socket: Path
    """Where it is served, at a Unix socket."""

    def __init__(self, name: str) -> None:
        self.switches = Switches()
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.painted: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.uploads: list[tuple[str, bytes]] = []
        self.sockets: dict[str, web.WebSocketResponse] = {}
        self.released = asyncio.Event()
        self.held = asyncio.Event()
        self.running: Prompt | None = None
        self.pending: list[Prompt] = []
        self.history: dict[str, Any] = {}
        entries = recording(name)
        self._post = entries[0]
        self._refusal = recording("missing_model")[0]["response"]
        self._recorded_id = self._post["response"]["body"].get("prompt_id", "?")
        self._script = [entry["ws"] for entry in entries if "ws" in entry and "sid" not in entry["ws"]["data"]]
        histories = [entry["response"] for entry in entries if entry.get("http") == "GET /history/{id}"]
        self._history = histories[0][self._recorded_id] if histories else None
        self._picture_bytes = [entry["bytes"] for entry in entries if entry.get("http") == "GET /view"]
        self._wake = asyncio.Event()
        self._number = 0

    @property
    def picture(self) -> bytes:
        """As many bytes as the recorded picture had; the recording kept only its beginning."""
        return PNG.ljust(self._picture_bytes[0], b"\0")

    def app(self) -> web.Application:
        app = web.Application(middlewares=[self._note], client_max_size=2**26)
        app.add_routes(
            [
                web.get("/ws", self._on_socket),
                web.post("/prompt", self._on_prompt),
                web.get("/queue", self._on_queue),
                web.post("/queue", self._on_delete),
                web.post("/interrupt", self._on_interrupt),
                web.get("/history/{id}", self._on_history),
                web.get("/view", self._on_view),
                web.post("/upload/image", self._on_upload),
                web.get("/system_stats", self._on_stats),
            ]
        )
        return app

    async def run(self) -> None:
        """Paint what is queued, one after the other, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self.pending:
                self.running = self.pending.pop(0)
                await self._play(self.running)
                self.running = None

    async def close_sockets(self) -> None:
        for socket in list(self.sockets.values()):
            await socket.close()

    async def _play(self, prompt: Prompt) -> None:
        self.painted.append(prompt.id)
        for noise in self.switches.noise:
            await self._send(prompt, noise)
        for index, message in enumerate(self._script):
            if index == self.switches.hold_at and not self.released.is_set():
                self.held.set()
                await self.released.wait()
            if prompt.interrupted:
                await self._interrupted(prompt)
                return
            if index == self.switches.drop_socket_at:
                await self._drop(prompt)
            if message["type"] not in self.switches.leave_out:
                await self._send(prompt, json.dumps(message).replace(self._recorded_id, prompt.id))
        if self.switches.lingers:
            self.held.set()
            await self.released.wait()
        if not self.switches.forgets:
            self._remember(prompt)

    def _remember(self, prompt: Prompt) -> None:
        self.history[prompt.id] = json.loads(json.dumps(self._history).replace(self._recorded_id, prompt.id))

    async def _interrupted(self, prompt: Prompt) -> None:
        data = {"prompt_id": prompt.id, "node_id": "sampler", "node_type": "KSampler", "executed": []}
        self.history[prompt.id] = {
            "outputs": {},
            "status": {"status_str": "error", "completed": False, "messages": [["execution_interrupted", data]]},
        }
        await self._send(prompt, json.dumps({"type": "execution_interrupted", "data": data}))

    async def _drop(self, prompt: Prompt) -> None:
        self.switches.drop_socket_at = None
        socket = self.sockets.pop(prompt.client)
        await socket.close()
        while self.switches.waits_for_return and prompt.client not in self.sockets:
            await asyncio.sleep(0.005)

    async def _send(self, prompt: Prompt, message: str | bytes) -> None:
        socket = self.sockets.get(prompt.client)
        if socket is None or socket.closed:
            return
        if isinstance(message, bytes):
            await socket.send_bytes(message)
        else:
            await socket.send_str(message)

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(f"{request.method} /{request.path.split('/')[1]}")
        self.headers.append(dict(request.headers))
        if request.path in self.switches.mute:
            await asyncio.Event().wait()
        prepared = self.switches.answers.get(request.path)
        response: web.StreamResponse = prepared if prepared is not None else await handler(request)
        return response

    async def _on_socket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        client = request.query["clientId"]
        self.sockets[client] = socket
        async for _ in socket:
            pass
        if self.sockets.get(client) is socket:
            del self.sockets[client]
        return socket

    async def _on_prompt(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.bodies.append(body)
        if self.switches.lose_prompts > 0:
            self.switches.lose_prompts -= 1
            return self._break(request)
        answer = self._refusal if "nope." in json.dumps(body["prompt"]) else self._post["response"]
        if answer["status"] != 200:
            return web.json_response(answer["body"], status=answer["status"])
        self._number += 1
        self.pending.append(Prompt(id=body["prompt_id"], client=body["client_id"], number=self._number))
        self._wake.set()
        if self.switches.lose_answers > 0:
            self.switches.lose_answers -= 1
            return self._break(request)
        return web.json_response({"prompt_id": body["prompt_id"], "number": self._number, "node_errors": {}})

    @staticmethod
    def _break(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def _on_queue(self, _: web.Request) -> web.Response:
        running = [self.running] if self.running else []
        return web.json_response(
            {
                "queue_running": [[p.number, p.id, {}, {"client_id": p.client}, []] for p in running],
                "queue_pending": [[p.number, p.id, {}, {"client_id": p.client}, []] for p in self.pending],
            }
        )

    async def _on_delete(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.pending = [prompt for prompt in self.pending if prompt.id not in body["delete"]]
        return web.Response()

    async def _on_interrupt(self, request: web.Request) -> web.Response:
        body = await request.json() if request.can_read_body else {}
        if self.running and body.get("prompt_id", self.running.id) == self.running.id:
            self.running.interrupted = True
            self.released.set()
        return web.Response()

    async def _on_history(self, request: web.Request) -> web.Response:
        prompt = request.match_info["id"]
        return web.json_response({prompt: self.history[prompt]} if prompt in self.history else {})

    async def _on_view(self, request: web.Request) -> web.Response:
        if "/" in request.query["filename"]:
            return web.Response(status=400)
        if request.query["filename"].startswith("gone"):
            return web.Response(status=404)
        name = request.query["filename"].encode()
        picture = self.picture if len(name) > 5 else self.picture[: -len(name)] + name
        return web.Response(body=picture, content_type="image/png")

    async def _on_upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        picture = form["image"]
        assert isinstance(picture, web.FileField)
        self.uploads.append((picture.filename, picture.file.read()))
        return web.json_response({"name": picture.filename, "subfolder": "", "type": "input"})

    async def _on_stats(self, _: web.Request) -> web.Response:
        return web.json_response(recording("system_stats"))


@asynccontextmanager
async def serving(server: ReplayServer, socket: Path) -> AsyncIterator[ReplayServer]:
    """Serve at a Unix socket, as at the end of a tunnel."""
    server.socket = socket
    async with _running(server) as runner:
        await web.UnixSite(runner, str(socket)).start()
        yield server


@asynccontextmanager
async def serving_at_a_port(server: ReplayServer) -> AsyncIterator[str]:
    """Serve on loopback; gives the address."""
    async with _running(server) as runner:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"


@asynccontextmanager
async def _running(server: ReplayServer) -> AsyncIterator[web.AppRunner]:
    runner = web.AppRunner(server.app(), access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
    await runner.setup()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(server.run())
        try:
            yield runner
        finally:
            task.cancel()
            await server.close_sockets()
            await runner.cleanup()
