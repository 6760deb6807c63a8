"""``/imagine`` on Discord: one message that lives, from the command to the pictures."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import simcord

from orchestrator.api import JobId, JobRequest, JobTicket, Preset, RequestError, WorkflowCard
from tests.adapters.discord.stage import Stage, labels, png, words
from tests.component.bot.conftest import until
from tests.component.bot.fake_orchestrator import PAINT, REPAINT, FakeOrchestrator
from tests.unit.bot.samples import cold


async def test_the_answer_is_the_card(stage: Stage) -> None:
    result = await stage.ada.slash(stage.channel, "imagine", prompt="a cat")

    assert result.response is not None
    assert not result.ephemeral
    assert result.response.id == stage.message().id
    assert stage.card_text() == "**You are next**\na cat · seed 1001"
    assert labels(stage.message()) == ["Cancel"]


async def test_the_card_lives_in_that_one_message_until_the_pictures_are_there(stage: Stage) -> None:
    async with stage.posting():
        job = await stage.imagine()
        stage.orchestrator.move(job, cold())
        await until(lambda: "Warming up a GPU" in stage.card_text())
        stage.orchestrator.succeed(job, png(), png(seed=1))
        await until(lambda: job in stage.orchestrator.acknowledged)

    message = stage.message()
    assert "2 pictures" in stage.card_text()
    assert [file.filename for file in message.attachments] == ["glowplug-1.png", "glowplug-2.png"]
    assert stage.orchestrator.views[job].origin == f'["discord", "{stage.channel.id}", "{message.id}"]'


async def test_the_time_counts_down_without_an_edit(stage: Stage) -> None:
    async with stage.posting():
        job = await stage.imagine()
        stage.orchestrator.move(job, cold())
        await until(lambda: "ready <t:" in stage.card_text())

    assert ":R> at worst" in stage.card_text()
    assert "\x02" not in stage.card_text()


async def test_what_a_reader_would_not_see_is_not_written(stage: Stage) -> None:
    async with stage.posting():
        job = await stage.imagine()
        stage.orchestrator.move(job, cold())
        await until(lambda: "Warming up a GPU" in stage.card_text())
        edits = len(stage.rest.of("PATCH", "/channels/"))
        for cost in (1_000, 2_000, 3_000):
            stage.orchestrator.move(job, cold(), cost=cost)
        stage.orchestrator.succeed(job, png())
        await until(lambda: job in stage.orchestrator.acknowledged)

    assert len(stage.rest.of("PATCH", "/channels/")) <= edits + 2  # that money is spent, once; and the pictures


async def test_options_are_what_would_have_been_typed(stage: Stage) -> None:
    await stage.imagine(
        "a cat --steps 6", aspect="16:9", seed=7, count=2, lora="inkwash", strength=0.5, negative="text, a hat"
    )

    values = stage.orchestrator.requests[0].values
    wanted = {"prompt": "a cat", "steps": 6, "aspect": "16:9", "seed": 7, "count": 2}
    assert wanted.items() <= values.items()
    assert (values["lora"], values["strength"], values["negative"]) == ("inkwash", 0.5, "text, a hat")


async def test_an_option_twice_is_one_sentence(stage: Stage) -> None:
    result = await stage.ada.slash(stage.channel, "imagine", prompt="a cat --seed 1", seed=7)

    assert words(result) == "--seed is there twice; say it once."
    assert stage.messages() == []


def option_names(stage: Stage) -> dict[str, Any]:
    command = stage.env.backend.find_command("imagine", None, type=1)
    assert command is not None
    return {option["name"]: option for option in command["options"]}


async def test_the_options_are_those_of_the_workflows(stage: Stage) -> None:
    options = option_names(stage)

    assert next(iter(options)) == "prompt"
    assert set(options) >= {
        "prompt",
        "negative",
        "aspect",
        "size",
        "seed",
        "steps",
        "count",
        "lora",
        "strength",
        "preset",
    }
    assert "workflow" not in options  # one that starts from words is no choice
    assert [choice["value"] for choice in options["aspect"]["choices"]] == ["1:1", "16:9", "9:16"]
    assert (options["steps"]["min_value"], options["steps"]["max_value"]) == (1, 50)
    assert options["lora"]["autocomplete"]


@dataclass(kw_only=True)
class Wide(FakeOrchestrator):
    """Two ways to paint, and more LoRAs than a list shows."""

    def workflows(self) -> tuple[WorkflowCard, ...]:
        loras = tuple(f"style{number:02}" for number in range(40))
        other = replace(PAINT, name=type(PAINT.name)("sketch"), loras=("pencil",))
        return replace(PAINT, loras=loras), other, REPAINT


async def test_a_second_workflow_can_be_chosen(stage: Stage) -> None:
    await stage.restart(Wide())

    await stage.imagine("a cat", workflow="sketch", lora="pencil")

    assert stage.orchestrator.requests[0].workflow == "sketch"


async def test_more_loras_than_a_list_shows_are_found_by_typing(stage: Stage) -> None:
    await stage.restart(Wide())

    everything = await stage.ada.autocomplete(stage.channel, "imagine", "lora", "", prompt="a cat")
    found = await stage.ada.autocomplete(stage.channel, "imagine", "lora", "STYLE3", prompt="a cat")

    assert len(everything) == 25
    assert [choice["value"] for choice in found] == [f"style3{digit}" for digit in range(10)]


async def test_presets_are_offered_to_whom_they_belong(stage: Stage) -> None:
    await stage.orchestrator.people.save_preset(stage.user(stage.ada), Preset(name="poster", options="--ar 9:16"))

    mine = await stage.ada.autocomplete(stage.channel, "imagine", "preset", "po", prompt="a cat")
    other = await stage.bob.autocomplete(stage.channel, "imagine", "preset", "po", prompt="a cat")

    assert ([choice["value"] for choice in mine], other) == (["poster"], [])
    await stage.imagine("a cat", preset="poster")
    assert stage.orchestrator.requests[0].values["aspect"] == "9:16"


async def test_who_types_what_to_paint_is_about_to_ask(stage: Stage) -> None:
    for begun in ("p", "po", "pos"):
        await stage.ada.autocomplete(stage.channel, "imagine", "preset", begun, prompt="a cat")
    await stage.eve.autocomplete(stage.channel, "imagine", "preset", "", prompt="a cat")
    await stage.bob.autocomplete(stage.channel, "lora", "options", "remove")

    assert stage.orchestrator.expected == [stage.user(stage.ada)]


async def test_strangers_are_offered_nothing_and_told_whom_to_ask(stage: Stage) -> None:
    assert await stage.eve.autocomplete(stage.channel, "imagine", "lora", "", prompt="a cat") == []

    result = await stage.eve.slash(stage.channel, "imagine", prompt="a cat")

    assert "ask @\u200broot to add" in words(result)
    assert stage.orchestrator.requests == []


async def test_a_role_opens_the_door(stage: Stage) -> None:
    painter = stage.guild.add_member(stage.env.create_user("mia"), roles=[stage.painters])

    await stage.imagine(by=painter)


async def test_several_requests_are_asked_about_and_a_button_starts_them(stage: Stage) -> None:
    async with stage.posting():
        asked = await stage.ada.slash(stage.channel, "imagine", prompt="a {red, blue, green} cat")
        assert words(asked).startswith("**This makes 3 requests with 3 pictures")
        assert stage.messages() == []
        assert asked.response is not None

        started = await stage.ada.click(asked.response, label="Start 3 requests")

        await until(lambda: len(stage.messages()) == 3)
        for job in list(stage.orchestrator.views):
            stage.orchestrator.succeed(job, png())
        await until(lambda: len(stage.orchestrator.acknowledged) == 3)
    assert started.response is not None
    assert started.response.content == "It has begun; see below."
    assert labels(asked.response.message) == []
    texts = {(message.embeds[0].description or "").splitlines()[1].split(" · ")[0] for message in stage.messages()}
    assert texts == {"a red cat", "a blue cat", "a green cat"}
    assert all(message.attachments for message in stage.messages())


async def test_a_question_can_be_answered_after_a_restart(stage: Stage) -> None:
    asked = await stage.ada.slash(stage.channel, "imagine", prompt="a ```{red, blue}``` cat")
    assert asked.response is not None

    await stage.restart()
    await stage.ada.click(asked.response, label="Start 2 requests")

    assert [request.values["prompt"] for request in stage.orchestrator.requests] == [
        "a ```red``` cat",
        "a ```blue``` cat",
    ]


async def test_a_question_that_is_too_long_for_a_button_says_how_to_go_on(stage: Stage) -> None:
    asked = await stage.ada.slash(stage.channel, "imagine", prompt="{a, b}" + "`" * 3900)

    assert "Send it once more with --yes" in words(asked)
    assert asked.response is not None
    assert labels(asked.response.message) == []


async def test_a_note_about_what_could_not_be_started_is_for_the_person_alone(stage: Stage) -> None:
    stage.orchestrator.room = 1

    result = await stage.ada.slash(stage.channel, "imagine", prompt="a {red, blue} cat --yes")

    assert [followup.ephemeral for followup in result.followups] == [True]
    assert "1 of 2 were started" in (result.followups[0].embeds[0].description or "")


# A slow database.


@dataclass(kw_only=True)
class Slow(FakeOrchestrator):
    """Takes a request only when it may."""

    env: simcord.Env
    may_go: asyncio.Event = field(default_factory=asyncio.Event)
    breaks: Exception | None = None

    async def submit(self, request: JobRequest) -> JobTicket:
        await self.env.external_wait(self.may_go.wait(), reason="the database is slow")
        if self.breaks is not None:
            raise self.breaks
        return await super().submit(request)


@pytest.fixture
async def slow(stage: Stage) -> AsyncIterator[Slow]:
    orchestrator = Slow(env=stage.env)
    await stage.restart(orchestrator)
    yield orchestrator
    orchestrator.may_go.set()


async def test_a_slow_database_holds_up_no_answer(stage: Stage, slow: Slow) -> None:
    result = await stage.ada.slash(stage.channel, "imagine", prompt="a cat")

    assert result.acknowledged
    assert not result.deferred
    assert stage.message().content.startswith("Writing your request down")

    async with stage.posting():
        slow.may_go.set()
        await stage.env.settle()
        assert (stage.message().content, stage.card_text().splitlines()[0]) == ("", "**You are next**")
        job = JobId("job1")
        assert slow.views[job].origin == f'["discord", "{stage.channel.id}", "{stage.message().id}"]'
        slow.succeed(job, png())
        await until(lambda: job in slow.acknowledged)
    assert len(stage.message().attachments) == 1


async def test_an_end_that_comes_before_the_card_waits_for_it(stage: Stage, slow: Slow) -> None:
    """Takes a second: the pause until the end is offered again."""
    await stage.ada.slash(stage.channel, "imagine", prompt="a cat")

    async with stage.posting():
        slow.may_go.set()
        await until(lambda: JobId("job1") in slow.views)
        slow.succeed(JobId("job1"), png())
        await until(lambda: slow.acknowledged == ["job1"])

    assert len(stage.message().attachments) == 1


async def test_a_slow_refusal_is_told_to_the_person_alone(stage: Stage, slow: Slow) -> None:
    slow.breaks = RequestError("draining")
    result = await stage.ada.slash(stage.channel, "imagine", prompt="a cat")

    slow.may_go.set()
    await stage.env.settle()

    assert [followup.ephemeral for followup in result.followups] == [True]
    assert stage.channel.history(viewer=stage.bob) == []


async def test_a_fault_of_our_own_is_a_sentence_too(stage: Stage, slow: Slow) -> None:
    slow.breaks = ValueError("the disk is full")
    slow.may_go.set()

    result = await stage.ada.slash(stage.channel, "imagine", prompt="a cat")

    assert "Send it again in a minute" in words(result)
    assert "disk" not in words(result)


async def test_a_slow_answer_to_another_command_is_held_in_private(stage: Stage, slow: Slow) -> None:
    class Sleepy(FakeOrchestrator):
        async def session(self, user: Any) -> Any:
            await stage.env.external_wait(slow.may_go.wait(), reason="the database is slow")
            return await super().session(user)

    await stage.restart(Sleepy())
    result = await stage.ada.slash(stage.channel, "session")
    assert words(result).startswith("Looking it up")

    slow.may_go.set()
    await stage.env.settle()

    assert words(result) == "**No machine of yours is running.**"
    assert stage.channel.history(viewer=stage.bob) == []


# Many at once.


async def test_twenty_jobs_in_one_channel_all_arrive_and_keep_the_pace(stage: Stage) -> None:
    """Takes a quarter of a minute: five writes in five seconds is what the channel allows."""
    async with stage.posting():
        jobs = [await stage.imagine(f"cat {number}") for number in range(20)]
        for job in jobs:
            stage.orchestrator.succeed(job, png())
        await until(lambda: set(stage.orchestrator.acknowledged) == set(jobs), limit_s=60)

    assert len(stage.messages()) == 20
    assert all(len(message.attachments) == 1 for message in stage.messages())
    written = [each.at for each in stage.rest.sent if each.path.startswith("/channels/")]
    assert all(later - earlier > 4.9 for earlier, later in zip(written, written[5:], strict=False))
