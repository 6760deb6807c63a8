"""A bot starts with whichever chats have a token; one that cannot run leaves the others running."""

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.processes import Client, Running, bot, sandbox
from tests.telegram.server import telegram_server

pytestmark = pytest.mark.timeout(120)


async def said(running: Running, words: str) -> None:
    """Wait until the bot has said that."""
    async with asyncio.timeout(60):
        while words not in running.log.read_text():
            await asyncio.sleep(0.05)


async def test_a_wrong_token_is_one_sentence_and_the_page_runs_on(tmp_path: Path) -> None:
    async with (
        sandbox(tmp_path, "--speed", "8", "--paint-ms", "50") as cloud,
        telegram_server() as server,
        aiohttp.ClientSession() as http,
    ):
        wrong = "1234:this-token-is-wrong"
        running = await bot(tmp_path, cloud, TELEGRAM_TOKEN=wrong, TELEGRAM_API=server.url)
        await said(running, "telegram is left out: Telegram refuses TELEGRAM_TOKEN")

        client = Client(http, running.url)
        asked = await client.say("/imagine a cat")
        assert (await client.card_in(asked["card"]["id"], "succeeded", "failed"))["state"] == "succeeded"
        assert wrong not in running.log.read_text()
        await running.end()
