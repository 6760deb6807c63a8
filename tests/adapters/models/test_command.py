"""The command itself, in a process of its own: killed in the middle, gone on with, in bounded memory."""

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orchestrator.adapters.models_record import RECORD
from orchestrator.adapters.presigned import BucketAccess
from orchestrator.adapters.r2 import Bucket
from orchestrator.cli.commands import app
from tests.adapters.models.hub import MIB, HubStage, sha256_of

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]

SIZES = {"small": 5 * MIB, "large": 200 * MIB + 5}
PART = 16 * MIB
HALF = 7
"""Parts that arrive before the kill: as many bytes as are in memory at once, and more."""


def peak_mib(process: asyncio.subprocess.Process) -> int:
    found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{process.pid}/status").read_text())
    assert found
    return int(found[1]) // 1024


class Command:
    """``glowplug models`` with a data folder whose workflow has two files at the lookalike."""

    def __init__(self, folder: Path, hub: HubStage, access: BucketAccess) -> None:
        hub.sizes |= SIZES
        own = folder / "workflows" / "flux-schnell-lora"
        own.mkdir(parents=True)
        shipped = Path("orchestrator/workflows/flux-schnell-lora")
        for graph in shipped.glob("graph*.json"):
            own.joinpath(graph.name).write_bytes(graph.read_bytes())
        loras = "".join(
            f'\n[loras.{name}]\npath = "loras/{name}.safetensors"\nsize = 1\nurls = ["{hub.address(name)}"]\n'
            for name in SIZES
        )
        own.joinpath("manifest.toml").write_text(shipped.joinpath("manifest.toml").read_text() + loras)
        self.settings = {
            "GLOWPLUG_DATA": str(folder),
            "HF_ENDPOINT": hub.url,
            "HF_TOKEN": "hf_marked",
            "R2_ENDPOINT": access.endpoint,
            "R2_BUCKET": access.bucket,
            "R2_ACCESS_KEY_ID": access.key_id,
            "R2_SECRET_ACCESS_KEY": access.secret,
        }

    async def start(self, *args: str) -> asyncio.subprocess.Process:
        code = "from orchestrator.__main__ import main; main()"
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code, "models", *args, "--json"),
            env=os.environ | self.settings,
            stdout=asyncio.subprocess.PIPE,
        )

    async def upload(self, name: str) -> dict[str, Any]:
        process = await self.start("upload", name)
        told, _ = await process.communicate()
        document: dict[str, Any] = json.loads(told)
        assert (process.returncode, document["ok"]) == (0, True)
        return document

    async def answer(self, *args: str) -> tuple[int, dict[str, Any]]:
        result = await asyncio.to_thread(CliRunner(env=self.settings).invoke, app, ["models", *args, "--json"])
        return result.exit_code, json.loads(result.stdout)


async def test_a_killed_upload_goes_on_and_memory_does_not_grow_with_the_file(
    tmp_path: Path, hub: HubStage, access: BucketAccess, bucket: Bucket
) -> None:
    command, key = Command(tmp_path, hub, access), "loras/large.safetensors"
    hub.held = range(HALF * PART, SIZES["large"])
    process = await command.start("upload", "large")
    arrived = 0
    while arrived < HALF:
        upload = await bucket.unfinished(key)
        arrived = len(await bucket.parts(key, upload)) if upload else 0
        assert process.returncode is None
    half_way = peak_mib(process)
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    assert await bucket.head(key) is None

    hub.released.set()
    document = await command.upload("large")

    row = document["models"][0]
    assert (row["outcome"], row["size"], row["sha256"]) == ("uploaded", SIZES["large"], sha256_of(SIZES["large"]))
    assert row["sent"] == SIZES["large"] - HALF * PART
    assert document["peak_mib"] < 300
    assert document["peak_mib"] < 1.15 * half_way
    assert "marked" not in (tmp_path / RECORD).read_text()


async def test_what_was_uploaded_is_listed_with_its_ranges_and_verified(
    tmp_path: Path, hub: HubStage, access: BucketAccess
) -> None:
    command = Command(tmp_path, hub, access)

    before = await command.answer("verify", "small")
    uploaded = await command.answer("upload", "small")
    again = await command.answer("upload", "small")
    verified = await command.answer("verify", "small")
    _, listed = await command.answer("list")
    hub.sizes["small"] += 1
    differs = await command.answer("verify", "small")

    assert (before[0], before[1]["models"][0]["places"][1]["finding"]) == (1, "missing")
    assert [code for code, _ in (uploaded, again, verified)] == [0, 0, 0]
    assert [answer["models"][0]["outcome"] for _, answer in (uploaded, again)] == ["uploaded", "there"]
    assert [place["finding"] for place in verified[1]["models"][0]["places"]] == ["same", "same"]
    paths = [row["path"] for row in listed["models"]]
    assert paths == sorted(set(paths))
    assert "checkpoints/flux1-schnell-fp8.safetensors" in paths
    row = next(row for row in listed["models"] if row["path"] == "loras/small.safetensors")
    assert (row["size"], row["sha256"], row["chunks"]) == (5 * MIB, sha256_of(5 * MIB), 1)
    assert (differs[0], differs[1]["models"][0]["places"][0]["finding"]) == (1, "differs")


async def test_what_is_wrong_is_said_in_a_sentence(tmp_path: Path, hub: HubStage, access: BucketAccess) -> None:
    command = Command(tmp_path, hub, access)
    hub.gated = True

    code, answer = await command.answer("upload", "small")
    nobody = await asyncio.to_thread(CliRunner(env=command.settings).invoke, app, ["models", "upload", "nothing"])
    del command.settings["R2_BUCKET"]
    halved = await asyncio.to_thread(CliRunner(env=command.settings).invoke, app, ["models", "upload"])

    assert (code, answer["models"][0]["outcome"]) == (1, "failed")
    assert "accept its terms at" in answer["models"][0]["problem"]
    assert (nobody.exit_code, "No model is called nothing: " in nobody.output) == (2, True)
    assert (halved.exit_code, "Set R2_BUCKET" in halved.output) == (2, True)
