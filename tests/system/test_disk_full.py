"""A bot whose data folder lies on a disk of its own, small and full."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.processes import KEY, Client, Running, bill, clean_environment, free_port, living, sandbox, until_ok
from tests.system.test_kill import until_no_machine_lives

pytestmark = pytest.mark.timeout(180)

SIZE_MIB = 96
MOUNT = 'mount -t tmpfs -o size={size}m glowplug "$0" && exec "$@"'


def can_mount() -> bool:
    """Whether we may make a small disk that only our own processes see."""
    if shutil.which("unshare") is None:
        return False
    command = ["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(command, check=False, capture_output=True, timeout=10).returncode == 0


needs_a_disk = pytest.mark.skipif(not can_mount(), reason="no small disk can be mounted here without being root")


async def bot_on_a_small_disk(folder: Path, cloud: Running) -> Running:
    """As :func:`tests.processes.bot`, with a disk of some megabytes, which it alone sees, as its data folder."""
    data, port, log = folder / "data", free_port(), folder / "bot.log"
    data.mkdir()
    env = clean_environment(
        GLOWPLUG_DATA=str(data),
        GLOWPLUG_WEB_PORT=str(port),
        GLOWPLUG_HEDGES_PER_HOUR="0",
        GLOWPLUG_BRIDGE="none",
        GLOWPLUG_SANDBOX_URL=cloud.url,
        GLOWPLUG_SANDBOX_KEY=KEY,
    )
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(
            *("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", MOUNT.format(size=SIZE_MIB), str(data)),
            *(sys.executable, "-m", "bot"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=env,
            cwd=folder,
        )
    running = Running(process=process, url=f"http://127.0.0.1:{port}", log=log)
    await until_ok(running, "/healthz")
    return running


def _room(disk: Path) -> int:
    figures = os.statvfs(disk)
    return figures.f_bavail * figures.f_frsize


def fill(running: Running, folder: Path, *, leaving: int) -> Path:
    """Write a file onto the bot's disk until so many bytes are left; returns its name as we see it."""
    disk = Path(f"/proc/{running.process.pid}/root{folder / 'data'}")
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while (left := _room(disk) - leaving) > 0:
            file.write(b"\0" * min(2**20, left))
    assert _room(disk) <= leaving
    return filler


@needs_a_disk
async def test_a_full_disk_refuses_new_jobs_loses_nothing_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "--speed", "8", "--paint-ms", "1500") as cloud, aiohttp.ClientSession() as http:
        running = await bot_on_a_small_disk(tmp_path, cloud)
        client = Client(http, running.url)
        asked = await client.say("/imagine a lighthouse at dusk --seed 7")
        await client.card_in(asked["card"]["id"], "running")

        filler = await asyncio.to_thread(fill, running, tmp_path, leaving=0)
        async with asyncio.timeout(30):
            while "cannot be kept yet" not in running.log.read_text():
                await asyncio.sleep(0.1)
        refused = await client.say("/imagine a harbour")
        assert refused["status"] == 400
        assert refused["error"].startswith("The bot's disk is full, so nothing new is taken on")
        assert (await client.get(f"/api/cards/{asked['card']['id']}"))["state"] == "running"
        assert len(living(await bill(cloud))) == 1

        await asyncio.to_thread(filler.unlink)
        card = await client.card_in(asked["card"]["id"], "succeeded", "failed")
        assert (card["state"], card["seed"], len(card["images"])) == ("succeeded", 7, 1)
        again = await client.say("/imagine a harbour")
        await client.card_in(again["card"]["id"], "succeeded")
        assert len(await client.get("/api/cards")) == 2
        assert len((await bill(cloud))["machines"]) == 1
        await running.end()
        await until_no_machine_lives(cloud)
        assert "Traceback" not in running.log.read_text()


@needs_a_disk
async def test_a_disk_that_is_nearly_full_still_ends_machines(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "--speed", "8", "--paint-ms", "50") as cloud, aiohttp.ClientSession() as http:
        running = await bot_on_a_small_disk(tmp_path, cloud)
        client = Client(http, running.url)
        asked = await client.say("/imagine a lighthouse at dusk")
        await client.card_in(asked["card"]["id"], "succeeded")

        await asyncio.to_thread(fill, running, tmp_path, leaving=30 * 2**20)
        assert (await client.say("/imagine a harbour"))["status"] == 400
        await client.say("/release")
        await until_no_machine_lives(cloud)
        await running.end()
