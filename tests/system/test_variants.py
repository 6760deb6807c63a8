"""A card of 16 GB paints with the lighter files, and says so: real bot, real sandbox, real files."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.processes import Client, bot, sandbox

pytestmark = pytest.mark.timeout(180)

CHEAPEST = "0.16"
"""Dollars an hour, for which the sandbox has no larger card."""


async def machine_on(client: Client, card_id: str) -> str:
    """What the card says of its machine, as soon as it says so."""
    async with asyncio.timeout(60):
        while True:
            details = (await client.get(f"/api/cards/{card_id}"))["view"]["detail"]
            for said in details:
                if said.startswith("rented"):
                    return str(said)
            await asyncio.sleep(0.05)


async def test_where_no_larger_card_may_be_rented_one_of_16_gb_paints_with_fp8(tmp_path: Path) -> None:
    async with sandbox(tmp_path, "--speed", "8", "--paint-ms", "50") as cloud, aiohttp.ClientSession() as http:
        running = await bot(tmp_path, cloud, GLOWPLUG_MAX_USD_HOUR=CHEAPEST)
        client = Client(http, running.url)

        asked = await client.say("/imagine a lighthouse at dusk --lora ink")
        rented = await machine_on(client, asked["card"]["id"])
        card = await client.card_in(asked["card"]["id"], "succeeded", "failed")

        assert rented.startswith("rented RTX 4060 Ti, $0.1")
        assert rented.endswith(", fp8")
        assert (card["state"], card["served_by"]) == ("succeeded", "your RTX 4060 Ti (fp8)")
        fetched = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("machines/**/*.safetensors")}
        assert {name.rpartition("models/")[2].partition("/")[0] for name in fetched} == {"checkpoints", "loras"}
        await running.end()
