"""A page of our own, a bot that says what it is told to, and Debian's Chromium to look with."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser.fake_bot import FakeBot

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SCREENSHOTS = Path(__file__).parents[2] / "var" / "screenshots"
DESKTOP = (1280, 860)
PHONE = (390, 844)

LIMIT_MS = 20_000
"""For whatever a test waits for on a page: on a loaded computer it takes seconds to paint and show one picture."""

OpenPage = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    expect.set_options(timeout=LIMIT_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(ARGUMENTS))
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def bot() -> FakeBot:
    return FakeBot()


@pytest_asyncio.fixture(loop_scope="session")
async def address(bot: FakeBot) -> AsyncIterator[str]:
    async with bot.serving() as address:
        yield address


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(chromium: Browser, address: str) -> AsyncIterator[OpenPage]:
    """Opens the page in a browser of its own memory; a message on its console that is an error fails the test."""
    contexts = []
    wrong: list[str] = []

    async def open_at(
        size: tuple[int, int] = DESKTOP, *, theme: str = "dark", allowed: str = "", path: str = "/"
    ) -> Page:
        context = await chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if theme == "dark" else "light",
            has_touch=size[0] < 700,
            is_mobile=size[0] < 700,
            reduced_motion="reduce",
            device_scale_factor=1,
        )
        contexts.append(context)
        page = await context.new_page()
        page.set_default_timeout(LIMIT_MS)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "console",
            lambda m: wrong.append(m.text) if m.type == "error" and not (allowed and allowed in m.text) else None,
        )
        await page.goto(address + path)
        await page.wait_for_selector("body[data-ready]", state="attached")
        return page

    yield open_at
    for context in contexts:
        await context.close()
    if wrong:
        pytest.fail("the browser's console says: " + "; ".join(wrong))


@pytest.fixture
def screenshots() -> Path:
    """Where a person looks at what the page looks like; not kept in the repository."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS
