"""Telegram refuses, moves things, or leaves us in doubt: no second card, no lost end, no lost answer."""

from dataclasses import replace

import pytest

from bot.chat.handle import ReplyHandle
from tests.adapters.telegram.test_cards import FIRST, asked
from tests.component.bot.conftest import until
from tests.component.bot.fake_orchestrator import FakeOrchestrator
from tests.telegram.server import TelegramServer
from tests.telegram.world import ADA, GROUP, Telegram, picture, telegram_bot
from tests.unit.bot.samples import cold

TOO_FAST = "Too Many Requests: retry after 1"


async def shown_again(telegram: Telegram) -> None:
    card = await telegram.desk.cards.card(FIRST)
    assert card is not None
    await telegram.surface.show(card)


async def test_a_first_message_whose_answer_was_lost_is_not_sent_again(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    telegram.server.misbehave("sendMessage", 502, "Bad Gateway", is_done=True)
    await asked(telegram)
    await shown_again(telegram)
    assert len(telegram.cards()) == 1

    orchestrator.succeed(FIRST, picture())
    await until(lambda: FIRST in orchestrator.acknowledged)

    without, ended = telegram.cards()
    assert without.photo is None
    assert ended.photo is not None


async def test_a_bot_that_died_before_it_knew_its_message_sends_no_second_one(
    server: TelegramServer, orchestrator: FakeOrchestrator
) -> None:
    async with telegram_bot(server, orchestrator, lambda: orchestrator.now) as telegram:
        await asked(telegram)
        await until(lambda: not orchestrator.views[FIRST].origin.count("after:"))

    orchestrator.restart()
    unknown = ReplyHandle(surface="telegram", chat=str(ADA), message="after:100").encode()
    orchestrator.views[FIRST] = replace(orchestrator.views[FIRST], origin=unknown)
    async with telegram_bot(server, orchestrator, lambda: orchestrator.now) as telegram:
        await shown_again(telegram)
        assert len(telegram.cards()) == 1

        orchestrator.succeed(FIRST, picture())
        await until(lambda: FIRST in orchestrator.acknowledged)
        assert len([card for card in telegram.cards() if card.photo]) == 1


async def test_cancel_below_a_card_that_we_lost_track_of_ends_in_that_card(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    """Takes a second: the pause before the card is offered again."""
    telegram.server.misbehave("sendMessage", 502, "Bad Gateway", is_done=True)
    card = await asked(telegram)

    telegram.server.press(ADA, card, "Cancel")
    await until(lambda: FIRST in orchestrator.acknowledged)

    assert [(each.id, "Cancelled" in each.text) for each in telegram.cards()] == [(card.id, True)]


@pytest.mark.parametrize("status", [500, 429])
async def test_a_first_message_that_was_refused_is_sent_when_telegram_takes_it(telegram: Telegram, status: int) -> None:
    """Takes a second: the pause before it is offered again. Nothing new happens to the job meanwhile."""
    telegram.server.misbehave("sendMessage", status, TOO_FAST, retry_after=1)

    await asked(telegram)

    assert len(telegram.cards()) == 1


async def test_a_group_that_got_another_id_gets_the_end_there(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    await asked(telegram, "/imagine a cat", chat=GROUP)
    telegram.server.migrate(GROUP, GROUP - 1)

    orchestrator.move(FIRST, cold())
    await until(lambda: telegram.cards(GROUP - 1))
    orchestrator.succeed(FIRST, picture())
    await until(lambda: FIRST in orchestrator.acknowledged)

    (card,) = telegram.cards(GROUP - 1)
    assert card.photo is not None
    assert ReplyHandle.decode(orchestrator.views[FIRST].origin).chat == str(GROUP - 1)


async def test_a_topic_that_is_gone_leaves_the_card_in_the_group(telegram: Telegram) -> None:
    telegram.server.misbehave("sendMessage", 400, "Bad Request: message thread not found")

    telegram.server.write(ADA, "/imagine a cat", chat=GROUP, topic=7)
    await until(lambda: telegram.cards(GROUP))

    assert telegram.cards(GROUP)[0].topic is None


async def test_where_no_pictures_may_be_posted_the_words_say_how_it_ended(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    await asked(telegram, "/imagine a cat", chat=GROUP)
    telegram.server.misbehave("editMessageMedia", 400, "Bad Request: not enough rights to send photos to the chat")

    orchestrator.succeed(FIRST, picture())
    await until(lambda: FIRST in orchestrator.acknowledged)

    (card,) = telegram.cards(GROUP)
    assert "1 picture" in card.text
    assert "Original" in card.buttons


async def test_an_answer_waits_as_long_as_telegram_asks(telegram: Telegram) -> None:
    """Takes a second: what Telegram asks for."""
    telegram.server.misbehave("sendMessage", 429, TOO_FAST, retry_after=1)

    telegram.server.write(ADA, "/me")

    await until(lambda: telegram.heard(ADA))


async def test_a_bot_that_leaves_answers_and_says_what_it_has_heard(
    server: TelegramServer, orchestrator: FakeOrchestrator
) -> None:
    """Takes a second: what Telegram asks for before it takes the answer."""
    server.misbehave("sendMessage", 429, TOO_FAST, retry_after=1)
    async with telegram_bot(server, orchestrator, lambda: orchestrator.now) as telegram:
        server.write(ADA, "/me")
        await until(lambda: not server.misbehaves)

        await telegram.surface.finish()

        assert len(telegram.heard(ADA)) == len(server.confirmed) == 1


async def test_a_press_is_done_though_its_circle_cannot_be_ended(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    await asked(telegram)
    orchestrator.succeed(FIRST, picture())
    await until(lambda: FIRST in orchestrator.acknowledged)
    telegram.server.misbehave("answerCallbackQuery", 429, TOO_FAST, retry_after=1)

    telegram.server.press(ADA, telegram.cards()[0], "Edit")

    await until(lambda: any("Tap it to copy" in text for text in telegram.heard(ADA)))
