"""Crashes, restarts, deleted cards, lost answers and channels that are closed to us: one message for each request."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import discord
import pytest
from simcord.builders import ChannelHandle

from bot.adapters.discord.asked import AskedTable
from bot.adapters.discord.messages import MOST_LOOKS, Messages
from bot.chat.handle import ReplyHandle
from bot.chat.surface import SurfaceUnavailable
from orchestrator.api import JobId, SessionView, UserId
from tests.adapters.discord.stage import Stage, png, words
from tests.component.bot.conftest import until
from tests.component.bot.fake_orchestrator import FakeOrchestrator
from tests.unit.bot.samples import STEPS, cold


async def told(stage: Stage, *jobs: JobId) -> None:
    """End *jobs* and wait until people know."""
    async with stage.posting():
        for job in jobs:
            stage.orchestrator.succeed(job, png())
        await until(lambda: set(jobs) <= set(stage.orchestrator.acknowledged))


def ended(stage: Stage) -> list[str]:
    """The first line of every card."""
    return [(message.embeds[0].description or message.content).splitlines()[0] for message in stage.messages()]


# Restarts.


async def test_five_restarts_in_a_cold_start_leave_one_message(stage: Stage) -> None:
    job = await stage.imagine()
    first = stage.message().id
    for step in STEPS[1:6]:
        await stage.restart()
        async with stage.posting():
            stage.orchestrator.move(job, cold(step))
            await until(lambda: stage.surface._messages._looks)
    await stage.restart()
    await told(stage, job)

    assert stage.message().id == first
    assert len(stage.message().attachments) == 1


async def test_a_crash_before_the_answer_leaves_a_card_and_no_thinking(stage: Stage) -> None:
    """The request is in the database, Discord heard nothing: the card comes as a message of its own."""
    stage.env.inject_error("POST", "/interactions/*", status=500)
    await stage.ada.slash(stage.channel, "imagine", prompt="a cat")
    assert stage.messages() == []

    await stage.restart()
    await told(stage, JobId("job1"))

    assert len(stage.message().attachments) == 1


def unbound(stage: Stage, job: JobId, interaction: int) -> None:
    """As if the bot had died after it answered and before that was noted."""
    handle = ReplyHandle(surface="discord", chat=str(stage.channel.id), message=f"interaction:{interaction}")
    view = stage.orchestrator.views[job]
    stage.orchestrator.views[job] = replace(view, origin=handle.encode())


async def test_a_crash_after_the_answer_finds_it_again(stage: Stage) -> None:
    result = await stage.ada.slash(stage.channel, "imagine", prompt="a cat")
    first = stage.message().id
    unbound(stage, JobId("job1"), result._interaction.id)

    await stage.restart()
    await told(stage, JobId("job1"))

    assert stage.message().id == first
    assert len(stage.message().attachments) == 1


async def test_several_of_one_interaction_do_not_take_the_same_message(stage: Stage) -> None:
    result = await stage.ada.slash(stage.channel, "imagine", prompt="a {red, blue, green} cat --yes")
    first = stage.message().id
    jobs = [JobId(f"job{number}") for number in (1, 2, 3)]
    for job in jobs:
        unbound(stage, job, result._interaction.id)

    await stage.restart()
    await told(stage, *jobs)

    assert len(stage.messages()) == 3
    assert "a red cat" in (next(m for m in stage.messages() if m.id == first).embeds[0].description or "")
    assert all(message.attachments for message in stage.messages())


async def test_a_message_that_said_to_wait_becomes_the_card_of_one_of_them(stage: Stage) -> None:
    result = await stage.ada.slash(stage.channel, "imagine", prompt="a {red, blue} cat --yes")
    placeholder = stage.env.backend.get_message(stage.channel.id, stage.message().id)
    placeholder.embeds, placeholder.components, placeholder.content = [], [], "Writing your request down …"
    jobs = [JobId("job1"), JobId("job2")]
    for job in jobs:
        unbound(stage, job, result._interaction.id)

    await stage.restart()
    await told(stage, *jobs)

    assert len(stage.messages()) == 2
    assert all(line.startswith("**1 picture in") for line in ended(stage))


async def test_an_answer_that_was_lost_makes_no_second_message(stage: Stage) -> None:
    """Takes a second: the pause after the failure."""
    stage.env.inject_error("POST", "/interactions/*", status=500)
    await stage.ada.slash(stage.channel, "imagine", prompt="a cat")

    stage.rest.lost = 1
    await told(stage, JobId("job1"))

    assert len(stage.message().attachments) == 1
    assert [len(each.body["nonce"]) <= 25 for each in stage.rest.of("POST", "/messages")] == [True, True]


# Deleted.


async def test_a_deleted_card_is_replaced_by_exactly_one(stage: Stage) -> None:
    job = await stage.imagine()
    stage.env.backend.delete_message(stage.channel.id, stage.message().id)

    async with stage.posting():
        stage.orchestrator.move(job, cold())
        await until(stage.messages)
        replaced = stage.message().id
        stage.orchestrator.succeed(job, png())
        await until(lambda: job in stage.orchestrator.acknowledged)

    assert stage.message().id == replaced
    assert len(stage.message().attachments) == 1


# Closed channels.


def hidden_channel(stage: Stage) -> ChannelHandle:
    """A channel that people see and the bot does not."""
    me = stage.env.bot.user
    assert isinstance(me, discord.ClientUser)
    return stage.guild.create_text_channel(
        "hidden", overwrites={me: discord.PermissionOverwrite(view_channel=False, send_messages=False)}
    )


def take_away_all(stage: Stage) -> None:
    """The bot's role loses everything: an administrator sees hidden channels."""
    role = stage.guild.roles["TestBot"]
    role._role.permissions = 0
    stage.guild.default_role._role.permissions = discord.Permissions(
        view_channel=True, send_messages=True, use_application_commands=True, read_message_history=True
    ).value


async def test_where_the_bot_sees_nothing_the_card_lives_on_the_interaction(stage: Stage) -> None:
    take_away_all(stage)
    hidden = hidden_channel(stage)
    await stage.ada.slash(hidden, "imagine", prompt="a {red, blue} cat --yes")

    async with stage.posting():
        await until(lambda: len(stage.messages(hidden)) == 2)
        for job in list(stage.orchestrator.views):
            stage.orchestrator.succeed(job, png())
        await until(lambda: len(stage.orchestrator.acknowledged) == 2)

    assert len(stage.messages(hidden)) == 2
    for message in stage.messages(hidden):
        assert len(message.attachments) == 1
        assert "-# I may not see this channel" in (message.embeds[0].description or "").splitlines()[1]


async def test_when_the_token_is_gone_too_the_end_is_still_acknowledged_and_logged_once(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    take_away_all(stage)
    hidden = hidden_channel(stage)
    for _ in range(2):
        await stage.ada.slash(hidden, "imagine", prompt="a cat")
    await stage.restart()

    await told(stage, JobId("job1"), JobId("job2"))

    assert sum("cannot be shown in the Discord channel" in record.message for record in caplog.records) == 1


async def test_a_channel_that_was_deleted_holds_up_nobody(stage: Stage) -> None:
    gone = stage.guild.create_text_channel("gone")
    await stage.ada.slash(gone, "imagine", prompt="a cat")
    stage.env.backend.delete_channel(gone.id)

    await told(stage, JobId("job1"))


# Away.


async def test_discord_may_be_away_for_a_while(stage: Stage) -> None:
    """Takes a second: the pause after the failure."""
    job = await stage.imagine()
    stage.env.inject_error("PATCH", "/channels/*", status=503)

    await told(stage, job)

    assert len(stage.message().attachments) == 1


async def test_nothing_is_posted_before_the_servers_are_known(stage: Stage) -> None:
    job = await stage.imagine()
    card = await stage.desk.cards.card(job)
    assert card is not None
    stage.surface.client._ready.clear()

    with pytest.raises(SurfaceUnavailable, match="not connected yet"):
        await stage.surface.deliver(card)


async def test_a_pause_that_discord_asks_for_is_kept(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    job = await stage.imagine()
    card = await stage.desk.cards.card(job)
    assert card is not None
    stage.orchestrator.succeed(job, png())

    async def limited(*_: object, **__: object) -> None:
        raise discord.RateLimited(40.0)

    with monkeypatch.context() as patch:
        patch.setattr(type(stage.surface.client.http), "request", limited)
        with pytest.raises(SurfaceUnavailable) as refused:
            await stage.surface.deliver(card)

    assert refused.value.retry_after == timedelta(seconds=40)


# What is remembered is bounded.


async def test_what_is_remembered_is_bounded(stage: Stage) -> None:
    messages = Messages(lambda: stage.surface.client, AskedTable())
    job = await stage.imagine()
    card = await stage.desk.cards.card(job)
    assert card is not None
    for number in range(3000):
        messages.note(replace(card, job=JobId(f"job{number}")))

    assert len(messages._looks) == MOST_LOOKS


async def test_history_that_may_not_be_read_is_no_obstacle(stage: Stage) -> None:
    result = await stage.ada.slash(stage.channel, "imagine", prompt="a cat")
    unbound(stage, JobId("job1"), result._interaction.id)
    await stage.restart()
    stage.env.inject_error("GET", "/channels/*/messages", status=403, code=50001)

    await told(stage, JobId("job1"))

    assert len(stage.messages()) == 2  # the one that could not be found, and the card
    assert len(stage.messages()[-1].attachments) == 1


async def test_a_deleted_card_in_a_hidden_channel_is_replaced_by_the_token(stage: Stage) -> None:
    take_away_all(stage)
    hidden = hidden_channel(stage)
    await stage.ada.slash(hidden, "imagine", prompt="a cat")
    stage.env.backend.delete_message(hidden.id, stage.messages(hidden)[0].id)

    await told(stage, JobId("job1"))

    (replaced,) = stage.messages(hidden)
    assert len(replaced.attachments) == 1


async def test_a_handle_to_nowhere_holds_up_nobody(stage: Stage) -> None:
    job = await stage.imagine()
    handle = ReplyHandle(surface="discord", chat="room")
    stage.orchestrator.views[job] = replace(stage.orchestrator.views[job], origin=handle.encode())

    await told(stage, job)


async def test_a_bot_that_leaves_answers_what_it_was_asked(stage: Stage) -> None:
    class Slow(FakeOrchestrator):
        async def session(self, user: UserId) -> SessionView | None:
            is_asked.set()
            await may_answer.wait()
            return await super().session(user)

    is_asked, may_answer = asyncio.Event(), asyncio.Event()
    await stage.restart(Slow())
    async with asyncio.TaskGroup() as group:
        answer = group.create_task(stage.ada.slash(stage.channel, "me"))
        await is_asked.wait()
        finishing = group.create_task(stage.surface.finish())
        await asyncio.sleep(0)
        assert not finishing.done()

        may_answer.set()
        await finishing
        assert "You are" in words(await answer)
