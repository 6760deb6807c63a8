"""Budgets that an admin changed hold after a restart, and the bot says so when it starts."""

from pathlib import Path

import aiohttp
import pytest

from tests.processes import Client, bot, sandbox

pytestmark = pytest.mark.timeout(120)


async def test_a_changed_budget_is_said_at_the_next_start(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "--speed", "8", "--paint-ms", "50") as cloud, aiohttp.ClientSession() as http:
        first = await bot(tmp_path, cloud, GLOWPLUG_CAP_DAY_USD="5")
        assert (await Client(http, first.url).say("/admin budget day 3"))["status"] == 200
        await first.end()
        assert "an admin changed" not in first.log.read_text()

        second = await bot(tmp_path, cloud, GLOWPLUG_CAP_DAY_USD="5")
        assert "an admin changed the cap day: $3.00" in second.log.read_text()
        await second.end()
