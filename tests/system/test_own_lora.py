"""A LoRA by chat, on the sandbox: added by a link to one of its mirrors, and painted with on a machine that is warm."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.processes import KEY, Client, Running, bot, sandbox

pytestmark = pytest.mark.timeout(120)


async def mirrored(http: aiohttp.ClientSession, cloud: Running, name: str) -> str:
    """Where the sandbox's index says that a LoRA is."""
    headers = {"Authorization": f"Bearer {KEY}"}
    async with http.get(f"{cloud.url}/sandbox/models", headers=headers) as answer:
        files = (await answer.json())["files"]
    return str(next(file["urls"][0] for file in files if file["path"] == f"loras/{name}.safetensors"))


async def painted(client: Client, text: str) -> dict[str, Any]:
    answer = await client.say(text)
    assert answer["status"] == 200, answer
    async with asyncio.timeout(60):
        while True:
            card: dict[str, Any] = await client.get(f"/api/cards/{answer['card']['id']}")
            if card["state"] in {"succeeded", "failed"}:
                return card
            await asyncio.sleep(0.1)


async def test_one_from_a_mirror_paints_on_the_warm_machine_without_a_restart(tmp_path: Path) -> None:
    async with (
        sandbox(tmp_path, "--speed", "8", "--paint-ms", "50") as cloud,
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http,
    ):
        running = await bot(tmp_path, cloud, GLOWPLUG_BRIDGE="none")
        try:
            client = Client(http, running.url)
            assert (await painted(client, "/imagine a cat --size 256x256"))["state"] == "succeeded"
            [record] = (tmp_path / "sandbox").rglob("glowplug/comfyui.json")
            before = json.loads(record.read_text())

            elsewhere = await client.say(f"/lora add sketch {cloud.url}/sandbox/models")
            assert "https" in elsewhere["error"]
            link = await mirrored(http, cloud, "watercolour")
            added = await client.say(f"/lora add sketch {link} 0.7 pencil sketch")
            assert added["reply"]["lora"]["name"] == "sketch", added
            card = await painted(client, "/imagine a cat --size 256x256 --lora sketch")

            assert card["state"] == "succeeded", card
            assert json.loads(record.read_text()) == before
            [_] = (tmp_path / "sandbox").rglob("comfyui/models/loras/*-sketch.safetensors")
        finally:
            await running.end()
