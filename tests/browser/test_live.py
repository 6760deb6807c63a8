"""Following the bot: changes arrive by themselves, nothing moves backwards, nothing is missed while away."""

from typing import Any

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.fake_bot import FakeBot
from tests.browser.stories import buttons, card, session, stages

pytestmark = [
    pytest.mark.needs_chromium,
    pytest.mark.xdist_group("chromium"),
    pytest.mark.asyncio(loop_scope="session"),
]


async def test_a_card_lives_in_place(bot: FakeBot, open_page: OpenPage) -> None:
    page = await open_page()

    for state in ("queued", "cold_start", "running", "succeeded"):
        await bot.tell(card(state))
        await expect(page.locator("article")).to_have_attribute("data-state", state)

    await expect(page.locator("article")).to_have_count(1)
    await expect(page.locator(".picture img")).to_be_visible()


async def test_an_older_version_changes_nothing(bot: FakeBot, open_page: OpenPage) -> None:
    page = await open_page()
    older = card("cold_start", stages=stages("boot"))
    await bot.tell(card("cold_start", stages=stages("models")))
    await expect(page.locator(".step[data-state='running']")).to_contain_text("Models")

    await bot.tell(older)
    await bot.tell(card("queued", id="job-2", at=60))

    await expect(page.locator("article")).to_have_count(2)
    await expect(page.locator(".step[data-state='running']")).to_contain_text("Models")


async def test_cards_of_other_people_stay_away(bot: FakeBot, open_page: OpenPage) -> None:
    page = await open_page()

    await bot.tell(card("queued", id="theirs", user="Mara"))
    await bot.tell(card("queued", id="mine", at=1))

    await expect(page.locator("li[data-card='mine']")).to_be_visible()
    await expect(page.locator("li[data-card='theirs']")).to_have_count(0)


async def test_a_notice_is_said_to_those_it_concerns(bot: FakeBot, open_page: OpenPage) -> None:
    page = await open_page()

    await bot.notify("somebody else's", user="Mara")
    await bot.notify("80 % of the budget is used.")

    await expect(page.locator(".bubble")).to_have_text("80 % of the budget is used.")


async def test_what_was_missed_while_away_is_made_up_for(bot: FakeBot, open_page: OpenPage) -> None:
    await bot.tell(card("running"))
    page = await open_page(allowed="Failed to load")

    bot.leave()
    await expect(page.locator("#offline")).to_contain_text("out of reach")
    await bot.tell(card("succeeded"))
    await bot.tell(card("queued", id="job-2", at=60))
    bot.session = session(await page.evaluate("() => Date.now() / 1000"))
    bot.come_back()

    await expect(page.locator("li[data-card='job-1'] .picture img")).to_be_visible()
    await expect(page.locator("li[data-card='job-2']")).to_be_visible()
    await expect(page.locator("#machine-name")).to_have_text("RTX 4090, Sweden")
    await expect(page.locator("#offline")).to_have_text("")


ANNOUNCED = """() => {
  window.announced = [];
  const announcer = document.getElementById("announcer");
  const everything = { childList: true, characterData: true, subtree: true };
  new MutationObserver(() => window.announced.push(announcer.textContent)).observe(announcer, everything);
}"""


async def test_listeners_hear_changes_of_state_and_no_percentages(bot: FakeBot, open_page: OpenPage) -> None:
    page = await open_page()
    await page.evaluate(ANNOUNCED)

    await bot.tell(card("cold_start"))
    for percent in range(40, 90, 10):
        bar: dict[str, Any] = {"bar": {"share": percent / 100, "text": f"models {percent} %"}}
        await bot.tell(card("cold_start", view=bar))
    await expect(page.locator(".coil-words")).to_have_text("models 80 %")
    await bot.tell(card("succeeded"))
    await expect(page.locator("article")).to_have_attribute("data-state", "succeeded")

    announced = await page.evaluate("() => window.announced")
    assert [sentence.split(" · ")[0].split(". ")[0] for sentence in announced] == [
        "Warming up a GPU for you",
        "Done in 14 s",
    ]


async def test_the_focus_stays_on_a_button_that_stays(bot: FakeBot, open_page: OpenPage) -> None:
    await bot.tell(card("cold_start"))
    page = await open_page()
    await page.locator("[data-action='cancel']").focus()

    await bot.tell(card("running"))
    await expect(page.locator("article")).to_have_attribute("data-state", "running")

    await expect(page.locator("[data-action='cancel']")).to_be_focused()


async def test_the_focus_goes_to_the_card_when_its_button_goes(bot: FakeBot, open_page: OpenPage) -> None:
    await bot.tell(card("running"))
    page = await open_page()
    await page.locator("[data-action='cancel']").focus()

    await bot.tell(card("cancelled", view={"buttons": buttons("again")}))

    await expect(page.locator("article")).to_be_focused()
