"""Two bots on one cloud account: strangers, a copy beside the living one, and books restored from a backup."""

import asyncio
import shutil
import signal
import sqlite3
from pathlib import Path

import aiohttp
import pytest

from tests.processes import Client, Running, bill, bot, living, sandbox
from tests.system.test_commands import document
from tests.system.test_kill import instance_state, until_no_machine_lives
from tests.system.test_sweep import killed, with_a_picture

pytestmark = pytest.mark.timeout(240)

FAST = ("--speed", "8", "--paint-ms", "50")


async def listings(client: Client, count: int) -> None:
    """Have the bot list its cloud so many times more: it does when anything moves, and each minute."""
    for _ in range(count):
        before = await listed_at(client)
        async with asyncio.timeout(90):  # keeping a machine wakes every loop
            while await listed_at(client) < before + 1:
                await client.say("/keep 10")
                await asyncio.sleep(0.5)


async def listed_at(client: Client) -> float:
    status = await client.get("/api/status")
    return asyncio.get_running_loop().time() - float(status["clouds"][0]["checked_s_ago"])


async def until_none_is_left_behind(client: Client) -> None:
    async with asyncio.timeout(150):
        while any(machine["state"] == "TERMINATING" for machine in (await client.get("/api/status"))["instances"]):
            await client.say("/imagine a cat")
            await asyncio.sleep(0.5)


def copied(folder: Path, to: Path) -> None:
    """As an operator's backup would: the database whole, the other files as they are."""
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("glowplug.sqlite3*"))
    with sqlite3.connect(folder / "glowplug.sqlite3") as source, sqlite3.connect(to / "glowplug.sqlite3") as target:
        source.backup(target)


async def until_booked(client: Client, cloud: Running) -> None:
    async with asyncio.timeout(60):
        while await instance_state(client):
            await asyncio.sleep(0.1)
    ours = (await client.get("/api/status"))["today_usd"]
    assert ours == pytest.approx((await bill(cloud))["total_usd"], abs=0.01)


async def test_two_installations_on_one_account_do_not_touch_each_others_machines(tmp_path: Path) -> None:
    async with sandbox(tmp_path, *FAST) as cloud, aiohttp.ClientSession() as http:
        ada, bob = await bot(tmp_path / "ada", cloud), await bot(tmp_path / "bob", cloud)
        hers, his = await with_a_picture(http, ada), await with_a_picture(http, bob)
        await listings(hers, 1)

        assert len(living(await bill(cloud))) == 2
        assert (await instance_state(hers), await instance_state(his)) == ("READY", "READY")
        await ada.end()  # ends its machines, and no other
        assert len(living(await bill(cloud))) == 1
        assert await instance_state(his) == "READY"
        await bob.end()
        await until_no_machine_lives(cloud)


async def test_a_copy_beside_the_living_one_harms_nothing(tmp_path: Path) -> None:
    """It knows the living one's first machine from the books, and has never heard of the second."""
    async with sandbox(tmp_path, *FAST) as cloud, aiohttp.ClientSession() as http:
        original = await bot(tmp_path, cloud)
        hers = await with_a_picture(http, original)
        await asyncio.to_thread(copied, tmp_path / "data", tmp_path / "copy" / "data")
        theirs = Client(http, original.url, user="bob")
        asked = await theirs.say("/imagine a harbour")
        await theirs.card_in(asked["card"]["id"], "succeeded")
        machines = {machine["id"] for machine in living(await bill(cloud))}
        assert len(machines) == 2

        copy = await bot(tmp_path / "copy", cloud)
        its = await with_a_picture(http, copy)
        await listings(its, 2)
        await listings(hers, 1)

        assert len(living(await bill(cloud))) == 3
        again = await hers.say("/imagine a cat")
        await hers.card_in(again["card"]["id"], "succeeded")
        await copy.end()  # ends the one that it has ordered
        assert {machine["id"] for machine in living(await bill(cloud))} == machines
        assert len((await bill(cloud))["machines"]) == 3
        await original.end()
        await until_no_machine_lives(cloud)


async def test_a_restored_folder_whose_bot_is_gone_is_left_with_nothing_by_the_switches(tmp_path: Path) -> None:
    """Nobody feeds the machines of before, so they end themselves; the bot watches and closes their rows."""
    quick = {"GLOWPLUG_DEAD_MAN_S": "3", "GLOWPLUG_BOOT_DEADLINE_S": "20"}
    async with sandbox(tmp_path, *FAST) as cloud, aiohttp.ClientSession() as http:
        original = await bot(tmp_path, cloud, **quick)
        await with_a_picture(http, original)
        await asyncio.to_thread(copied, tmp_path / "data", tmp_path / "restored" / "data")
        theirs = Client(http, original.url, user="bob")
        asked = await theirs.say("/imagine a harbour")
        await theirs.card_in(asked["card"]["id"], "succeeded")
        await killed(original)

        restored = await bot(tmp_path / "restored", cloud, **quick)
        await until_no_machine_lives(cloud)

        client = Client(http, restored.url)
        await until_none_is_left_behind(client)
        await restored.end()
        await until_no_machine_lives(cloud)


async def test_books_restored_in_place_end_what_was_ordered_since_the_backup(tmp_path: Path) -> None:
    async with sandbox(tmp_path, *FAST) as cloud, aiohttp.ClientSession() as http:
        first = await bot(tmp_path, cloud)
        await first.end(signal.SIGTERM)
        books, backup = tmp_path / "data" / "glowplug.sqlite3", tmp_path / "backup.sqlite3"
        await asyncio.to_thread(shutil.copy, books, backup)
        second = await bot(tmp_path, cloud)
        await with_a_picture(http, second)
        await killed(second)
        for left in tmp_path.glob("data/glowplug.sqlite3-*"):
            left.unlink()
        await asyncio.to_thread(shutil.copy, backup, books)

        third = await bot(tmp_path, cloud)
        await until_no_machine_lives(cloud)

        await until_booked(Client(http, third.url), cloud)
        assert (await document(tmp_path, cloud, "status"))["unknown_machines"] == 0
        await third.end()
