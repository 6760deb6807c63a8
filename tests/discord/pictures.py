"""
Pictures of the Discord card in each of its states, for the guides: ``make card-pictures``.

simcord shows the bot's own messages as Discord's client would; Chromium takes the pictures.
"""

import asyncio
import io
import shutil
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path

from PIL import Image
from playwright.async_api import Page, async_playwright

from orchestrator.api import (
    EndReason,
    Eta,
    Failed,
    Failure,
    JobId,
    Queued,
    Running,
    Status,
    Step,
    Trouble,
    UserId,
)
from orchestrator.sandbox.painter.brief import Brief
from orchestrator.sandbox.painter.paint import paint
from tests.component.bot.conftest import until
from tests.component.bot.fake_orchestrator import BEGIN, FakeOrchestrator
from tests.discord.world import Discord, a_town, words_of
from tests.unit.bot.samples import cold, eta, stages

FOLDER = Path("docs/images")
WIDTH, HEIGHT, SCALE = 640, 1200, 1.5
PROMPT = "a lighthouse at dusk"
FIRST = JobId("job1")
"""The job of every picture: each has a town of its own."""

LOADING = stages(Step.MODELS, done=12_400_000_000, total=34_500_000_000)

Bring = Callable[[Discord, FakeOrchestrator], Awaitable[None]]


def picture(seed: int, side: int) -> bytes:
    """What the sandbox paints for the prompt."""
    brief = Brief(prompt=PROMPT, negative="", seed=seed, width=side, height=side, styles=())
    out = io.BytesIO()
    Image.fromarray(paint(brief)).save(out, "PNG")
    return out.getvalue()


async def main() -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, bring in STATES.items():
            page = await browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=SCALE)
            await _take(page, FOLDER / f"card-{name}.png", bring)
            await page.close()
        await browser.close()


async def _take(page: Page, to: Path, bring: Bring) -> None:
    orchestrator = FakeOrchestrator()
    async with a_town() as town, town.bot(orchestrator, lambda: orchestrator.now) as discord:
        orchestrator.warm(UserId(f"discord:{town.ada.id}"))
        await discord.imagine(f"{PROMPT} --seed 7")
        await bring(discord, orchestrator)
        async with town.env.preview(
            town.channel, viewers=[town.ada], layout="channel", presentation_time=orchestrator.now
        ) as preview:
            await page.goto(preview.url)
            card = page.locator("article.channel-message").first
            await card.wait_for()
            await page.wait_for_function("[...document.images].every((image) => image.complete)")
            await page.evaluate(
                "document.querySelectorAll('.message-author').forEach((e) => e.textContent = 'glowplug')"
            )
            await page.wait_for_timeout(500)  # fonts and the last picture
            await card.screenshot(path=to)


def _shows(status: Callable[[], Status], words: str) -> Bring:
    async def bring(discord: Discord, orchestrator: FakeOrchestrator) -> None:
        orchestrator.move(FIRST, status(), cost=6_000)
        await until(lambda: words in words_of(discord.cards()[0]))

    return bring


async def _succeeded(discord: Discord, orchestrator: FakeOrchestrator) -> None:
    orchestrator.now += timedelta(seconds=18)
    orchestrator.succeed(FIRST, picture(7, 768))
    await until(lambda: discord.cards()[0].attachments)


async def _cancelled(discord: Discord, orchestrator: FakeOrchestrator) -> None:
    orchestrator.now += timedelta(seconds=48)
    await discord.press("Cancel")
    await until(lambda: "Cancelled" in words_of(discord.cards()[0]))


STATES: Mapping[str, Bring] = {
    "queued": _shows(lambda: Queued(position=2, eta=eta(30, 50)), "second in your own queue"),
    "cold-start": _shows(lambda: cold(stages=LOADING, eta=eta(100, 230)), "Warming up"),
    "trouble": _shows(
        lambda: cold(
            stages=stages(Step.SSH),
            eta=eta(160, 290),
            attempt=2,
            trouble=Trouble(reason=EndReason.VANISHED, step=Step.MODELS),
        ),
        "vanished",
    ),
    "running": _shows(
        lambda: Running(
            done=3, of=4, eta=Eta(low=eta(4, 8).low, high=eta(4, 8).high, at=BEGIN), served_by="your RTX 4090"
        ),
        "Painting",
    ),
    "succeeded": _succeeded,
    "failed": _shows(lambda: Failed(failure=Failure(key="no_offer", values={})), "No cloud"),
    "cancelled": _cancelled,
}

if __name__ == "__main__":
    asyncio.run(main())
