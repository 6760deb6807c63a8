"""News beside the cards: alone, by a mention, to admins."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.chat.buttons import Action, Button
from bot.chat.model import Note
from bot.chat.surface import SurfaceUnavailable
from orchestrator.api import JobId, UserId
from tests.component.bot.fake_orchestrator import FakeOrchestrator
from tests.discord.world import Discord, a_town, labels_of

KEEP = Button(action=Action.KEEP, label="Keep 30 min", command="/keep 30")


def note(discord: Discord, **changes: object) -> Note:
    plain = Note(user=UserId(f"discord:{discord.town.ada.id}"), sentence="Your GPU is given back in 2 minutes.")
    return replace(plain, **changes)  # type: ignore[arg-type]  # whatever a test changes


def private(actor: object) -> list[str]:
    """What somebody was told alone."""
    return [message.content for message in actor.user.dm_channel.history()]  # type: ignore[attr-defined]


@pytest.fixture
async def closed(orchestrator: FakeOrchestrator) -> AsyncIterator[Discord]:
    """Where nobody takes private messages."""
    async with a_town() as town, town.bot(orchestrator, lambda: orchestrator.now) as running:
        town.env.inject_error(
            "POST", f"/channels/{town.ada.user.dm_channel.id}/messages", status=403, code=50007, times=None
        )
        yield running


async def test_a_person_is_told_alone_with_what_can_be_done(discord: Discord) -> None:
    await discord.surface.notify(note(discord, buttons=((KEEP, JobId("job1")),)))

    assert private(discord.town.ada) == ["Your GPU is given back in 2 minutes."]
    assert labels_of(discord.town.ada.user.dm_channel.history()[0]) == ["Keep 30 min"]
    assert discord.cards() == []


async def test_whoever_takes_no_private_messages_is_mentioned_where_they_asked(closed: Discord) -> None:
    await closed.surface.notify(note(closed, chat=str(closed.town.channel.id)))

    (mention,) = closed.cards()
    assert mention.content.startswith(f"<@{closed.town.ada.id}> Your GPU")
    assert [user.id for user in mention.mentions] == [closed.town.ada.id]


async def test_whoever_cannot_be_told_at_all_counts_as_told(closed: Discord) -> None:
    await closed.surface.notify(note(closed))

    assert closed.cards() == []


async def test_news_has_no_markup_and_mentions_nobody(discord: Discord) -> None:
    await discord.surface.notify(note(discord, sentence="@everyone **look**"))

    assert private(discord.town.ada) == ["@\u200beveryone \\*\\*look\\*\\*"]


async def test_admins_are_told_each(discord: Discord) -> None:
    await discord.surface.notify(note(discord, user=None, sentence="A cloud refuses our key."))

    assert private(discord.town.root) == ["A cloud refuses our key."]
    assert private(discord.town.ada) == []


async def test_without_an_admin_it_waits(orchestrator: FakeOrchestrator) -> None:
    async with a_town() as town:
        town.access = replace(town.access, admins=frozenset())
        async with town.bot(orchestrator, lambda: orchestrator.now) as discord:
            with pytest.raises(SurfaceUnavailable, match="DISCORD_ADMINS"):
                await discord.surface.notify(note(discord, user=None))


async def test_before_it_is_connected_everything_waits(discord: Discord) -> None:
    surface = type(discord.surface)(discord.surface._options)

    with pytest.raises(SurfaceUnavailable, match="not connected"):
        await surface.notify(note(discord))
