"""Buttons below cards: they are understood from their text alone, and belong to whoever asked."""

import asyncio
from typing import Any

import pytest
from simcord.results import InteractionResult

from orchestrator.api import NO_LORA, JobId, JobView
from tests.adapters.discord.stage import Stage, labels, png, words
from tests.component.bot.conftest import until
from tests.component.bot.fake_orchestrator import FakeOrchestrator


async def painted(stage: Stage, *pictures: bytes, prompt: str = "a cat", **options: Any) -> JobId:
    """A request of ada's, told to its end."""
    async with stage.posting():
        job = await stage.imagine(prompt, **options)
        stage.orchestrator.succeed(job, *(pictures or (png(),)))
        await until(lambda: job in stage.orchestrator.acknowledged)
    return job


async def test_a_finished_card_offers_what_can_be_done(stage: Stage) -> None:
    stage.orchestrator.warm(stage.user(stage.ada))

    await painted(stage)

    assert labels(stage.message()) == ["Again", "Vary", "Edit", "Keep 30 min · $0.11", "Release", "Details"]


async def test_each_of_several_pictures_has_a_vary_of_its_own(stage: Stage) -> None:
    job = await painted(stage, *(png(seed=seed) for seed in range(7)))

    assert labels(stage.message()) == ["Again", "Edit", "Details", *(f"Vary {number}" for number in range(1, 8))]
    await stage.ada.click(stage.message(), label="Vary 6")

    assert stage.orchestrator.requests[-1].source == f"{job}-5"


async def test_again_makes_a_card_of_its_own(stage: Stage) -> None:
    await painted(stage, prompt="a cat", seed=7)

    await stage.ada.click(stage.message(), label="Again")

    first, second = stage.messages()
    assert first.id != second.id
    assert (second.embeds[0].description or "").startswith("**You are next**")
    assert stage.orchestrator.requests[-1].values.get("seed") is None


async def test_cancel_stops_the_request(stage: Stage) -> None:
    async with stage.posting():
        job = await stage.imagine()

        result = await stage.ada.click(stage.message(), label="Cancel")

        await until(lambda: job in stage.orchestrator.acknowledged)
    assert words(result) == "**Cancelled: a cat**"
    assert stage.card_text().startswith("**Cancelled at 0:00")


async def test_buttons_work_after_a_restart(stage: Stage) -> None:
    await painted(stage)

    await stage.restart()
    await stage.ada.click(stage.message(), label="Again")

    assert len(stage.orchestrator.requests) == 2


@pytest.mark.parametrize("label", ["Again", "Edit", "Details", "Keep 30 min · $0.11", "Release"])
async def test_buttons_belong_to_whoever_asked(stage: Stage, label: str) -> None:
    stage.orchestrator.warm(stage.user(stage.ada))
    await painted(stage)

    result = await stage.bob.click(stage.message(), label=label)

    assert words(result) == "That request is somebody else's."
    assert len(stage.orchestrator.requests) == 1


async def test_admins_may_press_them_all(stage: Stage) -> None:
    async with stage.posting():
        job = await stage.imagine()
        await stage.root.click(stage.message(), label="Cancel")
        await until(lambda: job in stage.orchestrator.acknowledged)


async def test_strangers_may_press_none(stage: Stage) -> None:
    await painted(stage)

    assert "You are not on the list" in words(await stage.eve.click(stage.message(), label="Details"))


async def test_keep_says_what_it_costs_and_the_card_says_until_when(stage: Stage) -> None:
    stage.orchestrator.warm(stage.user(stage.ada))
    await painted(stage, png(), png(seed=1))
    before = stage.card_text()

    result = await stage.ada.click(stage.message(), label="Keep 30 min · $0.11")

    assert "stays warm until <t:" in words(result)
    assert stage.card_text() != before
    assert len(stage.message().attachments) == 2


async def test_release_gives_the_machine_back_and_takes_its_buttons_away(stage: Stage) -> None:
    stage.orchestrator.warm(stage.user(stage.ada))
    await painted(stage)

    result = await stage.ada.click(stage.message(), label="Release")

    assert "that saves $0.056" in words(result)
    assert labels(stage.message()) == ["Again", "Vary", "Edit", "Details"]


async def test_details_are_for_whoever_asks(stage: Stage) -> None:
    job = await painted(stage)

    result = await stage.ada.click(stage.message(), label="Details")

    assert words(result).startswith(f"**Request {job}**\nworkflow: paint")
    assert stage.channel.history(viewer=stage.bob) == stage.channel.history(viewer=stage.bob)[:1]


# Edit.


def offered(shown: InteractionResult) -> str:
    """What the modal's field has in it."""
    assert shown.modal is not None
    field: dict[str, Any] = shown.modal["components"][0]["component"]
    return str(field["value"])


async def test_edit_opens_the_prompt_and_sends_it_as_a_new_request(stage: Stage) -> None:
    await painted(stage, prompt="a cat", aspect="16:9")

    shown = await stage.ada.click(stage.message(), label="Edit")
    assert offered(shown) == "a cat --ar 16:9 --seed 1001"
    result = await stage.ada.submit_modal(shown, {"text": "a dog --ar 9:16"})

    assert result.response is not None
    assert not result.ephemeral
    assert (result.response.embeds[0].description or "").splitlines()[1] == "a dog · seed 1002"
    assert stage.orchestrator.requests[-1].values["aspect"] == "9:16"


async def test_a_modal_that_was_opened_before_a_restart_is_not_lost(stage: Stage) -> None:
    await painted(stage)
    shown = await stage.ada.click(stage.message(), label="Edit")

    await stage.restart()
    await stage.ada.submit_modal(shown, {"text": "a dog"})

    assert stage.orchestrator.requests[-1].values["prompt"] == "a dog"


async def test_a_mistake_in_the_modal_is_one_sentence(stage: Stage) -> None:
    await painted(stage)
    shown = await stage.ada.click(stage.message(), label="Edit")

    result = await stage.ada.submit_modal(shown, {"text": "a dog --stepz 3"})

    assert words(result) == "There is no option --stepz for paint. Did you mean --steps? /workflows lists them."


async def test_a_slow_edit_is_given_as_text(stage: Stage) -> None:
    job = await painted(stage)

    class Sleepy(FakeOrchestrator):
        async def job(self, job: JobId) -> JobView | None:
            await stage.env.external_wait(may_go.wait(), reason="the database is slow")
            return await super().job(job)

    may_go = asyncio.Event()
    sleepy = Sleepy()
    sleepy.views[job] = stage.orchestrator.views[job]
    await stage.restart(sleepy)
    result = await stage.ada.click(stage.message(), label="Edit")

    may_go.set()
    await stage.env.settle()

    assert "```\n/imagine a cat --seed 1001\n```" in words(result)
    assert NO_LORA not in words(result)


# Confirm.


async def test_forgetting_is_asked_about_first(stage: Stage) -> None:
    asked = await stage.ada.slash(stage.channel, "forget", options="me")
    assert asked.response is not None
    assert stage.orchestrator.people.forgotten == []

    await stage.ada.click(asked.response, label="Forget everything")

    assert stage.orchestrator.people.forgotten == [stage.user(stage.ada)]
    assert words(asked).startswith("**Forgotten: ")
    assert labels(asked.response.message) == []


async def test_a_question_is_answered_once_however_often_its_button_is_pressed(stage: Stage) -> None:
    """Two presses at once: before the button is seen to be gone."""
    asked = await stage.ada.slash(stage.channel, "imagine", prompt="a {red, blue} cat")
    assert asked.response is not None
    kept = stage.env.backend.get_message(stage.channel.id, asked.response.id)
    components, embeds = list(kept.components), list(kept.embeds)
    await stage.ada.click(asked.response, label="Start 2 requests")

    kept.components, kept.embeds = components, embeds
    await stage.ada.click(asked.response, label="Start 2 requests")

    assert len(stage.orchestrator.requests) == 2
    assert len(stage.channel.history(viewer=stage.bob)) == 1  # the other's card comes from the loops


async def test_a_button_that_lost_its_command_says_so(stage: Stage) -> None:
    asked = await stage.ada.slash(stage.channel, "forget", options="me")
    assert asked.response is not None
    stage.env.backend.get_message(stage.channel.id, asked.response.id).embeds = []
    stage.env.backend.get_message(stage.channel.id, asked.response.id).content = "?"

    result = await stage.ada.click(asked.response, label="Forget everything")

    assert words(result).startswith("That button is from before")


@pytest.mark.parametrize("label", ["Edit", "Again"])
async def test_a_stranger_is_told_whom_to_ask(stage: Stage, label: str) -> None:
    await painted(stage)

    assert "You are not on the list" in words(await stage.eve.click(stage.message(), label=label))


async def test_what_began_from_a_picture_cannot_be_edited(stage: Stage) -> None:
    await painted(stage)
    async with stage.posting():
        await stage.ada.click(stage.message(), label="Vary")
        stage.orchestrator.succeed(JobId("job2"), png())
        await until(lambda: "job2" in stage.orchestrator.acknowledged)

    assert "Edit" not in labels(stage.messages()[1])
