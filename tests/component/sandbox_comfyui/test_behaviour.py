"""What the recordings do not show: uploads, files that appear, several prompts, faults, and who may ask."""

import asyncio
import io
import json
import struct
import sys
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from PIL import Image

from orchestrator.sandbox.comfyui.executor import Pace
from orchestrator.sandbox.models import make_models
from tests.component.sandbox_comfyui.painter_client import (
    CLIENT,
    NO_TIME,
    PainterClient,
    bare_painter,
    painter,
    until,
    until_done,
)
from tests.component.sandbox_comfyui.recordings import graph_of

ENDLESS = Pace(sampling_s=60, loading_s=0)


def flux(**sampler: Any) -> dict[str, Any]:
    graph = graph_of("flux_lora_first")
    graph["sampler"]["inputs"].update(sampler)
    return graph


def trivial(color: int = 1) -> dict[str, Any]:
    graph = graph_of("empty_image")
    graph["e"]["inputs"]["color"] = color
    return graph


async def test_interrupt_hits_only_the_prompt_it_names(tmp_path: Path) -> None:
    async with painter(tmp_path, pace=Pace(sampling_s=0.2, loading_s=0)) as client, client.listening() as socket:
        running = (await client.queue(flux(seed=1)))["response"]["body"]["prompt_id"]
        waiting = (await client.queue(flux(seed=2)))["response"]["body"]["prompt_id"]
        await until(socket, "execution_start")
        await client.post("/interrupt", {"prompt_id": waiting})
        await client.post("/interrupt", {"prompt_id": "of nobody"})
        first, second = await until_done(socket), await until_done(socket)
        history = await client.get("/history")

    assert first[-3]["type"] == second[-3]["type"] == "execution_success"
    assert list(history) == [running, waiting]


async def test_interrupt_without_a_body_stops_whatever_runs(tmp_path: Path) -> None:
    async with painter(tmp_path, pace=Pace(sampling_s=0.4, loading_s=0)) as client, client.listening() as socket:
        await client.queue(flux())
        await until(socket, "execution_start")
        async with client.session.post("/interrupt") as answer:
            assert answer.status == 200
        messages = await until_done(socket)

    assert "execution_interrupted" in [message["type"] for message in messages]


async def test_model_that_appears_while_the_server_runs_is_seen_at_once(tmp_path: Path) -> None:
    async with bare_painter(tmp_path) as client:
        before = await client.queue(flux())
        make_models(tmp_path / "models")
        after = await client.queue(flux())

    assert before["response"]["status"] == 400
    assert {"unet", "clip", "vae", "lora"} == set(before["response"]["body"]["node_errors"])
    assert after["response"]["status"] == 200


async def test_unfinished_download_is_no_model(tmp_path: Path) -> None:
    async with painter(tmp_path) as client:
        unet = tmp_path / "models" / "unet" / "flux1-schnell.safetensors"
        unet.rename(unet.with_name("flux1-schnell.safetensors.part"))
        refused = await client.queue(flux())

    assert refused["response"]["body"]["node_errors"]["unet"]["errors"][0]["type"] == "value_not_in_list"


@pytest.mark.parametrize("damage", ["short", "zeros"])
async def test_broken_model_ends_the_run_with_an_error(tmp_path: Path, damage: str) -> None:
    async with painter(tmp_path) as client, client.listening() as socket:
        unet = tmp_path / "models" / "unet" / "flux1-schnell.safetensors"
        whole = unet.read_bytes()
        unet.write_bytes(whole[:100_000] if damage == "short" else bytes(len(whole)))
        prompt_id = (await client.queue(flux()))["response"]["body"]["prompt_id"]
        error = (await until(socket, "execution_error"))["data"]
        await until_done(socket)
        history = await client.get(f"/history/{prompt_id}")

    assert (error["node_id"], error["node_type"]) == ("unet", "UNETLoader")
    assert "deserializing header" in error["exception_message"]
    assert history[prompt_id]["status"]["status_str"] == "error"


def test_models_are_valid_safetensors(tmp_path: Path) -> None:
    for model in make_models(tmp_path):
        content = (tmp_path / model.path).read_bytes()
        length = struct.unpack("<Q", content[:8])[0]
        tensors = json.loads(content[8 : 8 + length])
        ends = [it["data_offsets"][1] for name, it in tensors.items() if name != "__metadata__"]

        assert max(ends) == model.size - 8 - length


def test_models_are_made_once_and_mended_when_damaged(tmp_path: Path) -> None:
    made = make_models(tmp_path)
    vae = tmp_path / "vae" / "ae.safetensors"
    written = vae.stat().st_mtime_ns
    assert make_models(tmp_path) == made
    assert vae.stat().st_mtime_ns == written

    vae.write_bytes(b"garbage")

    assert make_models(tmp_path) == made
    assert vae.stat().st_size > 1000


async def test_oom_fault_is_an_execution_error(tmp_path: Path) -> None:
    fault = tmp_path / "fault"
    fault.write_text("oom\n")
    async with painter(tmp_path, fault_file=fault) as client, client.listening() as socket:
        await client.queue(flux(seed=1))
        error = (await until(socket, "execution_error"))["data"]
        await until_done(socket)
        fault.unlink()
        await client.queue(flux(seed=2))
        after = await until_done(socket)

    assert error["exception_type"] == "torch.OutOfMemoryError"
    assert {"prompt_id", "node_id", "node_type", "executed", "traceback", "current_inputs", "current_outputs"} <= set(
        error
    )
    assert error["current_inputs"]["seed"] == [1]
    assert after[-3]["type"] == "execution_success"


async def test_picture_too_large_for_the_card_is_out_of_memory(tmp_path: Path) -> None:
    graph = flux()
    graph["latent"]["inputs"].update(width=16384, height=16384)
    async with painter(tmp_path) as client, client.listening() as socket:
        await client.queue(graph)
        error = (await until(socket, "execution_error"))["data"]

    assert error["exception_type"] == "torch.OutOfMemoryError"


async def test_hanging_server_takes_prompts_and_runs_none(tmp_path: Path) -> None:
    fault = tmp_path / "fault"
    fault.write_text("hangs")
    async with painter(tmp_path, fault_file=fault) as client:
        first = (await client.queue(trivial(1)))["response"]["body"]["prompt_id"]
        second = (await client.queue(trivial(2)))["response"]["body"]["prompt_id"]
        await client.post("/interrupt", {"prompt_id": first})
        queue = await client.get("/queue")
        history = await client.get("/history")

    assert [entry[1] for entry in (*queue["queue_running"], *queue["queue_pending"])] == [first, second]
    assert history == {}


async def test_dying_server_is_gone_in_the_middle_of_a_run(tmp_path: Path) -> None:
    """Runs as a process of its own, with the command line and environment that a machine starts it with."""
    make_models(tmp_path / "models")
    (tmp_path / "fault").write_text("dies")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "orchestrator.sandbox.comfyui", "--listen", "127.0.0.1", "--port", str(port)),
        *("--base-directory", str(tmp_path), "--disable-metadata", "--highvram"),
        env={"GLOWPLUG_PAINT_MS": "0", "GLOWPLUG_LOAD_MS": "0", "GLOWPLUG_COMFYUI_FAULT_FILE": str(tmp_path / "fault")},
        stderr=asyncio.subprocess.DEVNULL,
    )
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        client = PainterClient(session)
        await until_it_answers(client)
        assert (await client.queue(flux()))["response"]["status"] == 200
        async with asyncio.timeout(20):
            assert await process.wait() == 1


async def until_it_answers(client: PainterClient) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await client.get("/system_stats")
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)
            else:
                return


def free_port() -> int:
    import socket  # noqa: PLC0415

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_history_may_still_be_empty_when_success_is_told(tmp_path: Path) -> None:
    """Seeded by the prompt id. This one is late: who asks at once finds nothing, a moment later all is there."""
    late = "id 7"
    pace = Pace(sampling_s=0, loading_s=0, history_late_s=0.4)
    async with painter(tmp_path, pace=pace) as client, client.listening() as socket:
        await client.queue(trivial(), prompt_id=late)
        await until(socket, "execution_success")
        at_once = await client.get(f"/history/{late}")
        await until_done(socket)
        then = await client.get(f"/history/{late}")

    assert at_once == {}
    assert list(then) == [late]


async def test_events_go_only_to_the_newest_socket_of_the_client_that_queued(tmp_path: Path) -> None:
    async with (
        painter(tmp_path) as client,
        client.listening() as older,
        client.listening("somebody else") as other,
        client.listening() as newest,
    ):
        await client.queue(trivial())
        told = [message["type"] for message in await until_done(newest)]
        await other.send_str("ping")
        assert "execution_success" in told
        assert {(await other.receive_json())["type"] for _ in range(4)} == {"status"}
        assert [(await older.receive_json())["type"]] == ["status"]
        with pytest.raises(TimeoutError):
            await older.receive_json(timeout=0.05)


async def test_client_that_comes_back_is_told_which_node_runs(tmp_path: Path) -> None:
    async with painter(tmp_path, pace=ENDLESS) as client:
        async with client.listening() as socket:
            await client.queue(flux())
            while (await until(socket, "executing"))["data"]["node"] != "sampler":
                pass
        async with client.listening() as socket:
            assert (await socket.receive_json())["data"]["sid"] == CLIENT
            assert await socket.receive_json() == {"type": "executing", "data": {"node": "sampler"}}


async def test_body_that_is_no_json_is_a_500_in_plain_text(tmp_path: Path) -> None:
    async with bare_painter(tmp_path) as client, client.session.post("/prompt", data=b"not json") as answer:
        assert answer.status == 500
        assert answer.content_type == "text/plain"


async def test_foreign_page_is_refused(tmp_path: Path) -> None:
    async with bare_painter(tmp_path) as client:
        own = str(client.session._base_url).rstrip("/")  # what a browser would send
        statuses = []
        for origin in (own, "http://evil.example"):
            async with client.session.get("/queue", headers={"Origin": origin}) as answer:
                statuses.append(answer.status)

    assert statuses == [200, 403]


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"filename": "../models/vae/ae.safetensors"}, 400),
        ({"filename": "/etc/passwd"}, 400),
        ({"filename": "ae.safetensors", "subfolder": "../models/vae"}, 403),
        ({"filename": "x.png", "type": "models"}, 400),
        ({"filename": "unknown.png"}, 404),
        ({}, 404),
    ],
)
async def test_view_shows_nothing_but_pictures(tmp_path: Path, params: dict[str, str], status: int) -> None:
    async with painter(tmp_path) as client, client.session.get("/view", params=params) as answer:
        assert answer.status == status


async def upload(client: PainterClient, content: bytes, **fields: str) -> Any:
    form = aiohttp.FormData(fields)
    form.add_field("image", content, filename="photo.png", content_type="image/png")
    async with client.session.post("/upload/image", data=form) as answer:
        return await answer.json() if answer.status == 200 else answer.status


def png(color: tuple[int, int, int]) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (96, 64), color).save(target, "PNG")
    return target.getvalue()


async def test_upload_keeps_equal_pictures_once_and_numbers_others(tmp_path: Path) -> None:
    async with bare_painter(tmp_path) as client:
        names = [(await upload(client, png(color)))["name"] for color in ((1, 2, 3), (1, 2, 3), (4, 5, 6))]
        overwritten = await upload(client, png((7, 8, 9)), overwrite="true")
        outside = await upload(client, png((0, 0, 0)), subfolder="../../outside")

    assert names == ["photo.png", "photo.png", "photo (1).png"]
    assert overwritten == {"name": "photo.png", "subfolder": "", "type": "input"}
    assert outside == 400


def image_to_image(name: str, denoise: float) -> dict[str, Any]:
    graph = flux(latent_image=["encode", 0], denoise=denoise)
    del graph["latent"]
    scale = {"image": ["load", 0], "upscale_method": "lanczos", "width": 128, "height": 96, "crop": "center"}
    return graph | {
        "load": {"class_type": "LoadImage", "inputs": {"image": name}},
        "scale": {"class_type": "ImageScale", "inputs": scale},
        "encode": {"class_type": "VAEEncode", "inputs": {"pixels": ["scale", 0], "vae": ["vae", 0]}},
    }


async def test_image_to_image_starts_from_the_uploaded_picture(tmp_path: Path) -> None:
    async with painter(tmp_path) as client:
        name = (await upload(client, png((20, 200, 40))))["name"]
        little, other = [
            Image.open(io.BytesIO(await client.picture(await client.run(image_to_image(name, denoise)))))
            for denoise in (0.1, 1.0)
        ]

    red, green, blue = np.asarray(little).reshape(-1, 3).mean(axis=0).tolist()
    assert little.size == (128, 96)
    assert green > 2 * max(red, blue)
    assert np.asarray(other).reshape(-1, 3).mean(axis=0)[1] < 150


async def test_picture_that_was_never_uploaded_is_refused(tmp_path: Path) -> None:
    async with painter(tmp_path) as client:
        refused = await client.queue(image_to_image("nothing.png", 0.5))

    assert refused["response"]["status"] == 400
    assert refused["response"]["body"]["node_errors"]["load"]["errors"][0]["type"] == "custom_validation_failed"


async def test_new_picture_under_an_old_name_is_painted_again(tmp_path: Path) -> None:
    async with painter(tmp_path) as client:
        name = (await upload(client, png((20, 200, 40))))["name"]
        await client.run(image_to_image(name, 0.3))
        await upload(client, png((200, 20, 40)), overwrite="true")
        again = await client.run(image_to_image(name, 0.3))

    cached = next(it["ws"]["data"]["nodes"] for it in again[1:] if it["ws"]["type"] == "execution_cached")
    assert {"unet", "clip", "vae", "lora", "positive", "negative"} == set(cached)


@pytest.mark.parametrize("metadata", [True, False])
async def test_saved_pictures_carry_the_graph_unless_told_otherwise(tmp_path: Path, metadata: bool) -> None:
    graph = flux()
    async with painter(tmp_path, metadata=metadata) as client:
        said = await client.run(graph, extra_data={"extra_pnginfo": {"workflow": {"nodes": []}}})
        image = Image.open(io.BytesIO(await client.picture(said)))

    texts = {name: json.loads(text) for name, text in image.info.items() if name in {"prompt", "workflow"}}
    assert texts == ({"prompt": graph, "workflow": {"nodes": []}} if metadata else {})


async def test_picture_cannot_be_saved_outside_its_folder(tmp_path: Path) -> None:
    graph = trivial()
    graph["s"]["inputs"]["filename_prefix"] = "../outside"
    async with bare_painter(tmp_path) as client, client.listening() as socket:
        await client.queue(graph)
        error = (await until(socket, "execution_error"))["data"]

    assert "not allowed" in error["exception_message"]


async def test_batch_gives_as_many_different_pictures(tmp_path: Path) -> None:
    graph = flux()
    graph["latent"]["inputs"]["batch_size"] = 3
    async with painter(tmp_path) as client:
        said = await client.run(graph)
        files = [it["params"]["filename"] for it in said if it["http" if "http" in it else "ws"] == "GET /view"]

    assert files == ["glowplug_00001_.png", "glowplug_00002_.png", "glowplug_00003_.png"]
    assert len({(tmp_path / "output" / file).read_bytes() for file in files}) == 3


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"steps": "many"}, "invalid_input_type"),
        ({"cfg": 101}, "value_bigger_than_max"),
        ({"model": ["vae", 0]}, "return_type_mismatch"),
        ({"model": ["unet"]}, "bad_linked_input"),
        ({"sampler_name": "none of these"}, "value_not_in_list"),
    ],
)
async def test_each_kind_of_bad_input_has_its_own_error(tmp_path: Path, change: dict[str, Any], kind: str) -> None:
    async with painter(tmp_path) as client:
        refused = await client.queue(flux(**change))

    errors = refused["response"]["body"]["node_errors"]["sampler"]["errors"]
    assert [error["type"] for error in errors] == [kind]
    assert refused["response"]["body"]["node_errors"]["sampler"]["dependent_outputs"] == ["save"]


async def test_good_output_runs_though_another_is_bad(tmp_path: Path) -> None:
    graph = trivial() | {"bad": {"class_type": "PreviewImage", "inputs": {}}}
    async with painter(tmp_path) as client:
        said = await client.run(graph)

    assert said[0]["response"]["status"] == 200
    assert list(said[0]["response"]["body"]["node_errors"]) == ["bad"]
    assert [it["params"]["filename"] for it in said if it.get("http") == "GET /view"] == ["t_00001_.png"]


async def test_flux_graph_of_separate_nodes_runs_too(tmp_path: Path) -> None:
    graph = flux()
    graph |= {
        "noise": {"class_type": "RandomNoise", "inputs": {"noise_seed": 5}},
        "guided": {"class_type": "FluxGuidance", "inputs": {"conditioning": ["positive", 0], "guidance": 3.5}},
        "guider": {"class_type": "BasicGuider", "inputs": {"model": ["lora", 0], "conditioning": ["guided", 0]}},
        "select": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
        "sigmas": {
            "class_type": "BasicScheduler",
            "inputs": {"model": ["lora", 0], "scheduler": "simple", "steps": 2, "denoise": 1.0},
        },
        "sampler": {
            "class_type": "SamplerCustomAdvanced",
            "inputs": {
                "noise": ["noise", 0],
                "guider": ["guider", 0],
                "sampler": ["select", 0],
                "sigmas": ["sigmas", 0],
                "latent_image": ["latent", 0],
            },
        },
    }
    async with painter(tmp_path, pace=NO_TIME) as client:
        said = await client.run(graph)

    assert said[-1]["content_type"] == "image/png"


async def test_server_stops_at_once_while_a_prompt_runs(tmp_path: Path) -> None:
    async with asyncio.timeout(10):
        async with painter(tmp_path, pace=ENDLESS) as client, client.listening() as socket:
            await client.queue(flux())
            await until(socket, "executing")
