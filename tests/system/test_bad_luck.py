"""What goes wrong at a cloud costs time, never a job: real bot, real sandbox, one fault at a time."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.processes import KEY, Client, Running, bill, bot, living, sandbox

DEADLINES = {"GLOWPLUG_BOOT_DEADLINE_S": "6", "GLOWPLUG_SSH_DEADLINE_S": "4"}

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Running]:
    async with sandbox(tmp_path, "--speed", "8", "--paint-ms", "50") as running:
        yield running


@pytest.fixture
async def client(tmp_path: Path, cloud: Running) -> AsyncIterator[Client]:
    running = await bot(tmp_path, cloud, **DEADLINES)
    async with aiohttp.ClientSession() as http:
        yield Client(http, running.url)
    await running.end()


async def break_next(cloud: Running, fault: str, count: int = 1) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    body = {"fault": fault, "count": count}
    async with (
        aiohttp.ClientSession() as http,
        http.post(f"{cloud.url}/sandbox/faults", json=body, headers=headers) as answer,
    ):
        assert answer.status == 200, await answer.text()


@pytest.mark.parametrize(
    "fault",
    [
        "ssh-never-opens",
        "stuck-loading",
        "boot-fails",
        "vanishes-while-models-load",
        "disk-full",
        "wrong-gpu",
        "comfyui-dies",
    ],
)
async def test_a_bad_machine_is_replaced_and_the_job_goes_on(cloud: Running, client: Client, fault: str) -> None:
    """The same card, told in plain words, on another machine; the bad one is ended."""
    await break_next(cloud, fault)

    asked = await client.say("/imagine a lighthouse at dusk --seed 7")
    card = await client.card_in(asked["card"]["id"], "succeeded", "failed", limit=120)

    assert card["state"] == "succeeded", card
    assert card["seed"] == 7
    machines = (await bill(cloud))["machines"]
    assert len(machines) == 2
    assert len(living(await bill(cloud))) == 1


@pytest.mark.parametrize(
    "fault", ["api-429", "api-500", "api-garbage", "api-create-no-such-ask", "api-drops-create-answer", "listing-empty"]
)
async def test_a_cloud_that_stumbles_costs_time_and_no_second_machine(
    cloud: Running, client: Client, fault: str
) -> None:
    await break_next(cloud, fault)

    asked = await client.say("/imagine a lighthouse at dusk")
    card = await client.card_in(asked["card"]["id"], "succeeded", "failed", limit=120)

    assert card["state"] == "succeeded", card
    assert len((await bill(cloud))["machines"]) == 1


async def test_a_machine_that_vanishes_while_it_paints_takes_no_job_with_it(cloud: Running, client: Client) -> None:
    first = await client.say("/imagine a lighthouse at dusk")
    await client.card_in(first["card"]["id"], "succeeded")
    await break_next(cloud, "vanishes-while-painting")

    second = await client.say("/imagine a cat --seed 11")
    card = await client.card_in(second["card"]["id"], "succeeded", "failed", limit=120)

    assert (card["state"], card["seed"]) == ("succeeded", 11)


async def test_no_money_is_one_sentence_and_no_storm(cloud: Running, client: Client) -> None:
    await break_next(cloud, "no-money", count=50)

    asked = await client.say("/imagine a lighthouse at dusk")
    card = await client.card_in(asked["card"]["id"], "succeeded", "failed", limit=60)

    assert card["state"] == "failed"
    assert "sandbox refuses our key or our balance" in card["error"]
    assert (await bill(cloud))["machines"] == []


async def test_a_cancelled_cold_start_ends_its_machine(cloud: Running, client: Client) -> None:
    asked = await client.say("/imagine a lighthouse at dusk")
    await client.card_in(asked["card"]["id"], "cold_start")

    await client.say(f"/cancel {asked['card']['id']}")
    await client.say("/release")

    assert (await client.card_in(asked["card"]["id"], "cancelled"))["images"] == []
    for _ in range(200):
        if not living(await bill(cloud)):
            break
        await asyncio.sleep(0.1)
    assert living(await bill(cloud)) == []
