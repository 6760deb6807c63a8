"""A machine that is slow is refused before it downloads: real bot, real sandbox, in real time."""

from pathlib import Path

import aiohttp
import pytest

from tests.processes import Client, bill, bot, sandbox
from tests.system.test_bad_luck import break_next

pytestmark = pytest.mark.timeout(180)

TWO_SAMPLES = 4
"""Requests to each of two mirrors: a link is measured twice, over four connections."""


async def test_a_machine_with_a_slow_link_is_refused_before_it_downloads_and_the_next_one_is_tried(
    tmp_path: Path,
) -> None:
    async with sandbox(tmp_path, "--paint-ms", "50") as cloud, aiohttp.ClientSession() as http:
        await break_next(cloud, "slow-link", count=TWO_SAMPLES)
        running = await bot(tmp_path, cloud)
        client = Client(http, running.url)

        asked = await client.say("/imagine a lighthouse at dusk")
        card = await client.card_in(asked["card"]["id"], "succeeded", "failed", limit=120)

        assert card["state"] == "succeeded", card
        assert len((await bill(cloud))["machines"]) == 2
        await running.end()
