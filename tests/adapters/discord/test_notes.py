"""News beside the cards: to a person alone, by a mention where they are closed, and to admins."""

import pytest
from simcord.builders import ChannelHandle

from bot.chat.buttons import Action, Button
from bot.chat.model import Note
from bot.chat.surface import SurfaceUnavailable, Unreachable
from orchestrator.api import UserId
from tests.adapters.discord.stage import Stage, labels

KEEP = Button(action=Action.KEEP, label="Keep 30 min · $0.17", command="/keep 30")


async def test_a_person_is_told_alone(stage: Stage) -> None:
    await stage.surface.notify(Note(user=stage.user(stage.ada), sentence="Your budget is *nearly* used."))

    (told,) = stage.ada.user.dm_channel.history()
    assert told.content == r"Your budget is \*nearly\* used."
    assert stage.messages() == []


async def test_news_comes_with_what_can_be_done_about_it(stage: Stage) -> None:
    stage.orchestrator.warm(stage.user(stage.ada))
    job = await stage.imagine()
    note = Note(user=stage.user(stage.ada), sentence="Your GPU is given back soon.", buttons=((KEEP, job),))

    await stage.surface.notify(note)
    (told,) = stage.ada.user.dm_channel.history()
    assert labels(told) == ["Keep 30 min · $0.17"]
    result = await stage.ada.user.click(told, label="Keep 30 min · $0.17")

    assert result.response is not None
    assert "stays warm until" in (result.response.embeds[0].description or "")


async def test_whoever_takes_no_private_messages_is_mentioned_once_where_they_asked(stage: Stage) -> None:
    stage.env.inject_error("POST", f"/channels/{stage.ada.user.dm_channel.id}/messages", status=403, code=50007)

    await stage.surface.notify(
        Note(user=stage.user(stage.ada), sentence="Done, @everyone <@1>.", chat=str(stage.channel.id))
    )

    assert stage.message().content == f"<@{stage.ada.id}> Done, @\u200beveryone \\<@\u200b1\\>."
    assert [user.id for user in stage.message().mentions] == [stage.ada.id]
    assert not stage.message().mention_everyone
    assert stage.rest.sent[-1].body["allowed_mentions"] == {"parse": [], "users": [stage.ada.id]}


async def test_whoever_cannot_be_reached_at_all_is_said_to_be_closed(stage: Stage) -> None:
    stage.env.inject_error("POST", "/channels/*/messages", status=403, code=50007, times=None)
    note = Note(user=stage.user(stage.ada), sentence="Done.", chat=str(stage.channel.id))

    for each in (note, Note(user=stage.user(stage.ada), sentence="Done."), Note(user=None, sentence="Trouble.")):
        with pytest.raises(Unreachable):
            await stage.surface.notify(each)

    assert stage.messages() == []


@pytest.fixture
async def office(stage: Stage) -> ChannelHandle:
    channel = stage.guild.create_text_channel("office")
    stage.admin_channel = str(channel.id)
    await stage.restart()
    return channel


async def test_admins_are_told_alone_and_in_their_channel(stage: Stage, office: ChannelHandle) -> None:
    await stage.surface.notify(Note(user=None, sentence="A machine will not die."))

    assert [message.content for message in stage.root.user.dm_channel.history()] == ["A machine will not die."]
    assert [message.content for message in office.history()] == ["A machine will not die."]


async def test_an_admins_channel_that_is_closed_to_us_stops_nothing(stage: Stage, office: ChannelHandle) -> None:
    stage.env.inject_error("POST", f"/channels/{office.id}/messages", status=403, code=50001)

    await stage.surface.notify(Note(user=None, sentence="A machine will not die."))

    assert len(stage.root.user.dm_channel.history()) == 1


async def test_news_of_a_discord_that_fails_is_kept(stage: Stage) -> None:
    with pytest.raises(Unreachable, match="no account of Discord"):
        await stage.surface.notify(Note(user=UserId("web:ada"), sentence="Done."))
    stage.env.inject_error("POST", "/users/@me/channels", status=500)
    with pytest.raises(SurfaceUnavailable, match="500"):
        await stage.surface.notify(Note(user=UserId("discord:77"), sentence="Done."))
