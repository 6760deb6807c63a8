"""SIGKILL at the worst moments: after the restart nothing is lost, doubled or left."""

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest

from tests.processes import Client, Running, bill, bot, living, sandbox

pytestmark = pytest.mark.timeout(180)


async def instance_state(client: Client) -> str:
    instances = (await client.get("/api/status"))["instances"]
    return str(instances[0]["state"]) if instances else ""


async def until_instance_is(client: Client, *states: str) -> None:
    async with asyncio.timeout(60):
        while await instance_state(client) not in states:
            await asyncio.sleep(0.02)


async def until_no_machine_lives(cloud: Running) -> None:
    async with asyncio.timeout(60):
        while living(await bill(cloud)):
            await asyncio.sleep(0.2)


async def restarted(tmp_path: Path, cloud: Running, killed: Running, **settings: str) -> Running:
    killed.kill(signal.SIGKILL)
    await killed.process.wait()
    return await bot(tmp_path, cloud, **settings)


async def test_killed_while_preparing_it_adopts_the_machine_and_finishes_the_job(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "--paint-ms", "50") as cloud, aiohttp.ClientSession() as http:
        first = await bot(tmp_path, cloud)
        client = Client(http, first.url)
        asked = await client.say("/imagine a lighthouse at dusk --seed 7")
        await until_instance_is(client, "PREPARING")

        second = await restarted(tmp_path, cloud, first)
        client = Client(http, second.url)
        card = await client.card_in(asked["card"]["id"], "succeeded", "failed")

        assert (card["state"], card["seed"], len(card["images"])) == ("succeeded", 7, 1)
        assert len((await bill(cloud))["machines"]) == 1
        await second.end()
        await until_no_machine_lives(cloud)


async def test_killed_while_a_job_runs_it_paints_that_job_once(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "--speed", "8", "--paint-ms", "3000") as cloud, aiohttp.ClientSession() as http:
        first = await bot(tmp_path, cloud)
        client = Client(http, first.url)
        warm_up = await client.say("/imagine a cat")
        await client.card_in(warm_up["card"]["id"], "succeeded")
        asked = await client.say("/imagine a lighthouse at dusk --seed 7")
        await client.card_in(asked["card"]["id"], "running")

        second = await restarted(tmp_path, cloud, first)
        client = Client(http, second.url)
        card = await client.card_in(asked["card"]["id"], "succeeded", "failed")

        assert (card["state"], card["seed"], len(card["images"])) == ("succeeded", 7, 1)
        cards = await client.get("/api/cards")
        assert [c["id"] for c in cards] == [asked["card"]["id"], warm_up["card"]["id"]]
        assert len((await bill(cloud))["machines"]) == 1
        await second.end()
        await until_no_machine_lives(cloud)


async def test_killed_while_ending_a_machine_it_ends_it_after_the_restart(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "--speed", "8", "--paint-ms", "50") as cloud, aiohttp.ClientSession() as http:
        first = await bot(tmp_path, cloud)
        client = Client(http, first.url)
        asked = await client.say("/imagine a lighthouse at dusk")
        await client.card_in(asked["card"]["id"], "succeeded")
        await client.say("/release")
        await until_instance_is(client, "DRAINING", "TERMINATING", "")

        second = await restarted(tmp_path, cloud, first)
        await until_no_machine_lives(cloud)

        client = Client(http, second.url)
        async with asyncio.timeout(30):
            while await instance_state(client):
                await asyncio.sleep(0.1)
        report = await client.get("/api/status")
        assert (report["instances"], report["unknown_machines"]) == ([], 0)
        await second.end()


async def test_ctrl_c_ends_the_machines_and_says_so(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "--speed", "8", "--paint-ms", "50") as cloud, aiohttp.ClientSession() as http:
        running = await bot(tmp_path, cloud)
        client = Client(http, running.url)
        asked = await client.say("/imagine a lighthouse at dusk")
        await client.card_in(asked["card"]["id"], "succeeded")

        status = await running.end(signal.SIGINT)

        assert status == 0
        assert "every machine is gone" in running.log.read_text()
        assert living(await bill(cloud)) == []


async def test_sigterm_keeps_the_machine_and_the_next_start_uses_it(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "--speed", "8", "--paint-ms", "50") as cloud, aiohttp.ClientSession() as http:
        first = await bot(tmp_path, cloud)
        client = Client(http, first.url)
        asked = await client.say("/imagine a lighthouse at dusk")
        await client.card_in(asked["card"]["id"], "succeeded")
        await first.end(signal.SIGTERM)
        assert len(living(await bill(cloud))) == 1

        second = await bot(tmp_path, cloud)
        client = Client(http, second.url)
        again = await client.say("/imagine a cat")
        card = await client.card_in(again["card"]["id"], "succeeded")

        assert card["state"] == "succeeded"
        assert len((await bill(cloud))["machines"]) == 1
        await second.end()


async def test_the_bill_of_the_cloud_and_our_ledger_agree_to_the_cent(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "--speed", "8", "--paint-ms", "50") as cloud, aiohttp.ClientSession() as http:
        running = await bot(tmp_path, cloud, GLOWPLUG_IDLE_TIMEOUT_S="1")
        client = Client(http, running.url)
        asked = await client.say("/imagine a lighthouse at dusk")
        await client.card_in(asked["card"]["id"], "succeeded")
        await until_no_machine_lives(cloud)
        async with asyncio.timeout(30):
            while await instance_state(client):
                await asyncio.sleep(0.1)

        ours = (await client.get("/api/status"))["today_usd"]

        assert ours == pytest.approx((await bill(cloud))["total_usd"], abs=0.01)
        assert ours > 0
        await running.end()
