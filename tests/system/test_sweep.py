"""``glowplug sweep``: what is left is listed, ended on request, and paid for in the books."""

import asyncio
import shutil
import signal
from pathlib import Path

import aiohttp
import pytest

from tests.processes import Client, Running, bill, bot, living, sandbox
from tests.system.test_commands import document, glowplug
from tests.system.test_kill import instance_state, until_no_machine_lives

pytestmark = pytest.mark.timeout(180)


async def with_a_picture(http: aiohttp.ClientSession, running: Running) -> Client:
    client = Client(http, running.url)
    asked = await client.say("/imagine a lighthouse at dusk")
    await client.card_in(asked["card"]["id"], "succeeded")
    return client


async def killed(running: Running) -> None:
    running.kill(signal.SIGKILL)
    await running.process.wait()


async def test_after_a_kill_it_ends_the_machine_and_the_next_start_has_the_right_bill(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "--speed", "8", "--paint-ms", "50") as cloud, aiohttp.ClientSession() as http:
        first = await bot(tmp_path, cloud)
        await with_a_picture(http, first)
        await killed(first)

        listed = await document(tmp_path, cloud, "sweep")
        assert [(m["ours"], m["ended"]) for m in listed["machines"]] == [(True, False)]
        status, table = await glowplug(tmp_path, cloud, "sweep", "--yes")
        assert (status, "end" in table, "1 of 1 ended" in table) == (0, True, True)
        await until_no_machine_lives(cloud)

        second = await bot(tmp_path, cloud)
        client = Client(http, second.url)
        async with asyncio.timeout(30):
            while await instance_state(client):
                await asyncio.sleep(0.1)
        ours = (await client.get("/api/status"))["today_usd"]
        assert ours == pytest.approx((await bill(cloud))["total_usd"], abs=0.01)
        await second.end()


async def test_it_leaves_the_machines_of_a_running_bot_to_it(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "--speed", "8", "--paint-ms", "50") as cloud, aiohttp.ClientSession() as http:
        running = await bot(tmp_path, cloud)
        client = await with_a_picture(http, running)

        status, table = await glowplug(tmp_path, cloud, "sweep", "--yes")

        assert (status, "leave it to the bot" in table) == (0, True), table
        assert len(living(await bill(cloud))) == 1
        assert await instance_state(client) == "READY"
        await running.end()


async def test_after_the_loss_of_the_data_folder_it_finds_everything_that_carries_our_label(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "--speed", "8", "--paint-ms", "50") as cloud, aiohttp.ClientSession() as http:
        first = await bot(tmp_path, cloud)
        await with_a_picture(http, first)
        await killed(first)
        await asyncio.to_thread(shutil.rmtree, tmp_path / "data")

        assert await document(tmp_path, cloud, "sweep") == {"machines": []}
        ended = await document(tmp_path, cloud, "sweep", "--any-installation", "--yes")

        assert [(m["ours"], m["ended"]) for m in ended["machines"]] == [(False, True)]
        await until_no_machine_lives(cloud)
        assert not (tmp_path / "data").exists()
