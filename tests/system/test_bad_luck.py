"""What goes wrong at a cloud costs time, never a job: real bot, real sandbox, one fault at a time."""

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from tests.processes import KEY, Client, Running, bill, bot, living, sandbox
from tests.system.test_copies import listings

SETTINGS = {
    "GLOWPLUG_BOOT_DEADLINE_S": "6",
    "GLOWPLUG_SSH_DEADLINE_S": "4",
    "GLOWPLUG_STALL_S": "8",
    "GLOWPLUG_MAX_MACHINES": "30",
}

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad-luck")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_cloud(folder: Path) -> AsyncIterator[Running]:
    """One cloud for all: of enough hosts, since those that failed are avoided for a day."""
    async with sandbox(folder, "--speed", "8", "--paint-ms", "50", "--hosts", "60") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running_bot(folder: Path, running_cloud: Running) -> AsyncIterator[Running]:
    running = await bot(folder, running_cloud, **SETTINGS)
    yield running
    await running.end()


@pytest_asyncio.fixture(loop_scope="module")
async def cloud(running_cloud: Running) -> AsyncIterator[Running]:
    """It behaves at the beginning of each test."""
    yield running_cloud
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        aiohttp.ClientSession() as http,
        http.delete(f"{running_cloud.url}/sandbox/faults", headers=headers) as ok,
    ):
        assert ok.status == 200, await ok.text()


@pytest_asyncio.fixture(loop_scope="module")
async def client(request: pytest.FixtureRequest, running_bot: Running) -> AsyncIterator[Client]:
    """A person of their own, so a session and a machine of their own; the machine is given back."""
    async with aiohttp.ClientSession() as http:
        name = re.sub(r"[^a-z]+", "-", request.node.name.removeprefix("test_a_"))[-40:]
        person = Client(http, running_bot.url, user=name)
        yield person
        await person.say("/release")


async def machines_ordered(cloud: Running) -> int:
    return len((await bill(cloud))["machines"])


async def until_nothing_lives(cloud: Running, client: Client) -> None:
    """Until the bot has proved every machine gone; then the cloud has to agree."""
    async with asyncio.timeout(60):
        while (await client.get("/api/status"))["instances"]:
            await asyncio.sleep(0.1)
    assert living(await bill(cloud)) == []


async def break_next(cloud: Running, fault: str, count: int | None = 1, machine: int | None = None) -> None:
    """Of a *machine* that is there, its ComfyUI is broken for so many prompts; None is for good."""
    headers = {"Authorization": f"Bearer {KEY}"}
    body = {"fault": fault, "count": count} | ({} if machine is None else {"machine": machine})
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
    before = await machines_ordered(cloud)
    await break_next(cloud, fault)

    asked = await client.say("/imagine a lighthouse at dusk --seed 7")
    card = await client.card_in(asked["card"]["id"], "succeeded", "failed", limit=120)

    assert card["state"] == "succeeded", card
    assert card["seed"] == 7
    assert await machines_ordered(cloud) - before == 2


@pytest.mark.parametrize(
    "fault", ["api-429", "api-500", "api-garbage", "api-create-no-such-ask", "api-drops-create-answer", "listing-empty"]
)
async def test_a_cloud_that_stumbles_costs_time_and_no_second_machine(
    cloud: Running, client: Client, fault: str
) -> None:
    before = await machines_ordered(cloud)
    await break_next(cloud, fault)

    asked = await client.say("/imagine a lighthouse at dusk")
    card = await client.card_in(asked["card"]["id"], "succeeded", "failed", limit=120)

    assert card["state"] == "succeeded", card
    assert await machines_ordered(cloud) - before == 1


async def test_a_machine_that_vanishes_while_it_paints_takes_no_job_with_it(cloud: Running, client: Client) -> None:
    first = await client.say("/imagine a lighthouse at dusk")
    await client.card_in(first["card"]["id"], "succeeded")
    await break_next(cloud, "vanishes-while-painting")

    second = await client.say("/imagine a cat --seed 11")
    card = await client.card_in(second["card"]["id"], "succeeded", "failed", limit=120)

    assert (card["state"], card["seed"]) == ("succeeded", 11)


async def warm_machine(cloud: Running, client: Client) -> int:
    """Ask for a first picture; the number of the machine that made it."""
    asked = await client.say("/imagine a lighthouse at dusk")
    await client.card_in(asked["card"]["id"], "succeeded")
    return int(max(machine["id"] for machine in living(await bill(cloud))))


@pytest.mark.parametrize("fault", ["comfyui-oom", "comfyui-hangs", "comfyui-dies"])
async def test_a_comfyui_that_fails_once_costs_a_restart_and_no_machine(
    cloud: Running, client: Client, fault: str
) -> None:
    machine = await warm_machine(cloud, client)
    before = await machines_ordered(cloud)
    await break_next(cloud, fault, machine=machine)

    asked = await client.say("/imagine a cat --seed 11")
    card = await client.card_in(asked["card"]["id"], "succeeded", "failed", limit=90)

    assert (card["state"], card["seed"]) == ("succeeded", 11)
    assert await machines_ordered(cloud) == before


@pytest.mark.parametrize("fault", ["comfyui-oom", "comfyui-hangs", "comfyui-dies"])
async def test_a_comfyui_that_fails_again_costs_its_machine_and_no_job(
    cloud: Running, client: Client, fault: str
) -> None:
    machine = await warm_machine(cloud, client)
    before = await machines_ordered(cloud)
    await break_next(cloud, fault, count=None, machine=machine)

    asked = await client.say("/imagine a cat --seed 11")
    card = await client.card_in(asked["card"]["id"], "succeeded", "failed", limit=120)

    assert (card["state"], card["seed"]) == ("succeeded", 11)
    assert await machines_ordered(cloud) - before == 1
    assert machine not in [each["id"] for each in living(await bill(cloud))]


async def test_a_comfyui_that_died_while_nobody_painted_is_started_again(
    cloud: Running, client: Client, folder: Path
) -> None:
    machine = await warm_machine(cloud, client)
    before = await machines_ordered(cloud)
    record = next((folder / "sandbox" / "machines").glob(f"**/{machine}/root/glowplug/comfyui.json"))
    os.kill(json.loads(record.read_text())["pid"], signal.SIGKILL)

    asked = await client.say("/imagine a cat")

    assert (await client.card_in(asked["card"]["id"], "succeeded", "failed", limit=90))["state"] == "succeeded"
    assert await machines_ordered(cloud) == before


async def test_no_money_is_one_sentence_and_no_storm(cloud: Running, client: Client) -> None:
    before = await machines_ordered(cloud)
    await break_next(cloud, "no-money", count=50)

    asked = await client.say("/imagine a lighthouse at dusk")
    card = await client.card_in(asked["card"]["id"], "succeeded", "failed", limit=60)

    assert card["state"] == "failed"
    assert "sandbox refuses our key or our balance" in card["error"]
    assert await machines_ordered(cloud) == before


async def test_a_cancelled_cold_start_ends_its_machine(cloud: Running, client: Client) -> None:
    asked = await client.say("/imagine a lighthouse at dusk")
    await client.card_in(asked["card"]["id"], "cold_start")

    await client.say(f"/cancel {asked['card']['id']}")
    await client.say("/release")

    assert (await client.card_in(asked["card"]["id"], "cancelled"))["images"] == []
    await until_nothing_lives(cloud, client)


async def test_a_listing_that_is_empty_for_long_ends_no_machine_that_works(client: Client, cloud: Running) -> None:
    asked = await client.say("/imagine a lighthouse at dusk")
    await client.card_in(asked["card"]["id"], "succeeded", limit=90)
    before = await machines_ordered(cloud)
    await break_next(cloud, "listing-empty", 100)

    await listings(client, 4)

    again = await client.say("/imagine a harbour")
    assert (await client.card_in(again["card"]["id"], "succeeded", limit=60))["state"] == "succeeded"
    assert await machines_ordered(cloud) == before
