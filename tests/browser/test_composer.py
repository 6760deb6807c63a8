"""Typing: what is sent, what is suggested, and that nothing typed is ever lost."""

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from bot.chat.typed import COMMANDS
from tests.browser.conftest import PHONE, OpenPage
from tests.browser.fake_bot import FakeBot
from tests.browser.stories import buttons, card

pytestmark = [
    pytest.mark.needs_chromium,
    pytest.mark.xdist_group("chromium"),
    pytest.mark.asyncio(loop_scope="session"),
]

REFUSAL = 'The LoRA "b0throps2" does not exist. Did you mean b0throps?'


async def test_plain_text_is_an_imagine(bot: FakeBot, open_page: OpenPage) -> None:
    bot.answers["/imagine a lighthouse at dusk"] = {"card": card("queued")}
    page = await open_page()

    await page.fill("#text", "a lighthouse at dusk")
    await page.keyboard.press("Enter")

    await expect(page.locator("article .line")).to_contain_text("second in your own queue")
    await expect(page.locator("#text")).to_have_value("")
    assert [(h["text"], h["user"]) for h in bot.heard] == [("/imagine a lighthouse at dusk", "you")]


async def test_a_refused_text_stays_with_one_sentence(bot: FakeBot, open_page: OpenPage, screenshots: Path) -> None:
    bot.answers["/imagine a cat --lora b0throps2"] = REFUSAL
    page = await open_page(PHONE, allowed="400")

    await page.fill("#text", "/imagine a cat --lora b0throps2")
    await page.click("#send")

    await expect(page.locator("#composer-error")).to_have_text(REFUSAL)
    await expect(page.locator("#text")).to_have_value("/imagine a cat --lora b0throps2")
    await page.screenshot(path=screenshots / "refused-390.png")
    await page.locator("#text").press("End")
    await page.keyboard.press("Backspace")
    await expect(page.locator("#composer-error")).to_have_text("")


async def test_an_answer_that_was_lost_is_asked_for_with_the_same_key(bot: FakeBot, open_page: OpenPage) -> None:
    """The bot may have done it already; the key keeps a second try from buying a second picture."""
    page = await open_page(allowed="Failed to load")
    await page.route("**/api/commands", lambda route: route.abort())
    keys: list[str] = []
    page.on("request", lambda r: keys.append((r.post_data_json or {})["key"]) if "commands" in r.url else None)

    await page.fill("#text", "/help")
    await page.keyboard.press("Enter")
    await expect(page.locator("#composer-error")).to_contain_text("cannot be reached")
    async with page.expect_event("requestfailed"):  # looked out for before it can happen
        await page.keyboard.press("Enter")

    assert len(keys) == 2
    assert keys[0] == keys[1]


async def test_shift_enter_begins_a_new_line(bot: FakeBot, open_page: OpenPage) -> None:
    page = await open_page()

    await page.fill("#text", "a cat")
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("on a mat")

    await expect(page.locator("#text")).to_have_value("a cat\non a mat")
    assert bot.heard == []


async def test_a_slash_offers_commands_and_tab_takes_one(open_page: OpenPage, screenshots: Path) -> None:
    page = await open_page()

    await page.locator("#text").press_sequentially("/")
    await expect(page.locator(".suggestion")).to_have_count(len(COMMANDS))
    assert await page.locator(".suggestion-label").all_text_contents() == list(COMMANDS)
    await page.screenshot(path=screenshots / "commands-1280.png")
    await page.keyboard.type("im")
    await page.keyboard.press("Tab")

    await expect(page.locator("#text")).to_have_value("/imagine ")
    await expect(page.locator("#text")).to_be_focused()


OFFERED = {
    "a cat --": ["--seed", "--steps", "--n", "--ar", "--lora", "--workflow"],
    "a cat --n 2 --s": ["--seed", "--steps"],
    "a cat --seed 7 --s": ["--steps"],
    "a cat --lora ": ["none", "b0throps", "inkwash", "polaroid"],
    "/imagine a cat --lora in": ["inkwash"],
    "a cat --ar 1": ["1:1", "16:9"],
    "a cat --workflow fl": ["flux-schnell-lora", "flux-dev"],
    "/status --": [],
    "a cat": [],
}


async def test_options_and_their_values_are_offered(open_page: OpenPage) -> None:
    page = await open_page()

    offered = {}
    for typed in OFFERED:
        await page.fill("#text", typed)
        offered[typed] = await page.locator(".suggestion-label").all_text_contents()

    assert offered == OFFERED


async def test_arrows_choose_and_escape_closes(open_page: OpenPage) -> None:
    page = await open_page()

    await page.locator("#text").press_sequentially("a cat --lora ")
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("ArrowDown")
    await expect(page.locator("#text")).to_have_attribute("aria-activedescendant", "suggestion-1")
    await page.keyboard.press("Enter")
    await expect(page.locator("#text")).to_have_value("a cat --lora b0throps ")
    await page.keyboard.type("--")
    await page.keyboard.press("Escape")

    await expect(page.locator("#suggestions")).to_be_hidden()


async def test_arrow_up_brings_back_what_was_sent(bot: FakeBot, open_page: OpenPage) -> None:
    bot.answers["/imagine one"] = {"card": card("queued", id="a")}
    bot.answers["/imagine two"] = {"card": card("queued", id="b", at=9)}
    page = await open_page()
    for text in ("one", "two"):
        await page.fill("#text", text)
        await page.keyboard.press("Enter")
        await expect(page.locator("#text")).to_have_value("")

    for key, value in (
        ("ArrowUp", "two"),
        ("ArrowUp", "one"),
        ("ArrowUp", "one"),
        ("ArrowDown", "two"),
        ("ArrowDown", ""),
    ):
        await page.keyboard.press(key)
        await expect(page.locator("#text")).to_have_value(value)


async def test_a_draft_outlives_a_reload(open_page: OpenPage) -> None:
    page = await open_page()
    await page.fill("#text", "half a thought")

    await page.reload()

    await expect(page.locator("#text")).to_have_value("half a thought")


async def test_edit_puts_the_prompt_into_the_composer(bot: FakeBot, open_page: OpenPage) -> None:
    bot.cards["job-1"] = card("succeeded")
    page = await open_page()

    await page.click("[data-action='edit']")

    await expect(page.locator("#text")).to_have_value("/imagine a lighthouse at dusk --seed 7")
    await expect(page.locator("#text")).to_be_focused()


async def test_other_commands_are_answered_in_words(bot: FakeBot, open_page: OpenPage, screenshots: Path) -> None:
    lines = ["/imagine PROMPT  makes a picture", "/session  your machine", "--seed N  the same picture again"]
    bot.answers["/help"] = {"reply": {"text": "What can be done here:", "lines": lines}}
    page = await open_page()

    await page.fill("#text", "/help")
    await page.keyboard.press("Enter")

    await expect(page.locator(".bubble li")).to_have_count(3)
    await page.screenshot(path=screenshots / "help-1280.png")


async def test_permutations_start_after_a_question(bot: FakeBot, open_page: OpenPage, screenshots: Path) -> None:
    text = "/imagine a {red, blue} boat --n 3"
    confirm = {"text": "Make 6 pictures · about $0.008", "command": "/imagine-confirmed 1"}
    bot.answers[text] = {"reply": {"text": "That is 2 requests with 6 pictures.", "lines": [], "confirm": confirm}}
    cards = [card("queued", id="a"), card("queued", id="b", at=1)]
    bot.answers["/imagine-confirmed 1"] = {"card": cards[0], "cards": cards}
    page = await open_page()

    await page.fill("#text", text)
    await page.keyboard.press("Enter")
    await page.screenshot(path=screenshots / "question-1280.png")
    await page.get_by_role("button", name="Make 6 pictures").click()

    await expect(page.locator("article")).to_have_count(2)
    await expect(page.get_by_role("button", name="Make 6 pictures")).to_have_count(0)


async def test_what_could_not_be_started_is_said_beside_the_cards(bot: FakeBot, open_page: OpenPage) -> None:
    note = "1 of 2 were started. You have 20 requests under way, at most 20; wait for one or cancel it."
    bot.answers["/imagine a {red, blue} boat --yes"] = {"card": card("queued"), "note": note}
    page = await open_page()

    await page.fill("#text", "/imagine a {red, blue} boat --yes")
    await page.keyboard.press("Enter")

    await expect(page.locator("article")).to_have_count(1)
    await expect(page.locator(".bubble")).to_have_text(note)


async def test_declining_gives_the_text_back(bot: FakeBot, open_page: OpenPage) -> None:
    text = "/imagine a {red, blue} boat"
    confirm = {"text": "Make 2 pictures", "command": "/x"}
    bot.answers[text] = {"reply": {"text": "That is 2 requests.", "lines": [], "confirm": confirm}}
    page = await open_page()
    await page.fill("#text", text)
    await page.keyboard.press("Enter")

    await page.get_by_role("button", name="Not now").click()

    await expect(page.locator("#text")).to_have_value(text)
    assert [h["text"] for h in bot.heard] == [text]


async def test_a_button_that_is_refused_says_so_on_its_card(bot: FakeBot, open_page: OpenPage) -> None:
    bot.cards["job-1"] = card("running", view={"buttons": buttons("cancel")})
    bot.answers["/cancel job-1"] = "It is over already."
    page = await open_page(allowed="400")

    await page.click("[data-action='cancel']")

    await expect(page.locator("article .note")).to_have_text("It is over already.")


async def test_the_name_is_kept_and_shows_its_own_cards(bot: FakeBot, open_page: OpenPage, screenshots: Path) -> None:
    bot.cards = {"a": card("cancelled", id="a"), "b": card("cancelled", id="b", user="Mara")}
    page = await open_page()

    await page.click("#person")
    await page.screenshot(path=screenshots / "name-1280.png")
    await page.fill("#naming-name", "Mara")
    await page.keyboard.press("Enter")
    await expect(page.locator("li[data-card='b']")).to_be_visible()
    await expect(page.locator("li[data-card='a']")).to_have_count(0)
    await page.reload()

    await expect(page.locator("#person")).to_have_accessible_name(re.compile("Mara"))
    await expect(page.locator("li[data-card='b']")).to_be_visible()
