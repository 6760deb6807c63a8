"""
No secret of ours is anywhere but where it was given: a whole life of the real bot, and then everything is searched.

The keys are marked, so that a search finds them in whatever they were copied into.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.processes import KEY, Client, bot, sandbox
from tests.telegram.server import TOKEN, telegram_server
from tests.telegram.world import ADA

pytestmark = pytest.mark.timeout(180)

DISCORD = "marked.discord.token-of-ours"
COMFYUI = "marked-comfyui-token-of-ours"
BUCKET, HUGGING_FACE = "marked-bucket-secret-of-ours", "hf_marked_token_of_ours"
SECRETS = {
    "the cloud's account key": KEY,
    "Telegram": TOKEN,
    "Discord": DISCORD,
    "ComfyUI": COMFYUI,
    "the bucket": BUCKET,
    "Hugging Face": HUGGING_FACE,
}


def files_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def environments_below(folder: Path) -> Iterator[tuple[str, bytes]]:
    """What each process on a machine was given: those whose working directory is in *folder*."""
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal():
            continue
        try:
            cwd, environment = (process / "cwd").resolve(), (process / "environ").read_bytes()
        except OSError:
            continue
        if folder in cwd.parents:
            yield process.name, environment


async def test_secrets_are_in_no_log_no_row_no_card_and_on_no_machine(tmp_path: Path) -> None:
    async with (
        sandbox(tmp_path, "--speed", "8", "--paint-ms", "50") as cloud,
        telegram_server() as server,
        aiohttp.ClientSession() as http,
    ):
        running = await bot(
            tmp_path,
            cloud,
            TELEGRAM_TOKEN=TOKEN,
            TELEGRAM_API=server.url,
            TELEGRAM_ADMINS=str(ADA),
            DISCORD_TOKEN=DISCORD,
            COMFYUI_TOKEN=COMFYUI,
            R2_SECRET_ACCESS_KEY=BUCKET,
            HF_TOKEN=HUGGING_FACE,
            GLOWPLUG_LOG_LEVEL="DEBUG",
        )
        client = Client(http, running.url)
        server.write(ADA, "/imagine a cat")
        asked = await client.say("/imagine a lighthouse at dusk")
        await client.card_in(asked["card"]["id"], "succeeded")
        failed = await client.say("/imagine a cat --lora nothing")
        told = [await client.say(command) for command in ("/status", "/cost", "/policy", "/admin sessions", "/why")]

        machines = tmp_path / "sandbox"
        own = machines / "sandbox.json"  # where the cloud itself keeps its key; ours alone to read
        assert own.stat().st_mode & 0o077 == 0
        places = {str(path): path.read_bytes() for path in files_below(tmp_path) if path != own}
        places |= {f"process {name}": environment for name, environment in environments_below(machines)}
        places["cards"] = json.dumps(await client.get("/api/cards")).encode()
        places["answers"] = json.dumps([failed, *told]).encode()
        assert any("process" in name for name in places), "no machine was looked at"
        assert any(name.endswith(".sqlite3") for name in places)
        found = [
            f"{what} in {name}"
            for name, text in places.items()
            for what, key in SECRETS.items()
            if key.encode() in text
        ]
        assert found == []
        await running.end()
        assert not [what for what, key in SECRETS.items() if key in running.log.read_text()]
