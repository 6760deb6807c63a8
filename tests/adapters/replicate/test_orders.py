"""What is ordered at Replicate, and that nothing is ordered twice."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.adapters.inference.replicate.api import CAPABILITIES
from orchestrator.adapters.inference.replicate.wire import ASPECTS, SIZES
from orchestrator.domain.errors import ApiOff, InferenceFailed, InferenceUncertain, StaleWrite
from orchestrator.domain.ids import PromptId
from orchestrator.domain.money import MicroUsd
from orchestrator.ports.comfy import Painting
from orchestrator.ports.inference import Made
from orchestrator.sandbox.replicate import Trouble
from tests.adapters.replicate.jobs import LORA, a_job, with_lora_at
from tests.contract.inference_suite import WORKFLOW, an_attempt, failure_of
from tests.contract.replicate_stage import IMPATIENT, QUICK, ReplicateStage


class Notes:
    """Writes down what an API calls the orders of one attempt."""

    def __init__(self) -> None:
        self.refs: list[str] = []

    async def __call__(self, ref: str) -> None:
        self.refs.append(ref)


def inputs(stage: ReplicateStage) -> list[dict[str, Any]]:
    return [dict(it.input) for it in stage.account.predictions.values()]


async def test_the_job_is_ordered_in_their_words(stage: ReplicateStage) -> None:
    await stage.api.generate(an_attempt(a_job(prompt="a fox", seed=7, steps=3, width=768, height=1344)))

    (ordered,) = inputs(stage)
    assert ordered.pop("output_quality") in range(101)
    assert ordered == {
        "prompt": "a fox",
        "aspect_ratio": "9:16",
        "megapixels": "1",
        "num_outputs": 1,
        "num_inference_steps": 3,
        "output_format": "png",
        "go_fast": False,
        "seed": 7,
    }


async def test_several_pictures_are_several_orders_with_seeds_counted_up_and_all_are_noted(
    stage: ReplicateStage,
) -> None:
    notes = Notes()

    made = await stage.api.generate(an_attempt(a_job(seed=7, count=6), note_ref=notes))

    assert len(set(made.pictures)) == 6
    assert made.cost == 6 * 3000 == await stage.charged()
    assert sorted(it["seed"] for it in inputs(stage)) == [7, 8, 9, 10, 11, 12]
    seeds = [stage.account.predictions[ref].input["seed"] for ref in notes.refs[-1].split(",")]
    assert seeds == [7, 8, 9, 10, 11, 12]


async def test_progress_is_told_picture_by_picture(stage: ReplicateStage) -> None:
    told: list[Painting] = []

    await stage.api.generate(an_attempt(a_job(count=3), on_progress=told.append))

    assert told == [Painting(done=done, total=3) for done in (1, 2, 3)]


async def test_a_picture_is_the_same_whoever_else_is_ordered_with_it(stage: ReplicateStage) -> None:
    together = await stage.api.generate(an_attempt(a_job(seed=7, count=2)))
    alone = await stage.api.generate(an_attempt(a_job(seed=8)))

    assert together.pictures[1] == alone.pictures[0]


@pytest.mark.parametrize("size", sorted(SIZES))
def test_a_size_that_it_makes_is_named_by_shape_and_megapixels(size: tuple[int, int]) -> None:
    aspect, megapixels = SIZES[size]
    part = 1 if megapixels == "1" else 2

    assert size == (ASPECTS[aspect][0] // part, ASPECTS[aspect][1] // part)
    assert CAPABILITIES.can_make(WORKFLOW, a_job(width=size[0], height=size[1]))


@pytest.mark.parametrize(
    "values", [{"width": 1360, "height": 768}, {"steps": 5}, {"negative": "fog"}, {"lora": LORA, "strength": -1.5}]
)
async def test_what_it_cannot_make_is_neither_offered_nor_ordered(
    stage: ReplicateStage, values: dict[str, Any]
) -> None:
    job = a_job(**values)

    assert not CAPABILITIES.can_make(WORKFLOW, job)
    with pytest.raises(InferenceFailed):
        await stage.api.generate(an_attempt(job))
    assert await stage.orders() == 0


async def test_a_lora_goes_to_the_model_that_takes_one_at_its_price(stage: ReplicateStage) -> None:
    made = await stage.api.generate(an_attempt(a_job(lora=LORA, strength=0.8)))

    (ordered,) = stage.account.predictions.values()
    assert ordered.model == "black-forest-labs/flux-schnell-lora"
    assert ordered.input["lora_weights"] == WORKFLOW.loras[LORA].urls[0]
    assert ordered.input["lora_scale"] == 0.8
    assert made.cost == 20_000 == CAPABILITIES.estimate(a_job(lora=LORA)) == await stage.charged()


def test_a_lora_that_not_everybody_may_read_is_not_given_away() -> None:
    signed = "https://bucket.example/l.safetensors?X-Amz-Signature=abc"

    for url in (signed, "http://mirror.example/l.safetensors", "https://ada:word@mirror.example/l.safetensors"):
        assert not CAPABILITIES.can_make(with_lora_at(url), a_job(lora=LORA))
    assert CAPABILITIES.can_make(with_lora_at(signed, "https://mirror.example/l.safetensors"), a_job(lora=LORA))


async def test_a_lora_model_that_is_gone_takes_away_loras_alone(stage: ReplicateStage) -> None:
    stage.account.troubles.strike(Trouble.MODEL_GONE, times=1)
    with pytest.raises(InferenceFailed):
        await stage.api.generate(an_attempt(a_job(lora=LORA)))

    assert not stage.api.capabilities.can_make(WORKFLOW, a_job(lora=LORA))
    assert stage.api.capabilities.can_make(WORKFLOW, a_job())

    await stage.api.probe()
    assert stage.api.capabilities.can_make(WORKFLOW, a_job(lora=LORA))


# Lost answers and crashes.


async def test_an_order_whose_answer_was_lost_is_found_by_its_input(stage: ReplicateStage) -> None:
    stage.account.page = 2
    for seed in range(3):
        await stage.api.generate(an_attempt(a_job(seed=seed)))
    stage.account.troubles.strike(Trouble.ANSWER_LOST)
    notes = Notes()

    made = await stage.api.generate(an_attempt(a_job(seed=9), note_ref=notes))

    assert len(made.pictures) == 1
    assert await stage.orders() == 4
    assert stage.account.predictions[notes.refs[0]].input["seed"] == 9


async def test_pictures_of_old_orders_are_gone_and_were_charged(stage: ReplicateStage) -> None:
    _, ref = await made_before(stage)
    stage.account.predictions[ref].forget()

    with pytest.raises(InferenceFailed) as caught:
        await stage.api.generate(an_attempt(replace(a_job(), bridge_ref=ref), is_new=False))

    assert caught.value.cost == 3000
    assert await stage.orders() == 1


async def test_an_order_that_cannot_be_found_may_have_been_charged(stage: ReplicateStage) -> None:
    stage.account.troubles.strike(Trouble.OUT_OF_ORDER)
    api = stage.open(limits=IMPATIENT)

    with pytest.raises(InferenceUncertain) as caught:
        await api.generate(an_attempt(a_job()))

    assert caught.value.cost == 3000


async def test_what_another_attempt_ordered_with_the_same_words_and_seed_is_not_taken_for_ours(
    stage: ReplicateStage,
) -> None:
    await stage.api.generate(an_attempt(a_job()))
    stage.account.troubles.strike(Trouble.UNLISTED)
    another = replace(a_job(), prompt=PromptId("5b0b6a0e-0000-4000-8000-000000000003"))
    api = stage.open(limits=IMPATIENT)

    with pytest.raises(InferenceUncertain):
        await api.generate(an_attempt(another))


async def made_before(stage: ReplicateStage, **values: Any) -> tuple[Made, str]:
    notes = Notes()
    made = await stage.api.generate(an_attempt(a_job(**values), note_ref=notes))
    return made, notes.refs[-1]


@pytest.mark.parametrize("known", ["all", "some", "none"])
async def test_what_was_ordered_before_a_crash_is_followed_and_not_ordered_again(
    stage: ReplicateStage, known: str
) -> None:
    before, ref = await made_before(stage, count=2)
    noted = {"all": ref, "some": f"{ref.partition(',')[0]},", "none": ""}[known]
    notes = Notes()

    again = await stage.open().generate(
        an_attempt(replace(a_job(count=2), bridge_ref=noted), is_new=False, note_ref=notes)
    )

    assert again == before
    assert await stage.orders() == 2
    assert notes.refs[-1:] == ([] if known == "all" else [ref])


@pytest.mark.parametrize("noted", ["", "0123456789abcdefghjkmnpqrs", "../account"])
async def test_what_cannot_be_found_after_a_crash_is_not_ordered(stage: ReplicateStage, noted: str) -> None:
    api = stage.open(limits=IMPATIENT)

    with pytest.raises(InferenceUncertain) as caught:
        await api.generate(an_attempt(replace(a_job(), bridge_ref=noted), is_new=False))

    assert caught.value.cost == 3000
    assert await stage.orders() == 0


async def test_a_note_that_cannot_be_written_is_told_as_it_was(stage: ReplicateStage) -> None:
    async def note_ref(_: str) -> None:
        raise StaleWrite("somebody moved first")

    with pytest.raises(StaleWrite):
        await stage.api.generate(an_attempt(a_job(count=2), note_ref=note_ref))


# Several pictures of which one cannot be had.


async def test_of_several_pictures_those_that_were_made_are_in_the_costs_of_the_failure(stage: ReplicateStage) -> None:
    stage.account.troubles.strike(Trouble.FAILS, times=1)

    with pytest.raises(InferenceFailed) as caught:
        await stage.api.generate(an_attempt(a_job(count=3)))

    assert caught.value.cost == 6000 == await stage.charged()


async def test_once_one_is_refused_no_more_are_ordered(stage: ReplicateStage) -> None:
    stage.account.troubles.strike(Trouble.NO_MONEY)

    with pytest.raises(ApiOff) as caught:
        await stage.api.generate(an_attempt(a_job(count=10)))

    assert await stage.orders() == 4
    assert caught.value.cost == MicroUsd(0)


# Cancelling.


@pytest.mark.parametrize("is_noted", [True, False])
async def test_cancel_stops_what_runs_whether_its_name_is_known_or_not(stage: ReplicateStage, is_noted: bool) -> None:
    stage.account.troubles.strike(Trouble.STUCK)
    if is_noted:
        stage.account.troubles.strike(Trouble.SLOW)  # the answer comes before the picture, with the order's name
    notes = Notes()
    patient = stage.open(limits=replace(QUICK, queue=timedelta(seconds=60)))

    async with asyncio.TaskGroup() as tasks:
        failing = tasks.create_task(failure_of(patient.generate(an_attempt(a_job(count=2), note_ref=notes))))
        await until(lambda: len(notes.refs) == 2 if is_noted else len(stage.account.predictions) == 2)
        ref = notes.refs[-1] if is_noted else ""
        await stage.open().cancel(replace(a_job(count=2), bridge_ref=ref))

    assert isinstance(failing.result(), InferenceFailed)
    assert {it.status for it in stage.account.predictions.values()} == {"canceled"}


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():
        await asyncio.sleep(0.005)


async def test_cancelling_what_is_over_changes_nothing(stage: ReplicateStage) -> None:
    _, ref = await made_before(stage)

    await stage.api.cancel(replace(a_job(), bridge_ref=ref))
    await stage.api.cancel(a_job())

    assert {it.status for it in stage.account.predictions.values()} == {"succeeded"}
    assert await stage.charged() == 3000
