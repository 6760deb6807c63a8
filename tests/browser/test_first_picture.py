"""
The main job, as a person does it: a typed /imagine becomes a picture from a rented machine, and the machine goes.

Everything is real: the bot is a process of its own, its sandbox rents out machines, the page is in Chromium.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.running_bot import RunningBot, running_bot

pytestmark = [
    pytest.mark.needs_chromium,
    pytest.mark.xdist_group("chromium"),
    pytest.mark.asyncio(loop_scope="session"),
]

IDLE_TIMEOUT_S = 30
"""Counts from the request on, so it must be longer than a cold start for the warm machine to be seen."""
FIRST_PICTURE_MS = 40_000
GIVEN_BACK_MS = (IDLE_TIMEOUT_S + 30) * 1000


@pytest_asyncio.fixture(loop_scope="session")
async def real_bot(tmp_path: Path) -> AsyncIterator[RunningBot]:
    async with running_bot(tmp_path, idle_timeout_s=IDLE_TIMEOUT_S) as bot:
        yield bot


@pytest_asyncio.fixture(loop_scope="session")
async def page(chromium: Browser, real_bot: RunningBot) -> AsyncIterator[Page]:
    context = await chromium.new_context(
        viewport={"width": DESKTOP[0], "height": DESKTOP[1]}, color_scheme="dark", reduced_motion="reduce"
    )
    page = await context.new_page()
    await page.goto(real_bot.address)
    await page.wait_for_selector("body[data-ready]", state="attached")
    yield page
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def newcomers_page(chromium: Browser, tmp_path: Path) -> AsyncIterator[Page]:
    """The page as it is after ``make run``, with nothing set."""
    async with running_bot(tmp_path, idle_timeout_s=60, bridge="") as bot:
        context = await chromium.new_context(color_scheme="dark", reduced_motion="reduce")
        page = await context.new_page()
        await page.goto(bot.address)
        await page.wait_for_selector("body[data-ready]", state="attached")
        yield page
        await context.close()


async def look(page: Page, screenshots: Path, name: str) -> None:
    """Keep what a person sees, at a desk and on a phone."""
    for width, height in (PHONE, DESKTOP):
        await page.set_viewport_size({"width": width, "height": height})
        await page.screenshot(path=screenshots / f"{name}-{width}.png")


async def test_a_typed_imagine_becomes_a_picture_and_the_machine_is_given_back(
    real_bot: RunningBot, page: Page, screenshots: Path
) -> None:
    await page.locator("#text").press_sequentially("/imagine a lighthouse at dusk")
    await page.keyboard.press("Enter")
    card = page.locator("article")

    await expect(card).to_have_attribute("data-state", "cold_start", timeout=10_000)
    await expect(page.locator(".step[data-state='done']").first).to_be_visible(timeout=20_000)
    await look(page, screenshots, "first-picture-cold-start")
    await expect(page.locator(".picture img")).to_be_visible(timeout=FIRST_PICTURE_MS)
    await expect(card).to_have_attribute("data-state", "succeeded")
    await expect(card).to_contain_text("a lighthouse at dusk")
    await expect(page.locator("#bar")).to_have_attribute("data-state", "warm")
    await look(page, screenshots, "first-picture")

    await expect(page.locator("#machine-name")).to_have_text("No machine is running", timeout=GIVEN_BACK_MS)
    assert (await real_bot.get("/api/session?user=you"))["session"] is None
    [made] = await real_bot.get("/api/cards?user=you")
    assert made["state"] == "succeeded"
    assert await real_bot.interrupt() == 0


async def test_a_newcomer_sees_the_picture_of_an_api_then_the_machine_and_then_its_return(
    newcomers_page: Page, screenshots: Path
) -> None:
    page = newcomers_page
    await page.locator("#text").press_sequentially("/imagine a lighthouse at dusk")
    await page.keyboard.press("Enter")
    card = page.locator("article")

    await expect(page.locator(".picture img")).to_be_visible(timeout=FIRST_PICTURE_MS)
    await expect(card).to_have_attribute("data-state", "succeeded")
    await expect(card).to_contain_text("by Replicate")
    await expect(page.locator(".step[data-state='done']").first).to_be_visible(timeout=20_000)
    await look(page, screenshots, "bridged-warming")

    await expect(page.locator("#bar")).to_have_attribute("data-state", "warm", timeout=FIRST_PICTURE_MS)
    await expect(card).to_contain_text("is warm until")
    await expect(page.locator(".step").first).to_be_hidden()
    await look(page, screenshots, "bridged-warm")

    await page.get_by_role("button", name="Release").first.click()
    await expect(page.locator("#machine-name")).to_have_text("No machine is running", timeout=GIVEN_BACK_MS)
