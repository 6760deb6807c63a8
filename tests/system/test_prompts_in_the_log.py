"""What people ask for is no business of whoever reads the log, however much is logged."""

from pathlib import Path

import aiohttp
import pytest

from tests.processes import Client, bot, sandbox
from tests.system.scenario.telegram import telegram_seat

pytestmark = pytest.mark.timeout(120)

PROMPT = "an unmistakable xylophone"
WANTED = pytest.mark.parametrize("wanted", [False, True])


def settings(*, wanted: bool) -> dict[str, str]:
    return {"GLOWPLUG_LOG_LEVEL": "DEBUG", "GLOWPLUG_LOG_PROMPTS": str(wanted)}


@WANTED
async def test_a_prompt_from_the_page_is_logged_only_if_the_operator_wants_it(tmp_path: Path, wanted: bool) -> None:
    async with sandbox(tmp_path, "--speed", "8", "--paint-ms", "50") as cloud, aiohttp.ClientSession() as http:
        running = await bot(tmp_path, cloud, **settings(wanted=wanted))
        client = Client(http, running.url)
        for mistake in (f"/imagine {PROMPT} --lora nonsense", f"/presets save {PROMPT}", f"/admin user {PROMPT}"):
            await client.say(mistake)
        asked = await client.say(f"/imagine {PROMPT}")
        await client.card_in(asked["card"]["id"], "succeeded")
        await running.end()

    assert (PROMPT in running.log.read_text()) is wanted


@WANTED
async def test_a_prompt_from_a_chat_is_logged_only_if_the_operator_wants_it(tmp_path: Path, wanted: bool) -> None:
    async with (
        sandbox(tmp_path, "--speed", "8", "--paint-ms", "50") as cloud,
        telegram_seat(tmp_path, cloud, **settings(wanted=wanted)) as seat,
    ):
        await seat.say(f"/imagine {PROMPT} --lora nonsense")
        await seat.ask(f"/imagine {PROMPT}")

    assert (PROMPT in (tmp_path / "bot.log").read_text()) is wanted
