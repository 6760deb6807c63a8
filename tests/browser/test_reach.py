"""Anybody can use the page: with a phone, with the keyboard alone, with a screen reader, with weak eyes."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.conftest import DESKTOP, PHONE, OpenPage
from tests.browser.fake_bot import FakeBot
from tests.browser.gallery import LONG, states
from tests.browser.stories import PROMPT, card, session

pytestmark = [
    pytest.mark.needs_chromium,
    pytest.mark.xdist_group("chromium"),
    pytest.mark.asyncio(loop_scope="session"),
]

WIDER_THAN_THE_PAGE = """() => [...document.querySelectorAll("body *")]
  .filter((e) => !e.closest(".unseen, .definitions, svg") && e.getClientRects().length)
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 0.5)
  .map((e) => e.className || e.tagName)"""

SMALL_TARGETS = """() => [...document.querySelectorAll("button, a[href], textarea, input")]
  .filter((e) => e.checkVisibility() && !e.matches(".skip"))
  .map((e) => [e.textContent || e.getAttribute("aria-label") || e.id, e.getBoundingClientRect()])
  .filter(([, box]) => box.height < 43.5 || box.width < 43.5)
  .map(([name]) => name)"""

# WCAG's contrast of each visible text with what is painted behind it.
POOR_CONTRAST = """() => {
  const rgb = (css) => (css.match(/[\\d.]+/g) ?? []).map(Number);
  const linear = (v) => v <= 10 ? v / 3295 : ((v / 255 + 0.055) / 1.055) ** 2.4;
  const light = (c) => c.slice(0, 3).map(linear)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (getComputedStyle(e).backgroundImage.includes("gradient") && e !== document.body) return null;
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
  };
  const poor = [];
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !e.checkVisibility() || e.closest(".unseen, .skip, noscript")) continue;
    const behind = ground(e);
    if (!behind) continue;
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind)].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) poor.push(`${e.className || e.tagName} ${contrast.toFixed(2)}: ${e.textContent.slice(0, 30)}`);
  }
  return poor;
}"""


@pytest.mark.parametrize("name", ["cold_start", "conversation", "failed"])
async def test_a_phone_never_scrolls_sideways(bot: FakeBot, open_page: OpenPage, name: str) -> None:
    bot.cards = {each["id"]: each for each in states()[name]}
    bot.cards["long"] = card("queued", id="long", at=999, view={"prompt": "w" * 300, "line": LONG})
    page = await open_page(PHONE)
    now = await page.evaluate("() => Date.now() / 1000")
    await bot.set_session(session(now, machine="NVIDIA RTX 6000 Ada Generation, Czechia"))
    await expect(page.locator("#keep")).to_be_visible()

    for width in (320, 360, 390, 430):
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.evaluate(WIDER_THAN_THE_PAGE) == []
        assert await page.evaluate("() => document.documentElement.scrollWidth") == width
        assert await page.evaluate(SMALL_TARGETS) == []


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_every_text_can_be_read(bot: FakeBot, open_page: OpenPage, theme: str) -> None:
    every = [each for name in ("cold_start", "running", "failed", "conversation") for each in states()[name]]
    bot.cards = {str(number): each | {"id": str(number)} for number, each in enumerate(every)}
    page = await open_page(theme=theme)
    await bot.set_session(session(await page.evaluate("() => Date.now() / 1000")))
    await page.locator("#text").press_sequentially("/im")
    await expect(page.locator("#keep")).to_be_visible()

    assert await page.evaluate(POOR_CONTRAST) == []


async def test_the_keyboard_alone_is_enough(bot: FakeBot, open_page: OpenPage, screenshots: Path) -> None:
    """From the top of the page: skip to the composer, ask, reach the card, look, ask again."""
    bot.answers[f"/imagine {PROMPT}"] = {"card": card("succeeded")}
    bot.answers["/again job-1"] = {"card": card("queued", id="job-2", at=60)}
    page = await open_page()
    await page.evaluate("() => { document.body.tabIndex = -1; document.body.focus(); }")

    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#text")).to_be_focused()
    await page.keyboard.type(PROMPT)
    await page.keyboard.press("Enter")
    await expect(page.locator(".picture img")).to_be_visible()
    await page.keyboard.press("Shift+Tab")
    await expect(page.locator("[data-action='details']")).to_be_focused()
    await page.screenshot(path=screenshots / "focus-1280.png")
    for action in ("edit", "vary", "again"):
        await page.keyboard.press("Shift+Tab")
        await expect(page.locator(f"[data-action='{action}']")).to_be_focused()
    await page.keyboard.press("Shift+Tab")
    await expect(page.locator(".picture")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#lightbox-picture")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.locator(".picture")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")

    await expect(page.locator("li[data-card='job-2']")).to_be_visible()


async def test_pictures_cards_and_bars_have_names(bot: FakeBot, open_page: OpenPage) -> None:
    bot.cards = {"a": card("succeeded", id="a"), "b": card("cold_start", id="b", at=60)}
    page = await open_page(DESKTOP)

    await expect(page.get_by_role("article", name="Done in 14 s")).to_be_visible()
    await expect(page.get_by_role("img", name=PROMPT)).to_be_visible()
    bar = page.get_by_role("progressbar")
    await expect(bar).to_have_attribute("aria-valuenow", "36")
    await expect(bar).to_have_attribute("aria-valuetext", "models 12.4 of 34.5 GB, 310 MB/s")
    await expect(page.locator(".step").nth(1)).to_contain_text("Starting done 9.4 s")
