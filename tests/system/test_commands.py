"""The commands as a program calls them: their JSON is a contract."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from orchestrator.adapters.sandbox_apis import apis_of
from orchestrator.sandbox.lambda_labs.wire import REGIONS
from tests.processes import KEY, Running, clean_environment, sandbox

pytestmark = [pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("commands")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cloud(folder: Path) -> AsyncIterator[Running]:
    async with sandbox(folder, "--speed", "8", "--paint-ms", "50") as running:
        yield running


async def glowplug(folder: Path, cloud: Running, *args: str, **settings: str) -> tuple[int, str]:
    """Run one command; its status and its standard output."""
    own = {"GLOWPLUG_DATA": str(folder / "data"), "GLOWPLUG_SANDBOX_URL": cloud.url, "GLOWPLUG_SANDBOX_KEY": KEY}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "orchestrator",
        *args,
        cwd=folder,
        env=clean_environment(**own | settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    return process.returncode or 0, out.decode()


async def document(folder: Path, cloud: Running, *args: str) -> dict[str, Any]:
    status, text = await glowplug(folder, cloud, *args, "--json")
    assert status == 0, text
    parsed: dict[str, Any] = json.loads(text)
    return parsed


async def test_e2e_makes_a_picture_and_proves_its_machine_gone(folder: Path, cloud: Running) -> None:
    picture = folder / "F.png"

    report = await document(
        folder, cloud, "e2e", "--cloud", "sandbox", "--prompt", "a lighthouse at dusk", "--out", str(picture)
    )

    assert list(report) == ["outcome", "cloud", "steps", "total_s", "image", "cost_usd", "terminated"]
    assert (report["outcome"], report["cloud"], report["terminated"]) == ("succeeded", "sandbox", True)
    steps = [step["step"] for step in report["steps"] if step["step"] != "encode"]  # ahead, where there is time for it
    assert steps == ["provision", "boot", "ssh", "agent", "comfyui", "models", "generation"]
    assert all(set(step) == {"step", "started_s", "seconds", "bytes"} for step in report["steps"])
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert 0 < report["cost_usd"] < 0.01


async def test_models_are_kept_on_a_file_system(folder: Path, cloud: Running) -> None:
    """From the setting to the folder that outlives its machine."""
    settings = {"GLOWPLUG_SANDBOX_CLOUDS": "lambda", "GLOWPLUG_DATA": str(folder / "lambda")}
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as http:
        url = (await apis_of(http, cloud.url, key=KEY)).clouds["lambda"]
        for region in REGIONS:
            await http.post(f"{url}/api/v1/filesystems", json={"name": f"in-{region}", "region": region})
    names = ",".join(f"in-{region}" for region in REGIONS)

    status, said = await glowplug(
        folder, cloud, "e2e", "--cloud", "lambda", "--json", LAMBDA_FILE_SYSTEMS=names, **settings
    )

    assert (status, json.loads(said)["outcome"]) == (0, "succeeded")
    assert list((folder / "sandbox").rglob("file-system-*/glowplug/*"))


async def test_status_and_cost_of_a_bot_that_never_ran_are_empty(folder: Path, cloud: Running) -> None:
    status = await document(folder, cloud, "status")
    cost = await document(folder, cloud, "cost", "--days", "30")

    assert (status["instances"], status["queue"], status["unknown_machines"]) == ([], 0, 0)
    assert (cost["days"], cost["total_usd"], cost["images"]) == (30, 0, 0)


async def test_doctor_finds_everything_in_place(folder: Path, cloud: Running) -> None:
    report = await document(folder, cloud, "doctor")

    assert [check["name"] for check in report["checks"] if not check["ok"]] == []
    said = {check["name"]: check["detail"] for check in report["checks"]}
    assert said["clouds"].startswith("sandbox: key good, $")
    assert said["managed APIs"] == "Replicate: serves us"


async def test_doctor_names_each_cloud_and_api_that_is_not_as_it_should_be(folder: Path, cloud: Running) -> None:
    wanted = {"GLOWPLUG_SANDBOX_BRIDGE": "replicate,moon"}
    status, text = await glowplug(folder, cloud, "doctor", "--json", **wanted)

    said = {check["name"]: check["detail"] for check in json.loads(text)["checks"]}
    assert status == 1
    assert said["clouds"].startswith("sandbox: key good")
    assert said["managed APIs"].startswith("GLOWPLUG_SANDBOX_BRIDGE: the sandbox has no moon; it has ")


async def test_doctor_exits_with_1_when_a_key_is_refused(folder: Path, cloud: Running) -> None:
    status, text = await glowplug(folder, cloud, "doctor", "--json", GLOWPLUG_SANDBOX_KEY="another-key")

    failed = [check["name"] for check in json.loads(text)["checks"] if not check["ok"]]
    assert (status, failed) == (1, ["clouds"])
    assert "another-key" not in text


async def test_compare_puts_what_the_sandbox_has_side_by_side(folder: Path, cloud: Running) -> None:
    compared = await document(folder, cloud, "compare", "--today-usd", "80")

    assert compared["today_usd"] == 80
    kinds = {target["name"]: target["kind"] for target in compared["targets"]}
    assert kinds.items() >= {"vast": "cloud", "replicate": "api"}.items()
    for target in compared["targets"]:
        assert {"cold_start_s", "usd_per_image", "usd_month", "success_rate", "can"} <= target.keys()
        assert target["problem"] == ""
        assert 0 < target["usd_per_image"] < target["usd_month"]
        assert target["from"]["success_rate"] == "unknown"


async def test_compare_says_in_one_sentence_that_the_sandbox_does_not_tell(folder: Path, cloud: Running) -> None:
    assert await glowplug(folder, cloud, "compare", GLOWPLUG_SANDBOX_KEY="another-key") == (1, "")


async def test_compare_shows_people_a_table_with_todays_bill_in_it(folder: Path, cloud: Running) -> None:
    log = folder / "log.csv"
    rows = [f"2026-03-02T12:0{minute}:00+00:00,u1,discord" for minute in range(3)]
    log.write_text("requested_at,user_id,platform\n" + "\n".join(rows) + "\n")
    status, text = await glowplug(folder, cloud, "compare", "--log", str(log))

    assert status == 0
    assert "today's bill" in text
    assert "100.00" in text
    assert "this log's traffic: 90 pictures in 30 stretches" in text


async def test_sweep_finds_nothing_where_nothing_was_left(folder: Path, cloud: Running) -> None:
    assert await document(folder, cloud, "sweep", "--any-installation") == {"machines": []}


async def test_workflows_and_models_are_listed(folder: Path, cloud: Running) -> None:
    workflows = await document(folder, cloud, "workflows", "list")
    models = await document(folder, cloud, "models", "list")

    assert [w["name"] for w in workflows["workflows"]] == ["flux-schnell-lora", "flux-schnell-img2img"]
    assert "unet/flux1-schnell.safetensors" in [model["path"] for model in models["models"]]


@pytest.mark.parametrize("args", [("e2e", "--cloud", "moon"), ("e2e", "--cloud", "moon", "--yes")])
async def test_what_cannot_be_done_is_said_in_one_sentence(folder: Path, cloud: Running, args: tuple[str, ...]) -> None:
    status, text = await glowplug(folder, cloud, *args)

    assert (status, text) == (2, "")


async def test_settings_that_cannot_be_are_named(folder: Path, cloud: Running) -> None:
    status, _ = await glowplug(folder, cloud, "status", GLOWPLUG_MAX_MACHINES="none")

    assert status == 2
