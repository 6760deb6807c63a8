"""`python -m tests.browser [PORT]`: the page with a bot that plays one story over and over, to work on its looks."""

import asyncio
import itertools
import sys
import time
from typing import Any

from tests.browser.fake_bot import FakeBot
from tests.browser.stories import STEPS, TROUBLE, buttons, card, session, stages


async def play(bot: FakeBot) -> None:
    """A cold start with trouble, then a picture; a minute later the next."""
    for number in itertools.count(1):
        await _cold_start(bot, f"job-{number}", number)
        await asyncio.sleep(20)


async def _cold_start(bot: FakeBot, job: str, number: int) -> None:
    asked: dict[str, Any] = {"id": job, "at": 60 * number}
    await bot.tell(card("queued", **asked))
    await bot.set_session(session(time.time(), state="warming", warm_until=None, since=None, images=0))  # noqa: TID251 - shown beside the browser's own time
    await asyncio.sleep(2)
    await bot.tell(card("cold_start", **asked, stages=stages("ssh", failed=True), view=TROUBLE))
    await asyncio.sleep(3)
    for place, step in enumerate(STEPS):
        bar = {"share": place / len(STEPS), "text": step}
        await bot.tell(card("cold_start", **asked, stages=stages(step, 0.4), view={"bar": bar}))
        await asyncio.sleep(1.2)
    await bot.tell(card("running", **asked))
    await asyncio.sleep(3)
    await bot.tell(card("succeeded", **asked, images=[f"square-{number}"], view={"buttons": buttons("again", job=job)}))


async def main(port: int) -> None:
    bot = FakeBot()
    async with bot.serving(port) as address:
        sys.stdout.write(f"{address}\n")
        await play(bot)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8700))
