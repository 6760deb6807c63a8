"""Pictures on Discord: small enough, hidden where a server wants that, and the original one button away."""

import pytest

import bot.adapters.discord.surface as surface_module
from bot.adapters.discord.files import KEPT_FREE, fitted, shares
from bot.chat.handle import ReplyHandle
from bot.chat.model import Answer, Call, Reply
from bot.chat.surface import Backend, CommandHandler
from orchestrator.api import ImageKey, JobId
from tests.adapters.discord.stage import Stage, labels, png, words
from tests.adapters.discord.test_buttons import painted
from tests.component.bot.conftest import until


def test_what_small_pictures_leave_is_there_for_large_ones() -> None:
    assert shares([10, 100, 100], 110) == [10, 50, 50]
    assert shares([10, 20], 100) == [10, 20]
    assert shares([50], 0) == [0]
    assert shares([], 100) == []


async def test_pictures_together_stay_below_the_limit() -> None:
    pictures = [png(128, seed=seed) for seed in range(4)]

    ready = await fitted(pictures, limit=60_000 + KEPT_FREE, is_spoiler=False)

    assert sum(len(file.data) for file in ready.files) <= 60_000
    assert not ready.is_original
    assert {file.name.rpartition(".")[2] for file in ready.files} == {"webp"}


async def test_what_is_no_picture_and_too_large_is_left_out() -> None:
    ready = await fitted([b"x" * 100_000, png()], limit=20_000 + KEPT_FREE, is_spoiler=False)

    assert (len(ready.files), ready.left_out, ready.is_original) == (1, 1, False)


@pytest.fixture
def small_limit(monkeypatch: pytest.MonkeyPatch) -> int:
    """Discord takes little, as if every picture was large."""
    limit = KEPT_FREE + 12_000
    monkeypatch.setattr(surface_module.DiscordSurface, "_filesize_limit", lambda *_: limit)
    return limit


@pytest.mark.usefixtures("small_limit")
async def test_a_picture_that_is_too_large_has_its_original_one_button_away(stage: Stage) -> None:
    large = png(96)
    job = await painted(stage, large)
    assert stage.message().attachments[0].size < 12_000 < len(large)
    assert stage.message().attachments[0].filename == "glowplug-1.webp"
    assert "Original" in labels(stage.message())

    result = await stage.ada.click(stage.message(), label="Original")

    assert result.response is not None
    assert words(result) == "1 original."
    assert result.response.attachments[0].size == len(large)
    assert job in stage.orchestrator.acknowledged


@pytest.mark.usefixtures("small_limit")
async def test_the_original_belongs_to_whoever_asked(stage: Stage) -> None:
    await painted(stage, png(96))

    assert words(await stage.bob.click(stage.message(), label="Original")) == "That request is somebody else's."


@pytest.mark.usefixtures("small_limit")
async def test_an_original_that_is_no_longer_kept_is_said_to_be(stage: Stage) -> None:
    stage.orchestrator.no_longer_keep(await painted(stage, png(96)))

    assert "no longer kept" in words(await stage.ada.click(stage.message(), label="Original"))


@pytest.mark.usefixtures("small_limit")
async def test_keep_leaves_the_button_for_the_original(stage: Stage) -> None:
    stage.orchestrator.warm(stage.user(stage.ada))
    await painted(stage, png(96))

    await stage.ada.click(stage.message(), label="Keep 30 min · $0.11")

    assert "Original" in labels(stage.message())


async def test_a_server_may_want_spoilers(stage: Stage) -> None:
    await stage.root.slash(stage.channel, "admin", options="pictures spoiler")

    await painted(stage)

    assert stage.message().attachments[0].filename == "SPOILER_glowplug-1.png"


async def test_a_server_may_want_pictures_in_age_restricted_channels_alone(stage: Stage) -> None:
    await stage.root.slash(stage.channel, "admin", options="pictures nsfw-only")

    result = await stage.ada.slash(stage.channel, "imagine", prompt="a cat")

    assert words(result).startswith("Pictures are made in age-restricted channels alone here")
    stage.restrict()
    await stage.imagine()


async def test_no_prompt_hides_in_a_picture(stage: Stage) -> None:
    told = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\x04tEXtaaaa\x00\x00\x00\x00" + png()[8:]

    await painted(stage, told)

    assert stage.message().attachments[0].size == len(png())


async def test_discord_may_refuse_a_size_that_it_announced(stage: Stage) -> None:
    """Boosts end; the pictures are made smaller, and arrive."""
    async with stage.posting():
        job = await stage.imagine()
        stage.env.inject_error("PATCH", "/channels/*/messages/*", status=413, code=40005)
        stage.orchestrator.succeed(job, png())
        await until(lambda: job in stage.orchestrator.acknowledged)

    assert len(stage.message().attachments) == 1


async def test_pictures_that_are_gone_leave_the_words(stage: Stage) -> None:
    async with stage.posting():
        job = await stage.imagine()
        stage.orchestrator.succeed(job, png())
        stage.orchestrator.images.clear()
        await until(lambda: job in stage.orchestrator.acknowledged)

    assert stage.message().attachments == []
    assert stage.card_text().startswith("**1 picture in")


async def test_private_messages_have_no_spoilers(stage: Stage) -> None:
    await stage.root.slash(stage.channel, "admin", options="pictures spoiler")
    async with stage.posting():
        result = await stage.ada.user.slash("imagine", prompt="a cat")
        stage.orchestrator.succeed(JobId("job1"), png())
        await until(lambda: stage.orchestrator.acknowledged)

    assert result.response is not None
    assert result.response.attachments[0].filename == "glowplug-1.png"


class Charting(CommandHandler):
    """Answers everything with a chart."""

    async def handle(self, call: Call) -> Answer:
        return Reply(text="What it cost", pictures=(png(), png(seed=1)))

    async def moved(self, job: JobId, to: ReplyHandle) -> None:
        raise AssertionError("no card is shown here")


async def test_charts_come_with_the_words(stage: Stage) -> None:
    orchestrator = stage.orchestrator
    stage.surface.serve(
        Backend(handler=Charting(), cards=stage.desk.cards, orchestrator=orchestrator, now=lambda: orchestrator.now)
    )

    await stage.env.restart_bot(stage.surface.client)

    result = await stage.root.slash(stage.channel, "cost")

    assert words(result) == "**What it cost**"
    assert result.response is not None
    assert [file.filename for file in result.response.attachments] == ["chart-1.png", "chart-2.png"]


@pytest.mark.usefixtures("small_limit")
async def test_originals_that_discord_does_not_take_are_on_the_page(stage: Stage) -> None:
    job = await painted(stage, png(96), png(96, seed=1), png(96, seed=2))
    stage.orchestrator.images[ImageKey(f"{job}-1")] = b"x" * 26 * 1024 * 1024

    result = await stage.ada.click(stage.message(), label="Original")

    assert words(result) == (
        "2 originals. 1 picture more: too large for Discord here, or gone; the bot's own page has what there is."
    )
    assert [len(followup.attachments) for followup in result.followups] == [1]


async def test_a_press_that_discord_does_not_hear_of_is_no_fault(stage: Stage) -> None:
    await painted(stage)
    stage.env.inject_error("POST", "/interactions/*", status=404, code=10062)

    await stage.ada.click(stage.message(), label="Edit")

    assert len(stage.orchestrator.requests) == 1
