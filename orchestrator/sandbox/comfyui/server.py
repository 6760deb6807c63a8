"""ComfyUI's HTTP side, and the server as a whole."""

import asyncio
import json
import os
import platform
import secrets
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from aiohttp import BodyPartReader, WSMsgType, web

from orchestrator.sandbox.comfyui.definitions import Definitions
from orchestrator.sandbox.comfyui.executor import Executor, Pace
from orchestrator.sandbox.comfyui.folders import MODEL_FOLDERS, PICTURE_TYPES, Folders, OutsideError
from orchestrator.sandbox.comfyui.graph import PromptRefused, check_graph
from orchestrator.sandbox.comfyui.prompts import Prompt, Prompts
from orchestrator.sandbox.comfyui.sockets import Sockets

UPLOAD_LIMIT = 100 * 1024 * 1024
MEMORY = 24 * 1024**3
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    listen: str
    port: int
    """0 takes a free one."""
    base: Path
    """Holds `models`, `input`, `output` and `temp`."""
    pace: Pace
    fault_file: Path | None = None
    """Read at each prompt: `dies`, `hangs`, `oom` or `mute`, and for how many prompts; empty means well."""
    keeps_metadata: bool = True
    argv: tuple[str, ...] = ("main.py",)


@asynccontextmanager
async def open_server(settings: ServerSettings) -> AsyncIterator[str]:
    """Serve while the block lasts, and give the address, such as `http://127.0.0.1:8188`."""
    server = _Server(settings)
    runner = web.AppRunner(server.app(), access_log=None, shutdown_timeout=1)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(server.sockets.deliver()), group.create_task(server.executor.run_forever())]
        await runner.setup()
        try:
            await web.TCPSite(runner, settings.listen, settings.port).start()
            yield f"http://{settings.listen}:{runner.addresses[0][1]}"
        finally:
            await server.sockets.close()
            await runner.cleanup()
            for task in tasks:
                task.cancel()


class _Server:
    def __init__(self, settings: ServerSettings) -> None:
        self.sockets = Sockets()
        self._settings = settings
        self._folders = Folders(settings.base)
        self._definitions = Definitions(self._folders)
        self._prompts = Prompts(self._tell_status)
        self.executor = Executor(
            self._prompts,
            self.sockets,
            self._folders,
            pace=settings.pace,
            fault_file=settings.fault_file,
            keeps_metadata=settings.keeps_metadata,
        )

    def app(self) -> web.Application:
        app = web.Application(client_max_size=UPLOAD_LIMIT, middlewares=[_own_origin_only])
        routes = [
            web.get("/", self._get_root),
            web.get("/ws", self._get_ws),
            web.get("/prompt", self._get_prompt),
            web.post("/prompt", self._post_prompt),
            web.get("/queue", self._get_queue),
            web.post("/queue", self._post_queue),
            web.post("/interrupt", self._post_interrupt),
            web.post("/free", self._post_free),
            web.get("/history", self._get_history),
            web.post("/history", self._post_history),
            web.get("/history/{prompt_id}", self._get_history_of),
            web.get("/view", self._get_view),
            web.post("/upload/image", self._post_upload),
            web.get("/system_stats", self._get_system_stats),
            web.get("/object_info", self._get_object_info),
            web.get("/object_info/{node}", self._get_object_info),
            web.get("/models", self._get_models),
            web.get("/models/{folder}", self._get_models_of),
        ]
        app.add_routes(routes)
        app.add_routes([web.route(route.method, f"/api{route.path}", route.handler) for route in routes[1:]])
        return app

    def _status(self) -> dict[str, Any]:
        return {"status": {"exec_info": {"queue_remaining": self._prompts.remaining}}}

    def _tell_status(self) -> None:
        self.sockets.tell("status", self._status())

    async def _get_root(self, _request: web.Request) -> web.Response:
        text = "<!doctype html><title>glowplug's painter</title><p>This server speaks ComfyUI's protocol and paints."
        return web.Response(text=text, content_type="text/html")

    async def _get_ws(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        client = request.query.get("clientId") or secrets.token_hex(16)
        self.sockets.join(client, socket)
        self.sockets.tell("status", {**self._status(), "sid": client}, client)
        running = self._prompts.running
        if running is not None and running.client == client and self.executor.current_node is not None:
            self.sockets.tell("executing", {"node": self.executor.current_node}, client)
        try:
            async for message in socket:
                if message.type is WSMsgType.ERROR:
                    break
        finally:
            self.sockets.leave(client)
        return socket

    async def _get_prompt(self, _request: web.Request) -> web.Response:
        return web.json_response(self._status()["status"])

    async def _post_prompt(self, request: web.Request) -> web.Response:
        body = await _json_body(request)
        number = self._prompts.take_number()
        try:
            accepted = check_graph(body.get("prompt"), self._definitions)
        except PromptRefused as refusal:
            return web.json_response(refusal.body, status=400)
        extra = dict(body.get("extra_data") or {})
        if "client_id" in body:
            extra["client_id"] = body["client_id"]
        prompt = Prompt(
            number=float(body["number"]) if "number" in body else -number if body.get("front") else number,
            prompt_id=str(body.get("prompt_id") or uuid.UUID(bytes=os.urandom(16), version=4)),
            graph=body["prompt"],
            extra_data=extra,
            outputs=accepted.outputs,
        )
        self._prompts.put(prompt)
        answer = {"prompt_id": prompt.prompt_id, "number": prompt.number, "node_errors": accepted.node_errors}
        return web.json_response(answer)

    async def _get_queue(self, _request: web.Request) -> web.Response:
        return web.json_response(self._prompts.as_json())

    async def _post_queue(self, request: web.Request) -> web.Response:
        body = await _json_body(request)
        if body.get("clear"):
            self._prompts.clear()
        self._prompts.delete(frozenset(body.get("delete", ())))
        return web.Response()

    async def _post_interrupt(self, request: web.Request) -> web.Response:
        text = await request.text()
        try:
            body = json.loads(text) if text else {}
        except ValueError:
            body = {}
        self._prompts.interrupt(body.get("prompt_id"))
        return web.Response()

    async def _post_free(self, _request: web.Request) -> web.Response:
        return web.Response()

    async def _get_history(self, request: web.Request) -> web.Response:
        entries = list(self._prompts.history.items())
        most = int(request.query.get("max_items", len(entries)))
        return web.json_response(dict(entries[max(0, len(entries) - most) :]))

    async def _post_history(self, request: web.Request) -> web.Response:
        body = await _json_body(request)
        if body.get("clear"):
            self._prompts.history.clear()
        for prompt_id in body.get("delete", ()):
            self._prompts.history.pop(prompt_id, None)
        return web.Response()

    async def _get_history_of(self, request: web.Request) -> web.Response:
        prompt_id = request.match_info["prompt_id"]
        entry = self._prompts.history.get(prompt_id)
        return web.json_response({} if entry is None else {prompt_id: entry})

    async def _get_view(self, request: web.Request) -> web.StreamResponse:
        name, kind = request.query.get("filename", ""), request.query.get("type", "output")
        if not name:
            return web.Response(status=404)
        if name.startswith("/") or ".." in name or kind not in PICTURE_TYPES:
            return web.Response(status=400)
        try:
            file = self._folders.picture(kind, request.query.get("subfolder", ""), Path(name).name)
        except OutsideError:
            return web.Response(status=403)
        if not file.is_file():
            return web.Response(status=404)
        return web.FileResponse(file, headers={"Content-Disposition": f'filename="{file.name}"'})

    async def _post_upload(self, request: web.Request) -> web.Response:
        fields, name, content = await _read_upload(request)
        kind, subfolder = fields.get("type", "input"), fields.get("subfolder", "")
        if not name or kind not in PICTURE_TYPES:
            return web.Response(status=400)
        overwrite = fields.get("overwrite") in {"true", "1"}
        try:
            kept = self._folders.keep_upload(kind, subfolder, name, content, overwrite=overwrite)
        except OutsideError:
            return web.Response(status=400)
        return web.json_response({"name": kept, "subfolder": subfolder, "type": kind})

    async def _get_system_stats(self, _request: web.Request) -> web.Response:
        system = {
            "os": os.name,
            "ram_total": MEMORY,
            "ram_free": MEMORY // 2,
            "comfyui_version": "0.3.64",
            "required_frontend_version": "1.27.10",
            "installed_templates_version": "0.1.95",
            "required_templates_version": "0.1.95",
            "python_version": f"{platform.python_version()} [{platform.python_compiler()}]",
            "pytorch_version": "none: painted by glowplug's sandbox",
            "embedded_python": False,
            "argv": list(self._settings.argv),
        }
        memory = {"vram_total": MEMORY, "vram_free": MEMORY, "torch_vram_total": MEMORY, "torch_vram_free": MEMORY}
        return web.json_response(
            {"system": system, "devices": [{"name": "cpu", "type": "cpu", "index": None, **memory}]}
        )

    async def _get_object_info(self, request: web.Request) -> web.Response:
        return web.json_response(self._definitions.object_info(request.match_info.get("node")))

    async def _get_models(self, _request: web.Request) -> web.Response:
        return web.json_response(list(MODEL_FOLDERS))

    async def _get_models_of(self, request: web.Request) -> web.Response:
        folder = request.match_info["folder"]
        if folder not in MODEL_FOLDERS:
            return web.Response(status=404)
        return web.json_response(self._folders.model_names(folder))


async def _json_body(request: web.Request) -> dict[str, Any]:
    """Read the body; what is no JSON object becomes a plain 500, as the real server's crash does."""
    try:
        body = json.loads(await request.text())
    except ValueError:
        raise web.HTTPInternalServerError(text="500 Internal Server Error\n\nServer got itself in trouble") from None
    if not isinstance(body, dict):
        raise web.HTTPInternalServerError(text="500 Internal Server Error\n\nServer got itself in trouble")
    return cast("dict[str, Any]", body)


async def _read_upload(request: web.Request) -> tuple[dict[str, str], str, bytes]:
    fields: dict[str, str] = {}
    name, content = "", b""
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        if part.name == "image":
            name, content = Path(part.filename or "").name, bytes(await part.read())
        elif part.name is not None:
            fields[part.name] = await part.text()
    return fields, name, content


@web.middleware
async def _own_origin_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a browser that was sent here by a foreign page."""
    origin = urlsplit(request.headers.get("Origin", "")).netloc.lower()
    if origin and origin != request.host.lower():
        return web.Response(status=403)
    return await handler(request)
