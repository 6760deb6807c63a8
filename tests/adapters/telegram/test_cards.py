"""One message a request: text while it waits, a photo in the end, whatever happens to the bot in between."""

import asyncio
import io
import time
from dataclasses import replace

import pytest
from PIL import Image

from bot.adapters.telegram.surface import GROUP as GROUP_RATE
from bot.chat.pace import Rate
from bot.chat.voice import utc
from orchestrator.api import JobId, Running
from tests.component.bot.conftest import until
from tests.component.bot.fake_orchestrator import FakeOrchestrator
from tests.telegram.server import Message, TelegramServer, telegram_server
from tests.telegram.world import ADA, GROUP, Telegram, picture, telegram_bot
from tests.unit.bot.samples import cold

FIRST = JobId("job1")


def running(done: int) -> Running:
    return Running(done=done, of=4, eta=None, served_by="your RTX 4090")


async def asked(telegram: Telegram, text: str = "/imagine a lighthouse at dusk", chat: int = ADA) -> Message:
    """Ada asks; the card is there."""
    so_far = len(telegram.cards(chat))
    telegram.server.write(ADA, text, chat=chat)
    await until(lambda: len(telegram.cards(chat)) > so_far)
    return telegram.cards(chat)[-1]


async def test_a_card_answers_the_request_and_becomes_the_picture(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    card = await asked(telegram)
    assert card.reply_to == 100
    assert "a lighthouse at dusk" in card.text
    assert list(card.buttons) == ["Cancel"]

    orchestrator.move(FIRST, cold())
    await until(lambda: "Warming up a GPU for you" in telegram.cards()[0].text)
    orchestrator.succeed(FIRST, picture())
    await until(lambda: FIRST in orchestrator.acknowledged)

    (done,) = telegram.cards()
    assert done.id == card.id
    assert done.photo is not None
    assert "1 picture" in done.text
    assert list(done.buttons) == ["Again", "Vary", "Edit", "Details", "Original"]


async def test_several_pictures_are_one_sheet_with_the_originals_a_button_away(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    await asked(telegram)
    orchestrator.succeed(FIRST, *(picture(colour) for colour in ("red", "blue", "green")))
    await until(lambda: FIRST in orchestrator.acknowledged)

    (card,) = telegram.cards()
    assert card.photo is not None
    assert Image.open(io.BytesIO(card.photo)).size == (2 * 64 + 8, 2 * 64 + 8)
    assert [label for label in card.buttons if label.startswith("Vary")] == ["Vary 1", "Vary 2", "Vary 3"]

    telegram.server.press(ADA, card, "Originals")
    await until(lambda: len([each for each in telegram.server.seen(ADA) if each.files]) == 3)


async def test_where_the_card_is_lasts(telegram: Telegram, orchestrator: FakeOrchestrator) -> None:
    card = await asked(telegram)

    await until(lambda: f'"{card.id}"' in orchestrator.views[FIRST].origin)


async def test_in_a_topic_of_a_group_the_card_stays_in_it(telegram: Telegram, orchestrator: FakeOrchestrator) -> None:
    telegram.server.write(ADA, "/imagine a cat", chat=GROUP, topic=7)
    await until(lambda: telegram.cards(GROUP))

    assert telegram.cards(GROUP)[0].topic == 7


async def test_progress_that_nobody_would_see_is_not_written(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    await asked(telegram)
    orchestrator.move(FIRST, running(1))
    await until(lambda: "Painting" in telegram.cards()[0].text)
    so_far = len(telegram.server.calls)

    orchestrator.move(FIRST, running(1))
    orchestrator.move(FIRST, running(1))
    orchestrator.succeed(FIRST, picture())
    await until(lambda: FIRST in orchestrator.acknowledged)

    assert [method for method, _ in telegram.server.calls[so_far:]] == ["editMessageMedia"]


async def test_a_card_that_was_deleted_is_replaced_by_one_new_message(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    card = await asked(telegram)
    telegram.server.delete(card)

    orchestrator.move(FIRST, cold())
    await until(telegram.cards)
    orchestrator.succeed(FIRST, picture())
    await until(lambda: FIRST in orchestrator.acknowledged)

    (replaced,) = telegram.cards()
    assert replaced.id != card.id
    assert replaced.photo is not None


async def test_a_time_of_day_is_said_with_its_zone(telegram: Telegram, orchestrator: FakeOrchestrator) -> None:
    assert telegram.surface.voice.clock(orchestrator.now) == utc(orchestrator.now)


# What Telegram answers.


async def test_not_modified_is_no_error(telegram: Telegram, orchestrator: FakeOrchestrator) -> None:
    await asked(telegram)
    telegram.server.misbehave("editMessageMedia", 400, "Bad Request: message is not modified: the same")

    orchestrator.succeed(FIRST, picture())
    await until(lambda: FIRST in orchestrator.acknowledged)


async def test_a_pause_that_is_asked_for_is_kept(telegram: Telegram, orchestrator: FakeOrchestrator) -> None:
    """Takes a second: the pause."""
    await asked(telegram)
    telegram.server.misbehave("editMessageMedia", 429, "Too Many Requests: retry after 1", retry_after=1)
    began = time.monotonic()

    orchestrator.succeed(FIRST, picture())
    await until(lambda: FIRST in orchestrator.acknowledged)

    assert time.monotonic() - began >= 1
    assert [method for method, _ in telegram.server.calls].count("editMessageMedia") == 1


async def test_a_picture_whose_answer_was_lost_is_edited_again_and_never_posted_anew(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    await asked(telegram)
    telegram.server.misbehave("editMessageMedia", 502, "Bad Gateway", is_done=True)

    orchestrator.succeed(FIRST, picture())
    await until(lambda: FIRST in orchestrator.acknowledged)

    assert len([message for message in telegram.server.seen(ADA) if message.photo]) == 1


async def test_markup_that_telegram_does_not_take_is_sent_without_it(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    telegram.server.misbehave("sendMessage", 400, "Bad Request: can't parse entities: Unsupported start tag")

    card = await asked(telegram, "/imagine a <cat> & a dog")

    assert "a <cat> & a dog" in card.text


async def test_a_picture_that_telegram_does_not_take_leaves_words_and_the_original(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    await asked(telegram)
    telegram.server.misbehave("editMessageMedia", 400, "Bad Request: IMAGE_PROCESS_FAILED")

    orchestrator.succeed(FIRST, picture())
    await until(lambda: FIRST in orchestrator.acknowledged)

    (card,) = telegram.cards()
    assert card.photo is None
    assert "Original" in card.buttons


async def test_a_person_who_blocked_the_bot_ends_the_telling(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    await asked(telegram)
    telegram.server.misbehave("*", 403, "Forbidden: bot was blocked by the user", times=None)

    orchestrator.succeed(FIRST, picture())
    await until(lambda: FIRST in orchestrator.acknowledged)


async def test_a_group_that_became_a_supergroup_is_followed(telegram: Telegram, orchestrator: FakeOrchestrator) -> None:
    """The first message goes to the new id, and the card lives there."""
    telegram.server.migrate(GROUP, GROUP - 1)

    telegram.server.write(ADA, "/imagine a cat", chat=GROUP)
    await until(lambda: telegram.cards(GROUP - 1))


async def test_a_card_whose_group_became_a_supergroup_meanwhile_gets_one_new_message_there(
    telegram: Telegram, orchestrator: FakeOrchestrator
) -> None:
    """What was written before stays behind in the old group, where nothing can be edited."""
    card = await asked(telegram, chat=GROUP)
    await until(lambda: f'"{card.id}"' in orchestrator.views[FIRST].origin)
    telegram.server.migrate(GROUP, GROUP - 1)

    orchestrator.succeed(FIRST, picture())
    await until(lambda: FIRST in orchestrator.acknowledged)

    (moved,) = telegram.cards(GROUP - 1)
    assert moved.photo is not None


# Restarts.


async def test_restarts_in_the_middle_of_a_cold_start_go_on_in_the_same_message(
    server: TelegramServer, orchestrator: FakeOrchestrator
) -> None:
    async with telegram_bot(server, orchestrator, lambda: orchestrator.now) as telegram:
        card = await asked(telegram)
        await until(lambda: f'"{card.id}"' in orchestrator.views[FIRST].origin)

    for number in range(5):
        orchestrator.restart()
        async with telegram_bot(server, orchestrator, lambda: orchestrator.now) as telegram:
            orchestrator.move(FIRST, cold(attempt=number + 1))
            await until(lambda: "Warming up" in telegram.cards()[0].text)

    orchestrator.restart()
    async with telegram_bot(server, orchestrator, lambda: orchestrator.now) as telegram:
        orchestrator.succeed(FIRST, picture())
        await until(lambda: FIRST in orchestrator.acknowledged)
        assert [each.id for each in telegram.server.seen(ADA)] == [card.id]
        assert telegram.cards()[0].photo is not None


async def test_a_request_that_was_written_while_the_bot_was_away_is_done(
    server: TelegramServer, orchestrator: FakeOrchestrator
) -> None:
    server.write(ADA, "/imagine a cat")

    async with telegram_bot(server, orchestrator, lambda: orchestrator.now) as telegram:
        await until(telegram.cards)


async def test_an_update_that_is_told_again_starts_nothing_twice(
    server: TelegramServer, orchestrator: FakeOrchestrator
) -> None:
    """A bot that died before it confirmed gets it once more."""
    async with telegram_bot(server, orchestrator, lambda: orchestrator.now) as telegram:
        await asked(telegram)
        await until(lambda: server.confirmed)

    server.tell_again(server.confirmed[0])
    async with telegram_bot(server, orchestrator, lambda: orchestrator.now) as telegram:
        await until(lambda: len(server.confirmed) == 2)
        assert len(telegram.cards()) == 1
    assert len(orchestrator.requests) == 1


async def test_buttons_work_after_a_restart(server: TelegramServer, orchestrator: FakeOrchestrator) -> None:
    async with telegram_bot(server, orchestrator, lambda: orchestrator.now) as telegram:
        card = await asked(telegram)
        await until(lambda: f'"{card.id}"' in orchestrator.views[FIRST].origin)

    orchestrator.restart()
    async with telegram_bot(server, orchestrator, lambda: orchestrator.now) as telegram:
        server.press(ADA, card, "Cancel")
        await until(lambda: "Cancelled" in telegram.cards()[0].text)


# Many at once.


@pytest.mark.timeout(120)
async def test_twenty_at_once_in_a_group_stay_within_its_limit_and_all_arrive(orchestrator: FakeOrchestrator) -> None:
    """Time runs fifteen times as fast: twenty writes in four seconds stand for twenty a minute."""
    minute = 4.0
    limits = {"group": (20, minute * 0.98), "private": (1, 0.05)}

    def rate(chat: str) -> Rate:
        del chat
        return replace(GROUP_RATE, per=GROUP_RATE.per * minute / 60)

    async with (
        telegram_server(limits) as server,
        telegram_bot(server, orchestrator, lambda: orchestrator.now, rate=rate),
    ):
        began = time.monotonic()
        for number in range(20):
            server.write(ADA, f"/imagine cat {number}", chat=GROUP)
        await until(lambda: len(orchestrator.requests) == 20, limit_s=20)
        for name in list(orchestrator.views):
            orchestrator.move(name, cold())
        await asyncio.sleep(0.2)
        for name in list(orchestrator.views):
            orchestrator.succeed(name, picture())
        await until(lambda: len(orchestrator.acknowledged) == 20, limit_s=60)

        pictures = [message for message in server.seen(GROUP) if message.photo]
        assert len(pictures) == 20
        assert server.floods == 0
        writes = [method for method, said in server.calls if said.get("chat_id") == GROUP]
        assert time.monotonic() - began <= (len(writes) / 20 + 1) * minute + 5
