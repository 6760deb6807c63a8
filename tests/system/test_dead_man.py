"""A bot that is gone for good leaves no machine behind: real bot, real sandbox, and nobody who comes back."""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from tests.processes import Client, Running, bill, bot, living, sandbox
from tests.system.test_bad_luck import break_next
from tests.system.test_kill import until_instance_is, until_no_machine_lives

pytestmark = pytest.mark.timeout(180)

SILENCE_S = 4
LONGER_THAN_A_START_S = 16
"""What a machine must wait for, if it is to be found alive by the next start on a busy computer."""
SETTINGS = {"GLOWPLUG_DEAD_MAN_S": str(SILENCE_S), "GLOWPLUG_BOOT_DEADLINE_S": "6"}


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Running]:
    async with sandbox(tmp_path, "--speed", "8", "--paint-ms", "50") as running:
        yield running


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def killed_for_good(running: Running) -> None:
    running.kill(signal.SIGKILL)
    await running.process.wait()


def guards(cloud: Running) -> list[Path]:
    """Where each machine's dead-man's switch says which process it is."""
    return list(cloud.log.parent.glob("**/glowplug/guard.pid"))


async def test_a_warm_machine_ends_itself(tmp_path: Path, cloud: Running, http: aiohttp.ClientSession) -> None:
    running = await bot(tmp_path, cloud, **SETTINGS)
    client = Client(http, running.url)
    asked = await client.say("/imagine a cat")
    await client.card_in(asked["card"]["id"], "succeeded")

    await killed_for_good(running)

    await until_no_machine_lives(cloud)


async def test_a_machine_that_never_let_us_in_ends_itself(
    tmp_path: Path, cloud: Running, http: aiohttp.ClientSession
) -> None:
    await break_next(cloud, "ssh-never-opens")
    running = await bot(tmp_path, cloud, **SETTINGS, GLOWPLUG_SSH_DEADLINE_S="60")
    client = Client(http, running.url)
    await client.say("/imagine a cat")
    await until_instance_is(client, "BOOTING", "PREPARING")

    await killed_for_good(running)
    assert len(living(await bill(cloud))) == 1

    await until_no_machine_lives(cloud)


async def test_a_machine_lives_on_as_long_as_it_is_fed_also_by_the_next_start(
    tmp_path: Path, cloud: Running, http: aiohttp.ClientSession
) -> None:
    patient = {**SETTINGS, "GLOWPLUG_DEAD_MAN_S": str(LONGER_THAN_A_START_S)}
    first = await bot(tmp_path, cloud, **patient)
    client = Client(http, first.url)
    asked = await client.say("/imagine a cat")
    await client.card_in(asked["card"]["id"], "succeeded")

    await killed_for_good(first)
    second = await bot(tmp_path, cloud, **patient)
    await asyncio.sleep(1.5 * LONGER_THAN_A_START_S)

    assert len(living(await bill(cloud))) == 1
    await second.end()


async def test_a_switch_that_was_killed_is_armed_again(
    tmp_path: Path, cloud: Running, http: aiohttp.ClientSession
) -> None:
    running = await bot(tmp_path, cloud, **SETTINGS)
    client = Client(http, running.url)
    asked = await client.say("/imagine a cat")
    await client.card_in(asked["card"]["id"], "succeeded")
    (guard,) = guards(cloud)
    before = guard.read_text()

    await _kill(int(before))
    async with asyncio.timeout(30):
        while guard.read_text() == before:
            await asyncio.sleep(0.1)
    await killed_for_good(running)

    await until_no_machine_lives(cloud)


async def _kill(pid: int) -> None:
    """End a process of the sandbox's machine, as its host might."""
    process = await asyncio.create_subprocess_exec("kill", "-KILL", str(pid))
    assert await process.wait() == 0
