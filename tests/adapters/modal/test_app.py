"""``deploy/modal_app.py`` without Modal: all that it does itself."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deploy.modal_app import (
    Complaint,
    Door,
    Json,
    Meter,
    also_at,
    comfyui_command,
    fetch_all,
    fetch_model,
    install_steps,
    loras_of,
    missing,
    models_of,
    paint,
    read_manifests,
    read_order,
    read_settings,
    until_it_answers,
    workflows_folder,
)
from orchestrator.adapters.workflow_files import read_workflows
from orchestrator.app import WORKFLOWS
from orchestrator.sandbox.modal.asgi import call
from tests.contract.inference_suite import WORKFLOW
from tests.peers import run_peer

GRAPH = WORKFLOW.graph
ORDER = {"id": "an-order", "graph": GRAPH, "images": {}}
CONTENT = b"weights" * 1000


class Recorder:
    """Remembers what was begun, and answers with the order itself."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.cancelled: list[str] = []

    async def begin(self, order: Json) -> None:
        self.begun.append(order["id"])

    async def result(self, name: str) -> Json | None:
        if name == "failed":
            return Complaint("failed", "no").as_json()
        return {"pictures": [name]} if name in self.begun else None

    async def cancel(self, name: str) -> None:
        self.cancelled.append(name)


async def about() -> Json:
    return {"app": "glowplug"}


async def asked(calls: Recorder, method: str, path: str, body: object = None) -> tuple[int, Any]:
    response = await call(Door(calls, about), method, path, b"" if body is None else json.dumps(body).encode())
    return response.status, json.loads(bytes(response.body))


async def test_the_door_takes_an_order_answers_and_answers_again() -> None:
    calls = Recorder()

    posted = await asked(calls, "POST", "/", ORDER)
    again = await asked(calls, "GET", "/an-order")

    assert posted == again == (200, {"pictures": ["an-order"]})
    assert calls.begun == ["an-order"]


async def test_the_door_tells_what_it_does_not_know_from_what_failed() -> None:
    unknown, failed = await asked(Recorder(), "GET", "/another"), await asked(Recorder(), "GET", "/failed")

    assert (unknown[0], unknown[1]["error"]["kind"]) == (404, "unknown")
    assert (failed[0], failed[1]["error"]["kind"]) == (422, "failed")


async def test_the_door_says_what_there_is_and_stops_what_it_is_told_to() -> None:
    calls = Recorder()

    assert await asked(calls, "GET", "/") == (200, {"app": "glowplug"})
    assert await asked(calls, "DELETE", "/an-order") == (200, {})
    assert (await asked(calls, "PUT", "/"))[0] == 400
    assert calls.cancelled == ["an-order"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{" * 100_000,
        b'{"id": "x"}',
        b'{"id": "../x", "graph": {}}',
        b'{"id": 7, "graph": {}}',
        b'{"id": "x", "graph": {}, "images": {"a/b": ""}}',
        b'{"id": "x", "graph": {}, "images": []}',
    ],
)
def test_what_is_no_order_is_refused(raw: bytes) -> None:
    with pytest.raises(Complaint):
        read_order(raw)


def test_all_orders_together_have_the_whole_life_of_a_container() -> None:
    now = 100.0
    meter = Meter(lambda: now, started=60.0, tail_s=120.0)

    first, now = meter.take(), 130.0
    second, now = meter.take(), 131.5
    third = meter.take()

    assert (first, second, third) == (160.0, 30.0, 1.5)


async def test_a_comfyui_that_is_not_there_is_a_failure_and_no_crash() -> None:
    answer = await paint("http://127.0.0.1:9", ORDER)

    assert answer["error"]["kind"] == "failed"


class Slow:
    """A ComfyUI that takes every prompt and never gets on."""

    def __init__(self) -> None:
        self.interrupted: list[Any] = []
        self.queued = asyncio.Event()

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/history/{name}", self._history),
                web.post("/prompt", self._queue),
                web.post("/queue", self._stop),
                web.post("/interrupt", self._stop),
            ]
        )
        return app

    async def _history(self, _: web.Request) -> web.Response:
        return web.json_response({})

    async def _queue(self, _: web.Request) -> web.Response:
        self.queued.set()
        return web.json_response({})

    async def _stop(self, request: web.Request) -> web.Response:
        self.interrupted.append(await request.json())
        return web.Response()


@pytest.fixture
async def slow() -> AsyncIterator[tuple[Slow, str]]:
    comfyui = Slow()
    server = TestServer(comfyui.app())
    await server.start_server(access_log=None)
    yield comfyui, str(server.make_url("")).rstrip("/")
    await server.close()


STOPS = [{"delete": ["an-order"]}, {"prompt_id": "an-order"}]


async def test_an_order_that_is_cancelled_is_stopped_in_comfyui(slow: tuple[Slow, str]) -> None:
    comfyui, url = slow
    async with asyncio.TaskGroup() as group:
        painting = group.create_task(paint(url, ORDER, poll_s=0.01))
        await comfyui.queued.wait()
        painting.cancel()

    assert comfyui.interrupted == STOPS


async def test_an_order_that_does_not_get_on_is_given_up(slow: tuple[Slow, str]) -> None:
    comfyui, url = slow

    answer = await paint(url, ORDER, limit_s=0.2, poll_s=0.01)

    assert "not done" in answer["error"]["message"]
    assert comfyui.interrupted == STOPS


async def test_a_comfyui_that_ends_before_it_answers_is_not_waited_for() -> None:
    with pytest.raises(RuntimeError, match="ended"):
        await until_it_answers("http://127.0.0.1:9", lambda: False)


@pytest.fixture
async def mirror() -> AsyncIterator[str]:
    """Has one file, and another under its name that is broken."""

    async def serve(request: web.Request) -> web.Response:
        bodies = {"/good": CONTENT, "/broken": CONTENT[:-1]}
        bodies |= {"/own/unet/a.safetensors": CONTENT, "/spoilt/unet/a.safetensors": CONTENT[:-1]}
        body = bodies.get(request.path)
        return web.Response(status=404) if body is None else web.Response(body=body)

    app = web.Application()
    app.router.add_route("GET", "/{path:.*}", serve)
    server = TestServer(app)
    await server.start_server(access_log=None)
    yield str(server.make_url("")).rstrip("/")
    await server.close()


def entry(*urls: str) -> Json:
    return {"path": "unet/a.safetensors", "sha256": hashlib.sha256(CONTENT).hexdigest(), "urls": urls}


async def test_a_model_comes_from_the_first_address_that_has_the_right_bytes(mirror: str, tmp_path: Path) -> None:
    wanted = entry(f"{mirror}/gone", f"{mirror}/broken", f"{mirror}/good")
    assert missing([wanted], tmp_path) == ["unet/a.safetensors"]

    fetched = await asyncio.to_thread(fetch_model, wanted, tmp_path)
    again = fetch_model(entry(), tmp_path)

    assert (tmp_path / "unet" / "a.safetensors").read_bytes() == CONTENT
    assert fetched.endswith("fetched")
    assert again.endswith("there, and as it should be")
    assert missing([wanted], tmp_path) == []


async def test_a_bucket_of_ones_own_is_asked_first_and_its_wrong_bytes_are_not_kept(
    mirror: str, tmp_path: Path
) -> None:
    wanted = entry(f"{mirror}/gone")
    (at_own,) = also_at(f"{mirror}/own", [wanted])
    (at_broken,) = also_at(f"{mirror}/spoilt", [{**wanted, "urls": [f"{mirror}/good"]}])

    assert also_at("", [wanted]) == [wanted]
    assert (await asyncio.to_thread(fetch_model, at_broken, tmp_path)).endswith("fetched")
    (tmp_path / "unet" / "a.safetensors").unlink()
    assert (await asyncio.to_thread(fetch_model, at_own, tmp_path)).endswith("fetched")
    assert (tmp_path / "unet" / "a.safetensors").read_bytes() == CONTENT


async def test_a_file_of_another_size_than_the_manifests_is_fetched_anew(mirror: str, tmp_path: Path) -> None:
    wanted = {**entry(f"{mirror}/good"), "size": len(CONTENT)}
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "a.safetensors").write_bytes(CONTENT[:-1])

    assert missing([wanted], tmp_path) == ["unet/a.safetensors"]
    assert (await asyncio.to_thread(fetch_model, wanted, tmp_path)).endswith("fetched")
    assert missing([wanted], tmp_path) == []


async def test_what_somebody_put_there_with_other_bytes_is_fetched_anew(mirror: str, tmp_path: Path) -> None:
    there = tmp_path / "unet" / "a.safetensors"
    there.parent.mkdir()
    there.write_bytes(CONTENT[:-1] + b"?")

    said = await asyncio.to_thread(fetch_model, entry(f"{mirror}/good"), tmp_path)

    assert there.read_bytes() == CONTENT
    assert said.endswith("fetched")


async def test_wrong_bytes_do_not_stay_where_no_address_has_the_right_ones(mirror: str, tmp_path: Path) -> None:
    wanted = entry(f"{mirror}/gone")
    there = tmp_path / wanted["path"]
    there.parent.mkdir()
    there.write_bytes(CONTENT[:-1])

    with pytest.raises(ValueError, match="404"):
        await asyncio.to_thread(fetch_model, wanted, tmp_path)

    assert missing([wanted], tmp_path) == [wanted["path"]]


def test_a_file_of_ones_own_without_a_checksum_stays(tmp_path: Path) -> None:
    own: Json = {"path": "loras/own.safetensors", "size": 1, "urls": []}
    (tmp_path / "loras").mkdir()
    (tmp_path / own["path"]).write_bytes(b"mine")

    assert "not known" in fetch_model(own, tmp_path)
    assert (tmp_path / own["path"]).read_bytes() == b"mine"


async def test_a_model_that_nobody_has_as_it_should_be_is_not_kept(mirror: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="other bytes"):
        await asyncio.to_thread(fetch_model, entry(f"{mirror}/broken"), tmp_path)

    assert list((tmp_path / "unet").iterdir()) == []


async def test_one_file_that_cannot_be_had_does_not_keep_the_others_away(
    mirror: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [{**entry(f"{mirror}/gone"), "path": "loras/b.safetensors"}, entry(f"{mirror}/good")]
    kept: list[str] = []

    with pytest.raises(SystemExit, match=r"loras/b\.safetensors"):
        await asyncio.to_thread(fetch_all, files, tmp_path, lambda: kept.append("once"))

    assert kept == ["once", "once"]
    assert "404" in capsys.readouterr().out


def test_the_manifests_files_are_what_the_workflows_load() -> None:
    manifests = read_manifests(workflows_folder())
    workflows = read_workflows(WORKFLOWS)

    assert {each["path"] for each in models_of(manifests)} == {file.path for each in workflows for file in each.models}
    assert {each["path"] for each in loras_of(manifests)} == {
        file.path for each in workflows for file in each.loras.values()
    }


def test_comfyui_is_installed_as_the_first_workflow_says_and_listens_to_nobody_else() -> None:
    install = WORKFLOW.runtime.install
    assert install is not None

    steps = list(install_steps({"repository": install.repository, "commit": install.commit}))

    assert install.commit in steps[1]
    assert comfyui_command("python", "/comfyui", "/data")[2:4] == ["--listen", "127.0.0.1"]


def test_settings_of_the_deployment_reach_the_containers() -> None:
    given = {"GLOWPLUG_MODAL_GPU": "H100", "GLOWPLUG_MODAL_WINDOW_S": "30", "GLOWPLUG_MODAL_SNAPSHOT": "gpu"}
    settings = read_settings(given)

    assert read_settings(settings.environment()) == settings
    assert (settings.gpu, settings.window_s, settings.most, settings.snapshots_gpu) == ("H100", 30, 1, True)
    assert read_settings({}).gpu == "L40S"


def test_the_volume_and_the_bucket_of_ones_own_reach_the_containers() -> None:
    settings = read_settings({"GLOWPLUG_MODAL_VOLUME": "weights", "MODELS_BASE_URL": "https://models.example/"})

    assert read_settings(settings.environment()) == settings
    assert (settings.volume, settings.mirror) == ("weights", "https://models.example")
    assert (read_settings({}).volume, read_settings({}).mirror) == ("glowplug-models", "")


PEER = """
import asyncio, json, os, warnings
warnings.simplefilter("ignore")
import httpx, modal, uvicorn
import deploy.modal_app as ours

class Calls:
    async def begin(self, order): self.order = order
    async def result(self, name): return {"pictures": [name], "images": self.order["images"]}
    async def cancel(self, name): pass

async def about(): return {"app": "glowplug"}

class Kept:
    commits = 0
    def commit(self): self.commits += 1

def filled():
    ours.volume, ours.MODELS, ours.MANIFESTS = Kept(), os.environ["MODELS"], [json.loads(os.environ["MANIFEST"])]
    ours.fetch.local()
    return ours.volume.commits

async def served():
    config = uvicorn.Config(ours.Door(Calls(), about), port=0, lifespan="on", log_level="error")
    server = uvicorn.Server(config)
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        url = "http://127.0.0.1:%d" % server.servers[0].sockets[0].getsockname()[1]
        async with httpx.AsyncClient(base_url=url) as client:
            order = {"id": "x", "graph": {}, "images": {"a.png": "A" * 300000}}
            posted, bad = await client.post("/", json=order), await client.post("/", content=b"no")
        server.should_exit = True
    return [posted.status_code, len(posted.json()["images"]["a.png"]), bad.status_code]

print(json.dumps({
    "app": [isinstance(ours.app, modal.App), isinstance(ours.Painter, modal.Cls)],
    "functions": [isinstance(each, modal.Function) for each in (ours.door, ours.fetch)],
    "volume": [isinstance(ours.volume, modal.Volume), ours.volume.name],
    "filled": filled(),
    "served": asyncio.run(served()),
}))
"""


async def test_modals_own_client_reads_the_app_and_any_asgi_server_serves_its_door(tmp_path: Path) -> None:
    """
    Its decorators refuse what they do not know; the server speaks the whole protocol, lifespan included.

    The Volume is filled from a bucket, both of them folders here; Modal itself is not asked.
    """
    wanted = entry()
    in_bucket, fetched = (tmp_path / folder / wanted["path"] for folder in ("bucket", "models"))
    in_bucket.parent.mkdir(parents=True)
    in_bucket.write_bytes(CONTENT)
    env = {
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "GLOWPLUG_MODAL_VOLUME": "weights",
        "MODELS_BASE_URL": (tmp_path / "bucket").as_uri(),
        "MODELS": str(tmp_path / "models"),
        "MANIFEST": json.dumps({"models": [wanted]}),
    }

    seen = await run_peer(PEER, env=env)

    assert fetched.read_bytes() == CONTENT
    assert seen["filled"] == 1
    assert seen["volume"] == [True, "weights"]
    assert seen["app"] == seen["functions"] == [True, True]
    assert seen["served"] == [200, 300_000, 400]
