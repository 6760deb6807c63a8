"""One message a request: from the slash command to the pictures, whatever happens to the bot in between."""

import asyncio
import io
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from PIL import Image

from bot.chat.buttons import Action
from orchestrator.api import JobId, JobRequest, JobTicket, Running
from tests.component.bot.conftest import until
from tests.component.bot.fake_orchestrator import FakeOrchestrator
from tests.discord.world import Discord, Town, buttons_of, heard, labels_of, words_of
from tests.unit.bot.samples import cold
from tests.unit.bot.test_encoding import noise

FIRST = JobId("job1")


def picture(colour: str = "orange") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(out, "PNG")
    return out.getvalue()


def running(done: int) -> Running:
    return Running(done=done, of=4, eta=None, served_by="your RTX 4090")


async def test_a_card_is_the_answer_and_lives_in_one_message(discord: Discord, orchestrator: FakeOrchestrator) -> None:
    result = await discord.imagine("a lighthouse at dusk")
    (card,) = discord.cards()
    assert result.response is not None
    assert card.id == result.response.id
    assert "a lighthouse at dusk" in words_of(card)
    assert labels_of(card) == ["Cancel"]

    orchestrator.move(FIRST, cold())
    await until(lambda: "Warming up a GPU for you" in words_of(discord.cards()[0]))
    orchestrator.succeed(FIRST, picture(), picture("red"))
    await until(lambda: FIRST in orchestrator.acknowledged)

    (done,) = discord.cards()
    assert done.id == card.id
    assert [attached.filename for attached in done.attachments] == ["glowplug-1.png", "glowplug-2.png"]
    assert "2 pictures" in words_of(done)
    assert labels_of(done)[:2] == ["Again", "Edit"]
    assert labels_of(done)[-2:] == ["Vary 1", "Vary 2"]


async def test_where_the_card_is_lasts(discord: Discord, orchestrator: FakeOrchestrator) -> None:
    await discord.imagine()

    await until(lambda: str(discord.cards()[0].id) in orchestrator.views[FIRST].origin)


async def test_an_eta_counts_down_by_itself(discord: Discord, orchestrator: FakeOrchestrator) -> None:
    await discord.imagine()
    orchestrator.move(FIRST, cold())

    await until(lambda: ":R> at worst" in words_of(discord.cards()[0]))


async def test_edits_go_by_channel_and_message_and_never_by_the_interaction(
    discord: Discord, orchestrator: FakeOrchestrator
) -> None:
    await discord.imagine()
    orchestrator.move(FIRST, cold())
    await until(lambda: "Warming up" in words_of(discord.cards()[0]))
    orchestrator.succeed(FIRST, picture())
    await until(lambda: FIRST in orchestrator.acknowledged)

    edits = [each.path for each in discord.town.env.http_requests if each.method == "PATCH"]
    assert len(edits) >= 2
    assert {path.split("/")[1] for path in edits} == {"channels"}


async def test_progress_that_nobody_would_see_is_not_written(discord: Discord, orchestrator: FakeOrchestrator) -> None:
    await discord.imagine()
    orchestrator.move(FIRST, running(1))
    await until(lambda: "Painting" in words_of(discord.cards()[0]))
    so_far = len(discord.town.env.http_requests)

    orchestrator.move(FIRST, running(1))
    orchestrator.move(FIRST, running(1))
    orchestrator.succeed(FIRST, picture())
    await until(lambda: FIRST in orchestrator.acknowledged)

    assert len(discord.town.env.http_requests) == so_far + 1


async def test_several_requests_have_a_message_each(discord: Discord, orchestrator: FakeOrchestrator) -> None:
    await discord.imagine("a {red, blue, green} hat --yes")

    await until(lambda: len(discord.cards()) == 3)
    for name in list(orchestrator.views):
        orchestrator.succeed(name, picture())
    await until(lambda: len(orchestrator.acknowledged) == 3)

    assert len(discord.cards()) == 3
    assert all(card.attachments for card in discord.cards())


async def test_a_card_that_was_deleted_is_replaced_by_one_new_message(
    discord: Discord, orchestrator: FakeOrchestrator
) -> None:
    await discord.imagine()
    (card,) = discord.cards()
    await card.delete()

    orchestrator.move(FIRST, cold())
    orchestrator.succeed(FIRST, picture())
    await until(lambda: FIRST in orchestrator.acknowledged)

    (replaced,) = discord.cards()
    assert replaced.id != card.id
    assert replaced.attachments


async def test_pictures_that_are_too_large_are_encoded_anew_with_the_original_a_button_away(
    discord: Discord, orchestrator: FakeOrchestrator
) -> None:
    large = noise(2048, 2048)
    assert len(large) > 10 * 2**20
    await discord.imagine()

    orchestrator.succeed(FIRST, large)
    await until(lambda: FIRST in orchestrator.acknowledged, limit_s=60)

    (card,) = discord.cards()
    (attached,) = card.attachments
    assert attached.filename == "glowplug-1.webp"
    assert attached.size < 10 * 2**20
    assert "Original" in labels_of(card)
    assert "1 original" in heard(await discord.press("Original"))


async def test_a_picture_carries_no_prompt(discord: Discord, orchestrator: FakeOrchestrator) -> None:
    from PIL.PngImagePlugin import PngInfo  # noqa: PLC0415

    told = PngInfo()
    told.add_text("prompt", "a secret")
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG", pnginfo=told)
    await discord.imagine()

    orchestrator.succeed(FIRST, out.getvalue())
    await until(lambda: FIRST in orchestrator.acknowledged)

    assert b"a secret" not in await discord.cards()[0].attachments[0].read()


# Slow databases, crashes, restarts.


@dataclass(slots=True, kw_only=True)
class Slow(FakeOrchestrator):
    """Its database does not answer until it is told to."""

    town: Town
    may_go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def submit(self, request: JobRequest) -> JobTicket:
        await self.town.env.external_wait(self.may_go_on.wait(), reason="a slow database")
        return await FakeOrchestrator.submit(self, request)


async def test_a_slow_database_is_answered_in_time_and_the_card_comes_in_the_same_message(town: Town) -> None:
    orchestrator = Slow(town=town)
    async with town.bot(orchestrator, lambda: orchestrator.now) as discord:
        asked_at = town.env.now()
        await discord.imagine()

        (held,) = discord.cards()
        assert held.created_at - asked_at < timedelta(seconds=3)
        assert "Writing your request down" in words_of(held)

        orchestrator.may_go_on.set()
        await until(lambda: "You are next" in words_of(discord.cards()[0]))
        assert [card.id for card in discord.cards()] == [held.id]


async def test_a_crash_between_submit_and_the_first_message_leaves_one_card(
    town: Town, orchestrator: FakeOrchestrator
) -> None:
    """The next start finds no message that answered the interaction, and posts the card anew."""
    async with town.bot(orchestrator, lambda: orchestrator.now, posts=False) as discord:
        town.env.inject_error("POST", "/interactions/*", status=500)
        await discord.imagine()
        assert discord.cards() == []

    orchestrator.restart()
    async with town.bot(orchestrator, lambda: orchestrator.now) as discord:
        await until(lambda: len(discord.cards()) == 1)
        orchestrator.succeed(FIRST, picture())
        await until(lambda: FIRST in orchestrator.acknowledged)

        assert len(discord.cards()) == 1


async def test_a_crash_before_the_message_is_noted_down_leaves_one_card(
    town: Town, orchestrator: FakeOrchestrator
) -> None:
    """The next start finds the message that answered the interaction, and goes on in it."""
    async with town.bot(orchestrator, lambda: orchestrator.now, posts=False) as discord:
        await discord.imagine()
        (card,) = discord.cards()
        before = next(request for request in orchestrator.requests)
    await orchestrator.rebind(FIRST, before.origin)

    orchestrator.restart()
    async with town.bot(orchestrator, lambda: orchestrator.now) as discord:
        orchestrator.succeed(FIRST, picture())
        await until(lambda: FIRST in orchestrator.acknowledged)

        assert [each.id for each in discord.cards()] == [card.id]
        assert discord.cards()[0].attachments


async def test_restarts_in_the_middle_of_a_cold_start_go_on_in_the_same_message(
    town: Town, orchestrator: FakeOrchestrator
) -> None:
    async with town.bot(orchestrator, lambda: orchestrator.now) as discord:
        await discord.imagine()
        (card,) = discord.cards()

    for number in range(5):
        orchestrator.restart()
        async with town.bot(orchestrator, lambda: orchestrator.now) as discord:
            orchestrator.move(FIRST, cold(attempt=number + 1))
            await until(lambda: "Warming up" in words_of(discord.cards()[0]))

    orchestrator.restart()
    async with town.bot(orchestrator, lambda: orchestrator.now) as discord:
        orchestrator.succeed(FIRST, picture())
        await until(lambda: FIRST in orchestrator.acknowledged)
        assert [each.id for each in discord.cards()] == [card.id]
        assert discord.cards()[0].attachments


async def test_buttons_work_after_a_restart(town: Town, orchestrator: FakeOrchestrator) -> None:
    async with town.bot(orchestrator, lambda: orchestrator.now) as discord:
        await discord.imagine()

    orchestrator.restart()
    async with town.bot(orchestrator, lambda: orchestrator.now) as discord:
        await discord.press("Cancel")
        await until(lambda: "Cancelled" in words_of(discord.cards()[0]))


async def test_twenty_at_once_in_one_channel_all_arrive(discord: Discord, orchestrator: FakeOrchestrator) -> None:
    """Takes half a minute: five writes in five seconds are all that a channel gets."""
    for number in range(20):
        await discord.imagine(f"cat {number}")
    for name in list(orchestrator.views):
        orchestrator.move(name, cold())
    for name in list(orchestrator.views):
        orchestrator.succeed(name, picture())

    await until(lambda: len(orchestrator.acknowledged) == 20, limit_s=90)

    assert len(discord.cards()) == 20
    assert all(len(card.attachments) == 1 for card in discord.cards())


@pytest.mark.parametrize("action", [Action.AGAIN, Action.EDIT, Action.DETAILS])
async def test_every_button_of_a_card_is_known_by_its_job(
    discord: Discord, orchestrator: FakeOrchestrator, action: Action
) -> None:
    await discord.imagine()
    orchestrator.succeed(FIRST, picture())
    await until(lambda: FIRST in orchestrator.acknowledged)

    assert f"{action}:{FIRST}" in [button.custom_id for button in buttons_of(discord.cards()[0])]
