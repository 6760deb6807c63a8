"""A machine that hangs is overtaken by a second one: real bot, real sandbox."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.processes import Client, bill, bot, living, sandbox
from tests.system.test_bad_luck import break_next

pytestmark = pytest.mark.timeout(180)


async def test_a_machine_that_hangs_while_it_boots_is_overtaken(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "--speed", "8", "--paint-ms", "50") as cloud, aiohttp.ClientSession() as http:
        await break_next(cloud, "stuck-loading")
        running = await bot(tmp_path, cloud, GLOWPLUG_HEDGES_PER_HOUR="4", GLOWPLUG_BOOT_DEADLINE_S="120")
        client = Client(http, running.url)

        asked = await client.say("/imagine a cat")
        card = await client.card_in(asked["card"]["id"], "succeeded", "failed")

        assert card["state"] == "succeeded"
        assert len((await bill(cloud))["machines"]) == 2
        async with asyncio.timeout(60):
            while len((await client.get("/api/status"))["instances"]) != 1:
                await asyncio.sleep(0.1)
        assert len(living(await bill(cloud))) == 1
        await running.end()
        assert living(await bill(cloud)) == []
