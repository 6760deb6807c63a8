"""
Our own graph on Modal: ComfyUI on a GPU that sleeps when nobody asks, behind one authenticated POST. See docs/modal.md.

    modal run deploy/modal_app.py::fetch     # once: the models, onto a Volume
    modal deploy deploy/modal_app.py

Two kinds of containers. The *door* is small and has no GPU: it takes an order (an id, a graph, pictures to start from)
and remembers which call of Modal's it became, so that an id that comes again is answered and not painted again, and so
that looking, asking and stopping cost no GPU. The *painter* has the GPU: ComfyUI on its own loopback, one order at a
time. Raw ComfyUI behind a URL would count as idle while it paints, and its WebSocket does not last there.

Everything but the last part runs without Modal, and is tested so. Both containers need the standard library alone.

Sources: modal.com/docs/guide (webhook-timeouts, webhook-proxy-auth, memory-snapshots, volumes), `modal` 1.6.4.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import re
import subprocess
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

try:
    import modal  # type: ignore[import-not-found,unused-ignore]
except ImportError:  # in tests, and in the sandbox: the last part is not there then
    modal = None

Json = dict[str, Any]
Receive = Callable[[], Awaitable[Json]]
Send = Callable[[Json], Awaitable[None]]

MODELS = "/data/models"
COMFYUI_URL = "http://127.0.0.1:8188"
BOOT_S = 300.0
RUN_S = 900.0
POLL_S = 0.2
ANSWER_S = 30.0
MOST_BODY = 128 * 1024 * 1024
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
CORES, MEMORY_MIB = 2.0, 24 * 1024
"""What the painter reserves beside its GPU: the text encoder alone is ten gigabytes in memory while it loads."""

# ---------------------------------------------------------------------------------------------------------------------
# Orders
# ---------------------------------------------------------------------------------------------------------------------


class Complaint(Exception):
    """
    Why there are no pictures.

    Attributes:
        kind: ``bad`` (no order at all), ``rejected`` (ComfyUI refuses the graph), ``failed``, ``stopped``, ``unknown``.
        detail: What ComfyUI said, as it said it.
    """

    def __init__(self, kind: str, message: str, detail: object = None) -> None:
        super().__init__(message)
        self.kind, self.detail = kind, detail

    def as_json(self) -> Json:
        return {"error": {"kind": self.kind, "message": str(self), "detail": self.detail}}


STATUSES: Mapping[str, int] = {"bad": 400, "unknown": 404}
"""By kind of complaint; the others are 422: none of them is mistaken for what Modal itself answers."""


def read_order(raw: bytes) -> Json:
    """
    Read ``{"id", "graph", "images": {name: base64}}``.

    Raises:
        Complaint: It is something else.
    """
    try:
        order = json.loads(raw)
    except (ValueError, RecursionError):
        order = None
    if not isinstance(order, dict) or not isinstance(order.get("graph"), dict):
        raise Complaint("bad", "an order is a JSON object with a graph")
    images = order.get("images", {})
    names = [order.get("id"), *images] if isinstance(images, dict) else [None]
    if not all(isinstance(name, str) and NAME.fullmatch(name) for name in names):
        raise Complaint("bad", "an order has an id and pictures with plain names")
    return {"id": order["id"], "graph": order["graph"], "images": images}


class Meter:
    """
    Tells each order which seconds of its container are its own.

    The first has the start, and beforehand the wait at the end that keeps the container warm; a later one has the
    wait since the one before it. So all of them together have what Modal bills for the container.
    """

    def __init__(self, clock: Callable[[], float], *, started: float, tail_s: float) -> None:
        self._clock = clock
        self._until = started
        self._owed = tail_s

    def take(self) -> float:
        """Seconds since this was last asked."""
        now = self._clock()
        seconds, self._until, self._owed = now - self._until + self._owed, now, 0.0
        return round(seconds, 3)


# ---------------------------------------------------------------------------------------------------------------------
# Painting: one order at ComfyUI on the loopback
# ---------------------------------------------------------------------------------------------------------------------

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def exchange(url: str, body: bytes | None = None, kind: str = "application/json") -> tuple[int, bytes]:
    """GET, or POST with a body; returns the status and the answer. Blocks: call it from a thread."""
    request = urllib.request.Request(url, data=body, headers={"Content-Type": kind} if body is not None else {})
    try:
        with OPENER.open(request, timeout=ANSWER_S) as answer:
            return int(answer.status), bytes(answer.read())
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read()


async def ask(url: str, body: object = None) -> tuple[int, Any]:
    """Exchange JSON; what is none reads as None.

    Raises:
        Complaint: ComfyUI does not answer.
    """
    raw = None if body is None else json.dumps(body).encode()
    try:
        status, answer = await asyncio.to_thread(exchange, url, raw)
    except OSError as error:
        raise Complaint("failed", f"ComfyUI does not answer: {type(error).__name__}") from error
    try:
        return status, json.loads(answer)
    except ValueError:
        return status, None


async def paint(url: str, order: Json, *, limit_s: float = RUN_S, poll_s: float = POLL_S) -> Json:
    """
    Run one order in the ComfyUI at *url*; give its pictures, or a complaint, as JSON.

    An order that is cancelled is interrupted there, too. One that ComfyUI has done already is not run again.
    """
    try:
        async with asyncio.timeout(limit_s):
            return {"pictures": await _pictures(url, order, poll_s)}
    except TimeoutError:
        await _interrupt(url, order["id"])
        return Complaint("failed", f"it was not done after {limit_s:.0f} s").as_json()
    except asyncio.CancelledError:
        await _interrupt(url, order["id"])
        raise
    except Complaint as complaint:
        return complaint.as_json()


async def _pictures(url: str, order: Json, poll_s: float) -> list[str]:
    if await _history(url, order["id"]) is None:
        for name, content in order["images"].items():
            await _upload(url, name, base64.b64decode(content))
        await _queue(url, order)
    while (entry := await _history(url, order["id"])) is None:  # noqa: ASYNC110 - it runs in another process
        await asyncio.sleep(poll_s)
    _check(entry)
    shown = [each for output in entry.get("outputs", {}).values() for each in output.get("images", ())]
    kept = [each for each in shown if each.get("type") == "output"] or shown
    return [await _view(url, each) for each in kept]


async def _queue(url: str, order: Json) -> None:
    status, answer = await ask(f"{url}/prompt", {"prompt": order["graph"], "prompt_id": order["id"]})
    if status == 400:
        raise Complaint("rejected", "ComfyUI refuses the graph", answer)
    if status != 200:
        raise Complaint("failed", f"ComfyUI answered {status} to the graph")


async def _history(url: str, name: str) -> Json | None:
    status, answer = await ask(f"{url}/history/{name}")
    if status != 200 or not isinstance(answer, dict):
        raise Complaint("failed", f"ComfyUI answered {status} when asked how it went")
    entry = answer.get(name)
    return entry if isinstance(entry, dict) else None


def _check(entry: Json) -> None:
    """Whether it went well.

    Raises:
        Complaint: It did not; with ComfyUI's own words.
    """
    status = entry.get("status") or {}
    for kind, data in status.get("messages", ()):
        if kind == "execution_interrupted":
            raise Complaint("stopped", "it was stopped")
        if kind == "execution_error":
            kept = {each: data.get(each) for each in ("node_type", "exception_type", "exception_message")}
            raise Complaint("failed", "a node of the graph failed", kept)
    if status.get("status_str") == "error":
        raise Complaint("failed", "ComfyUI does not say how it failed")


async def _view(url: str, picture: Mapping[str, str]) -> str:
    words = urllib.parse.urlencode({name: picture.get(name, "") for name in ("filename", "subfolder", "type")})
    status, content = await asyncio.to_thread(exchange, f"{url}/view?{words}")
    if status != 200:
        raise Complaint("failed", f"ComfyUI answered {status} to the request for a picture")
    return base64.b64encode(content).decode()


async def _upload(url: str, name: str, content: bytes) -> None:
    edge = hashlib.sha256(content).hexdigest()
    head = f'--{edge}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'
    tail = f'\r\n--{edge}\r\nContent-Disposition: form-data; name="overwrite"\r\n\r\ntrue\r\n--{edge}--\r\n'
    body = head.encode() + content + tail.encode()
    status, _ = await asyncio.to_thread(exchange, f"{url}/upload/image", body, f"multipart/form-data; boundary={edge}")
    if status != 200:
        raise Complaint("failed", f"ComfyUI answered {status} to the picture to start from")


async def _interrupt(url: str, name: str) -> None:
    """Take it out of the queue, and stop it if it runs."""
    with contextlib.suppress(Complaint):
        await ask(f"{url}/queue", {"delete": [name]})
        await ask(f"{url}/interrupt", {"prompt_id": name})


# ---------------------------------------------------------------------------------------------------------------------
# The door: ASGI
# ---------------------------------------------------------------------------------------------------------------------


class Calls(Protocol):
    """Whoever paints, and remembers by the order's id what it made."""

    async def begin(self, order: Json) -> None:
        """Begin it; nothing happens when its id has been here before."""
        ...

    async def result(self, name: str) -> Json | None:
        """Wait for what came of it; None when nobody knows that id."""
        ...

    async def cancel(self, name: str) -> None:
        """Stop it; silent when there is nothing to stop."""
        ...


class Door:
    """
    The whole HTTP side, as an ASGI application.

    ``POST /`` takes an order and answers when it is done; ``GET /ID`` answers the same once more; ``DELETE /ID`` stops
    it; ``GET /`` says what there is, and wakes no painter.
    """

    def __init__(self, calls: Calls, about: Callable[[], Awaitable[Json]]) -> None:
        self._calls = calls
        self._about = about

    async def __call__(self, scope: Json, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            name = scope["path"].strip("/")
            try:
                status, answer = await self._answer(scope["method"], name, receive)
            except Complaint as complaint:
                status, answer = STATUSES.get(complaint.kind, 422), complaint.as_json()
            await _respond(send, status, answer)

    async def _answer(self, method: str, name: str, receive: Receive) -> tuple[int, Json]:
        match method, name:
            case "GET", "":
                return 200, await self._about()
            case "POST", "":
                order = read_order(await _body(receive))
                await self._calls.begin(order)
                return await self._result(order["id"])
            case "GET", _:
                return await self._result(name)
            case "DELETE", _:
                await self._calls.cancel(name)
                return 200, {}
        raise Complaint("bad", "orders are POSTed to /")

    async def _result(self, name: str) -> tuple[int, Json]:
        result = await self._calls.result(name)
        if result is None:
            raise Complaint("unknown", "nobody here knows that id")
        return (422 if "error" in result else 200), result


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Complaint("bad", "whoever ordered has left")
        body += bytes(message.get("body", b""))
        if len(body) > MOST_BODY:
            raise Complaint("bad", f"an order has at most {MOST_BODY} bytes")
        if not message.get("more_body"):
            return body


async def _respond(send: Send, status: int, answer: Json) -> None:
    raw = json.dumps(answer).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(raw)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": raw})


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


# ---------------------------------------------------------------------------------------------------------------------
# Settings, models, ComfyUI's process
# ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """
    What was in the environment at ``modal deploy``; both containers are given it again.

    Attributes:
        window_s: How long an idle painter is kept warm, and billed.
        most: Painters at once.
        snapshots_gpu: Whether Modal keeps a snapshot of the started painter, its GPU included: an alpha of theirs.
        volume: Name of the Volume that keeps the models; made where it is not there.
        mirror: Public address of a bucket that has them by their paths, and is asked first; empty: none.
    """

    gpu: str
    window_s: int
    most: int
    snapshots_gpu: bool
    volume: str
    mirror: str

    def environment(self) -> dict[str, str]:
        return {
            "GLOWPLUG_MODAL_GPU": self.gpu,
            "GLOWPLUG_MODAL_WINDOW_S": str(self.window_s),
            "GLOWPLUG_MODAL_MOST": str(self.most),
            "GLOWPLUG_MODAL_SNAPSHOT": "gpu" if self.snapshots_gpu else "",
            "GLOWPLUG_MODAL_VOLUME": self.volume,
            "MODELS_BASE_URL": self.mirror,
        }

    def machine(self) -> Json:
        """What a second of the painter is priced by."""
        return {"gpu": self.gpu, "cores": CORES, "gib": MEMORY_MIB / 1024, "window_s": self.window_s}


def read_settings(environment: Mapping[str, str]) -> Settings:
    return Settings(
        gpu=environment.get("GLOWPLUG_MODAL_GPU") or "L40S",
        window_s=int(environment.get("GLOWPLUG_MODAL_WINDOW_S") or 120),
        most=int(environment.get("GLOWPLUG_MODAL_MOST") or 1),
        snapshots_gpu=environment.get("GLOWPLUG_MODAL_SNAPSHOT") == "gpu",
        volume=environment.get("GLOWPLUG_MODAL_VOLUME") or "glowplug-models",
        mirror=environment.get("MODELS_BASE_URL", "").rstrip("/"),
    )


def workflows_folder() -> Path:
    """Where the manifests are: in the repository, or where the image has them."""
    return next(
        folder
        for folder in (Path(__file__).parents[1] / "orchestrator" / "workflows", Path("/root/workflows"))
        if folder.is_dir()
    )


def read_manifests(folder: Path) -> list[Json]:
    """All manifests, the first workflow first."""
    found = [tomllib.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*/manifest.toml"))]
    return sorted(found, key=lambda manifest: manifest.get("order", 100))


def models_of(manifests: list[Json]) -> list[Json]:
    """Every model file of all workflows once: ``path``, ``size``, ``urls`` and, where it is known, ``sha256``."""
    return list({entry["path"]: entry for one in manifests for entry in one.get("models", ())}.values())


def loras_of(manifests: list[Json]) -> list[Json]:
    """The same of the LoRAs; without one of them, everything else can be painted."""
    return list({entry["path"]: entry for one in manifests for entry in one.get("loras", {}).values()}.values())


def also_at(mirror: str, files: list[Json]) -> list[Json]:
    """The same files, asked for at *mirror* first; an empty one changes nothing."""
    if not mirror:
        return files
    return [{**entry, "urls": [f"{mirror}/{urllib.parse.quote(entry['path'])}", *entry["urls"]]} for entry in files]


def missing(files: list[Json], folder: Path) -> list[str]:
    """Paths that are not there."""
    return [entry["path"] for entry in files if not _is_there(entry, folder)]


def _is_there(entry: Json, folder: Path) -> bool:
    """
    Whether the file is.

    What we fetch has its name only when it is whole. What somebody else put there, or what is there since the manifest
    had another file of that name, is known by its size, which a manifest with a checksum says exactly.
    """
    target = folder / entry["path"]
    is_exact = entry.get("sha256") is not None and "size" in entry
    return target.is_file() and (not is_exact or target.stat().st_size == entry["size"])


def fetch_model(entry: Json, folder: Path) -> str:
    """
    Fetch one file unless it is there, from the first of its addresses that has it.

    What is there is read once more, whoever put it there: with other bytes than it should have it is removed.

    Raises:
        ValueError: No address has the right bytes; the text says what was wrong at each.
    """
    target, sha256 = folder / entry["path"], entry.get("sha256")
    if _is_there(entry, folder):
        if sha256 is None:
            return f"{entry['path']}: there; what it should be is not known"
        if _digest_of(target) == sha256:
            return f"{entry['path']}: there, and as it should be"
    target.unlink(missing_ok=True)
    problems = []
    for url in entry["urls"]:
        try:
            _download(url, target, sha256)
        except (OSError, ValueError) as error:
            problems.append(f"{urllib.parse.urlsplit(url).hostname}: {error}")
        else:
            return f"{entry['path']}: fetched"
    raise ValueError(f"{entry['path']}: {'; '.join(problems)}")


def fetch_all(files: list[Json], folder: Path, keep: Callable[[], None]) -> None:
    """
    Fetch them one after the other, and tell what became of each.

    Args:
        keep: Called after each file: what is in the folder then, and what is not, is to last.

    Raises:
        SystemExit: At the end, when some could not be had.
    """
    failed = []
    for entry in files:
        try:
            print(fetch_model(entry, folder), flush=True)
        except ValueError as error:
            print(error, flush=True)
            failed.append(entry["path"])
        keep()
    if failed:
        raise SystemExit(f"not fetched: {', '.join(failed)}")


def _digest_of(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _download(url: str, target: Path, sha256: str | None) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    known = hashlib.sha256()
    request = urllib.request.Request(url, headers={"User-Agent": "glowplug"})
    with urllib.request.urlopen(request, timeout=ANSWER_S) as answer, part.open("wb") as file:
        for chunk in iter(lambda: answer.read(2**22), b""):
            known.update(chunk)
            file.write(chunk)
    if sha256 is not None and known.hexdigest() != sha256:
        part.unlink()
        raise ValueError("other bytes than the manifest says")
    part.replace(target)


def comfyui_command(python: str, source: str, base: str) -> list[str]:
    """How ComfyUI is started: reachable from its own container alone, and without our words in its pictures."""
    listen = ["--listen", "127.0.0.1", "--port", COMFYUI_URL.rpartition(":")[2]]
    return [python, f"{source}/main.py", *listen, "--base-directory", base, "--disable-metadata"]


async def until_it_answers(url: str, is_alive: Callable[[], bool], *, limit_s: float = BOOT_S) -> None:
    """Wait for ComfyUI.

    Raises:
        RuntimeError: Its process has ended.
        TimeoutError: It does not answer.
    """
    async with asyncio.timeout(limit_s):
        while is_alive():
            with contextlib.suppress(Complaint):
                if (await ask(f"{url}/system_stats"))[0] == 200:
                    return
            await asyncio.sleep(POLL_S)
    raise RuntimeError("ComfyUI ended before it answered; see the container's log")


def install_steps(install: Json) -> Iterator[str]:
    """The shell commands that put ComfyUI of the manifest's commit into an image."""
    yield f"git clone --quiet {install['repository']} /comfyui"
    yield f"git -C /comfyui checkout --quiet --detach {install['commit']}"
    yield "pip install -r /comfyui/requirements.txt"


# ---------------------------------------------------------------------------------------------------------------------
# What Modal reads
# ---------------------------------------------------------------------------------------------------------------------

if modal is not None:
    SETTINGS = read_settings(os.environ)
    MANIFESTS = read_manifests(workflows_folder())
    INSTALL = MANIFESTS[0]["runtime"]["install"]
    BORN = time.monotonic()

    app = modal.App("glowplug")
    volume = modal.Volume.from_name(SETTINGS.volume, create_if_missing=True)
    remembered = modal.Dict.from_name("glowplug-orders", create_if_missing=True)

    bare = modal.Image.debian_slim(python_version="3.12")
    small = bare.env(SETTINGS.environment()).add_local_dir(str(workflows_folder()), "/root/workflows")
    full = (
        bare.apt_install("git")
        .pip_install(*INSTALL["torch"], index_url=INSTALL["index_url"] or None)
        .run_commands(*install_steps(INSTALL))
        .env(SETTINGS.environment())
        .add_local_dir(str(workflows_folder()), "/root/workflows")
    )

    @app.function(image=small, volumes={MODELS: volume}, timeout=6 * 3600)
    def fetch() -> None:
        """Put the models onto the Volume; what is there already is verified, and left alone when it is right."""
        files = models_of(MANIFESTS) + loras_of(MANIFESTS)
        fetch_all(also_at(SETTINGS.mirror, files), Path(MODELS), volume.commit)

    @app.cls(
        image=full,
        gpu=SETTINGS.gpu,
        cpu=CORES,
        memory=MEMORY_MIB,
        volumes={MODELS: volume},
        max_containers=SETTINGS.most,
        scaledown_window=SETTINGS.window_s,
        timeout=int(RUN_S) + 60,
        startup_timeout=int(BOOT_S) + 60,
        enable_memory_snapshot=SETTINGS.snapshots_gpu,
        experimental_options={"enable_gpu_snapshot": True} if SETTINGS.snapshots_gpu else None,
    )
    class Painter:
        """One GPU, one ComfyUI, one order at a time."""

        @modal.enter(snap=SETTINGS.snapshots_gpu)
        async def boot(self) -> None:
            self.comfyui = subprocess.Popen(comfyui_command("python", "/comfyui", "/data"))  # noqa: ASYNC220 - returns at once
            await until_it_answers(COMFYUI_URL, lambda: self.comfyui.poll() is None)

        @modal.enter()
        def wake(self) -> None:
            started = time.monotonic() if SETTINGS.snapshots_gpu else BORN
            self.meter = Meter(time.monotonic, started=started, tail_s=SETTINGS.window_s)

        @modal.method()
        async def paint(self, order: Json) -> Json:
            if self.comfyui.poll() is not None:
                await self.boot()
            answer = await paint(COMFYUI_URL, order)
            return {**answer, "seconds": self.meter.take()}

        @modal.exit()
        def stop(self) -> None:
            self.comfyui.terminate()

    class ModalCalls(Calls):
        """Orders as calls of the painter; which call an id became is in a Dict that outlives all containers."""

        def __init__(self) -> None:
            self._lock = asyncio.Lock()  # there is one door: two requests with one id wait for each other here

        async def begin(self, order: Json) -> None:
            async with self._lock:
                if await remembered.get.aio(order["id"]) is None:
                    call = await Painter().paint.spawn.aio(order)
                    await remembered.put.aio(order["id"], call.object_id)

        async def result(self, name: str) -> Json | None:
            known = await remembered.get.aio(name)
            if known is None:
                return None
            try:
                answer: Json = await modal.FunctionCall.from_id(known).get.aio()
            except modal.exception.OutputExpiredError:
                return None
            except modal.exception.Error as error:
                return Complaint("failed", f"the painter failed: {type(error).__name__}").as_json()
            return {**answer, "machine": SETTINGS.machine()}

        async def cancel(self, name: str) -> None:
            known = await remembered.get.aio(name)
            if known is not None:
                await modal.FunctionCall.from_id(known).cancel.aio()

    async def about() -> Json:
        await volume.reload.aio()
        lacks = missing(models_of(MANIFESTS), Path(MODELS))
        return {"app": "glowplug", "machine": SETTINGS.machine(), "missing": lacks}

    @app.function(
        image=small,
        cpu=0.125,
        volumes={MODELS: volume},
        max_containers=1,
        timeout=3600,
        enable_memory_snapshot=True,  # it has no GPU and no state: what is snapped is Python with its modules
    )
    @modal.concurrent(max_inputs=100)
    @modal.asgi_app(label="glowplug", requires_proxy_auth=True)
    def door() -> Door:
        return Door(ModalCalls(), about)
