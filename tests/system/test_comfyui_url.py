"""COMFYUI_URL: a ComfyUI that runs already makes the pictures, and nothing is rented."""

import signal
from pathlib import Path

import aiohttp
import pytest

from orchestrator.sandbox.models import make_models
from tests.processes import Client, bot, clean_environment, free_port, start, until_ok

pytestmark = pytest.mark.timeout(120)


async def test_a_comfyui_that_runs_already_serves_the_page(tmp_path: Path) -> None:
    make_models(tmp_path / "comfyui" / "models")
    port = free_port()
    where = ["--listen", "127.0.0.1", "--port", str(port), "--base-directory", str(tmp_path / "comfyui")]
    url = f"http://127.0.0.1:{port}"
    environment = clean_environment(GLOWPLUG_PAINT_MS="50")
    comfyui = await start(
        "-m", "orchestrator.sandbox.comfyui", *where, folder=tmp_path, name="comfyui", url=url, env=environment
    )
    await until_ok(comfyui, "/system_stats")
    running = await bot(tmp_path, None, COMFYUI_URL=url, GLOWPLUG_BRIDGE="")
    async with aiohttp.ClientSession() as http:
        client = Client(http, running.url)
        asked = await client.say("/imagine a lighthouse at dusk --seed 7")
        card = await client.card_in(asked["card"]["id"], "succeeded", "failed")

        assert (card["state"], card["seed"], len(card["images"])) == ("succeeded", 7, 1)
        assert card["stages"] == []
        assert (await client.get("/api/status"))["instances"] == []
    await running.end()
    await comfyui.end(signal.SIGTERM)
    assert "nothing is rented" in running.log.read_text()
