"""The page shows each state of a card as CARD's rules say, on a desk and on a phone."""

import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import DESKTOP, PHONE, OpenPage
from tests.browser.fake_bot import STATIC, FakeBot
from tests.browser.gallery import conversation, states
from tests.browser.stories import BEGIN, PROMPT, TROUBLE, card, session, stages

pytestmark = [
    pytest.mark.needs_chromium,
    pytest.mark.xdist_group("chromium"),
    pytest.mark.asyncio(loop_scope="session"),
]

SAYS = {
    "queued": ["You are second in your own queue", PROMPT, "Cancel"],
    "cold_start": [
        "Warming up a GPU for you",
        "models 12.4 of 34.5 GB, 310 MB/s",
        "Starting",
        "9.4 s",
        "so far $0.006",
        "Cancel",
    ],
    "trouble": [
        "The machine vanished while loading; starting another (machine 2)",
        "nothing is lost: same prompt, same seed",
    ],
    "running": ["Painting 3 of 4", "step 14 of 20", "Cancel"],
    "succeeded": [
        "Done in 14 s",
        PROMPT,
        "seed 7 · 14 s · $0.0013 · your RTX 4090",
        "Again",
        "Vary",
        "Edit",
        "Details",
    ],
    "failed": ['The LoRA "b0throps2" does not exist. Did you mean b0throps?', "Edit"],
    "cancelled": ["Cancelled at 0:48 · cost $0.004", "Again"],
}


async def show(bot: FakeBot, open_page: OpenPage, name: str, size: tuple[int, int], theme: str = "dark") -> Page:
    bot.cards = {each["id"]: each for each in states()[name]}
    page = await open_page(size, theme=theme)
    await bot.set_session(session(await page.evaluate("() => Date.now() / 1000")))
    for picture in await page.locator(".picture img").all():
        await expect(picture).to_be_visible()
    return page


@pytest.mark.parametrize("name", SAYS)
async def test_each_state_says_what_happens(bot: FakeBot, open_page: OpenPage, screenshots: Path, name: str) -> None:
    page = await show(bot, open_page, name, DESKTOP)

    for width, height in (DESKTOP, PHONE):
        await page.set_viewport_size({"width": width, "height": height})
        for words in SAYS[name]:
            await expect(page.locator("article").last).to_contain_text(words)
        await page.screenshot(path=screenshots / f"{name}-{width}.png")


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_several_pictures_hang_as_a_grid(
    bot: FakeBot, open_page: OpenPage, screenshots: Path, theme: str
) -> None:
    page = await show(bot, open_page, "conversation", DESKTOP, theme)

    await expect(page.locator("li[data-card='c'] .picture")).to_have_count(4)
    await page.screenshot(path=screenshots / f"conversation-{theme}.png")


async def test_an_empty_page_offers_examples_and_costs_nothing(open_page: OpenPage, screenshots: Path) -> None:
    page = await open_page(PHONE)

    await page.screenshot(path=screenshots / "empty-390.png")
    await expect(page.locator("#machine-facts")).to_have_text("You pay nothing right now")
    await page.get_by_role("button", name="paper boats").click()
    await expect(page.locator("#text")).to_have_value(re.compile("^paper boats"))


async def test_a_picture_is_above_the_words_on_a_phone(bot: FakeBot, open_page: OpenPage) -> None:
    page = await show(bot, open_page, "succeeded", PHONE)

    picture = await page.locator(".picture").bounding_box()
    words = await page.locator("article .prompt").bounding_box()
    assert picture is not None
    assert words is not None
    assert picture["y"] + picture["height"] <= words["y"]


async def test_a_prompt_is_text_whatever_it_contains(bot: FakeBot, open_page: OpenPage) -> None:
    """Nothing that a person typed becomes a part of the page."""
    evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
    view = {
        "prompt": evil,
        "caption": f"{evil} · seed 1",
        "line": evil,
        "detail": [evil],
        "bar": {"share": 0.5, "text": evil},
    }
    bot.cards["job-1"] = card("cold_start", view=view)
    bot.answers["/help"] = {"reply": {"text": evil, "lines": [evil]}}
    page = await open_page()

    await page.fill("#text", "/help")
    await page.keyboard.press("Enter")

    await expect(page.locator(".bubble")).to_contain_text(evil)
    await expect(page.locator("article .prompt")).to_have_text(evil)
    assert await page.locator("article img, .bubble img, article script").count() == 0
    assert await page.title() == "glowplug"


async def test_no_script_builds_elements_from_markup() -> None:
    for script in STATIC.glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b", script.read_text()), (
            script.name
        )


async def test_a_guess_counts_down_by_itself(bot: FakeBot, open_page: OpenPage) -> None:
    bot.cards["job-1"] = card("cold_start", eta_s=[9, 20])
    page = await open_page()

    await expect(page.locator(".countdown")).to_have_text(re.compile(r"in \d.1\d s"))
    await expect(page.locator(".countdown")).to_have_text(re.compile(r"in [1-7].1[0-8] s"))


async def test_the_session_bar_says_what_runs_and_until_when(
    bot: FakeBot, open_page: OpenPage, screenshots: Path
) -> None:
    page = await open_page()
    now = await page.evaluate("() => Date.now() / 1000")

    await bot.set_session(session(now))

    await expect(page.locator("#machine-name")).to_have_text("RTX 4090, Sweden")
    await expect(page.locator("#machine-facts")).to_contain_text("$0.34/h")
    await expect(page.locator("#machine-facts")).to_contain_text("6 pictures for $0.12")
    await expect(page.locator("#warm-left")).to_have_text(re.compile(r"8:\d\d"))
    await expect(page.locator("#keep")).to_have_text("Keep 30 min · $0.17")
    await bot.set_session(None)
    await expect(page.locator("#machine-name")).to_have_text("No machine is running")
    await expect(page.locator("#release")).to_be_hidden()


async def test_release_says_what_it_saved(bot: FakeBot, open_page: OpenPage) -> None:
    bot.session = session(BEGIN.timestamp() + 10**9)
    bot.answers["/release"] = {"reply": {"text": "Given back. That saved $0.05.", "lines": []}}
    page = await open_page()

    await page.click("#release")

    await expect(page.locator("#bar-note")).to_have_text("Given back. That saved $0.05.")


async def test_only_the_newest_picture_offers_to_keep_the_machine(bot: FakeBot, open_page: OpenPage) -> None:
    page = await show(bot, open_page, "conversation", DESKTOP)

    await expect(page.locator("[data-action='keep']:visible")).to_have_count(1)
    await bot.set_session(None)
    await expect(page.locator("[data-action='keep']:visible")).to_have_count(0)


async def test_details_unfold_below_the_card(bot: FakeBot, open_page: OpenPage, screenshots: Path) -> None:
    """What is known here at once, and then what the bot says."""
    lines = ["workflow flux-schnell-lora", "steps 4", "cold start 54 s"]
    page = await show(bot, open_page, "succeeded", DESKTOP)

    bot.answers["/details job-1"] = {"reply": {"text": "", "lines": []}}
    await page.click("[data-action='details']")
    await expect(page.locator(".details")).to_contain_text("Models 31 s")
    await page.click("[data-action='details']")
    await expect(page.locator(".details")).to_be_hidden()
    bot.answers["/details job-1"] = {"reply": {"text": "", "lines": lines}}
    await page.click("[data-action='details']")
    await expect(page.locator(".details li")).to_have_text(lines)
    await expect(page.locator(".details-list")).to_be_hidden()

    await page.screenshot(path=screenshots / "details-1280.png")


async def test_a_picture_opens_large_and_turns_by_keys(bot: FakeBot, open_page: OpenPage, screenshots: Path) -> None:
    bot.cards = {each["id"]: each for each in conversation()}
    page = await open_page()

    await page.locator("li[data-card='c'] .picture").nth(1).focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#lightbox-count")).to_have_text("2 of 4")
    await expect(page.locator("#lightbox-picture")).to_have_attribute("alt", PROMPT)
    await page.screenshot(path=screenshots / "lightbox-1280.png")
    await page.keyboard.press("ArrowRight")
    await expect(page.locator("#lightbox-count")).to_have_text("3 of 4")
    await page.keyboard.press("Escape")

    await expect(page.locator("#lightbox")).to_be_hidden()
    await expect(page.locator("li[data-card='c'] .picture").nth(1)).to_be_focused()


async def test_older_cards_come_on_request_and_above(bot: FakeBot, open_page: OpenPage) -> None:
    bot.cards = {f"n{n}": card("cancelled", id=f"n{n}", at=n) for n in range(230)}
    page = await open_page()

    await expect(page.locator("article")).to_have_count(24)
    await page.click("#earlier")
    await expect(page.locator("article")).to_have_count(48)
    for shown in range(72, 230, 24):
        await page.click("#earlier")
        await expect(page.locator("article")).to_have_count(shown)
    await page.click("#earlier")

    await expect(page.locator("article")).to_have_count(230)
    await expect(page.locator("#earlier")).to_be_hidden()
    assert await page.locator(".entry").first.get_attribute("data-card") == "n0"


async def test_a_second_machine_begins_its_steps_anew(bot: FakeBot, open_page: OpenPage) -> None:
    bot.cards["job-1"] = card("cold_start")
    page = await open_page()

    await bot.tell(card("cold_start", stages=stages("boot"), view=TROUBLE))

    await expect(page.locator(".step[data-state='running']")).to_contain_text("Starting")
    await expect(page.locator(".step[data-state='done']")).to_have_count(1)
