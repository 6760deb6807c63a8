"""RunPod's public endpoint: plain pictures by the megapixel."""

from dataclasses import replace

import pytest

from orchestrator.domain.errors import ApiOff, InferenceFailed, InferenceUncertain
from orchestrator.domain.job import Job
from orchestrator.domain.money import micro_usd
from orchestrator.sandbox.runpod_serverless import Trouble
from tests.adapters.runpod_serverless.service import Service
from tests.adapters.runpod_serverless.test_worker import a_job
from tests.contract.inference_suite import INTRUDERS_KEY, TWO, WORKFLOW, an_attempt, heard_attempt

PLAIN = a_job(width=512, height=768, negative="dogs")


def charged(service: Service) -> int:
    return micro_usd(service.desk.studio.charged_usd("runpod_public"))


async def test_words_size_seed_and_steps_are_ours(service: Service) -> None:
    made = await service.public().generate(an_attempt(PLAIN))

    assert service.witness.orders[0]["input"] == {
        "prompt": "a fox",
        "negative_prompt": "dogs",
        "width": 512,
        "height": 768,
        "num_inference_steps": 4,
        "seed": 1,
        "image_format": "png",
    }
    assert (len(made.pictures), made.cost) == (1, 944)
    assert charged(service) == pytest.approx(944, abs=1)


async def test_several_pictures_are_several_orders_under_one_name(service: Service) -> None:
    attempt, heard = heard_attempt(TWO)

    made = await service.public().generate(attempt)
    again = await service.public().generate(an_attempt(replace(TWO, bridge_ref=heard.refs[0]), is_new=False))

    assert made.pictures[0] != made.pictures[1]
    assert again == made
    assert [order["input"]["seed"] for order in service.witness.orders] == [1, 2]
    assert made.cost == pytest.approx(charged(service), abs=2)


@pytest.mark.parametrize(
    "job",
    [a_job(lora="b0throps"), a_job(width=2048), a_job(width=528, height=512), a_job(steps=9)],
    ids=["a LoRA", "too wide", "between the steps", "too many steps"],
)
def test_what_it_cannot_make_is_not_promised(service: Service, job: Job) -> None:
    assert service.public().capabilities.can_make(WORKFLOW, PLAIN)
    assert not service.public().capabilities.can_make(WORKFLOW, job)


async def test_an_order_that_may_have_been_made_before_is_not_made_again(service: Service) -> None:
    with pytest.raises(InferenceUncertain) as told:
        await service.public().generate(an_attempt(TWO, is_new=False))

    assert told.value.cost > 0
    assert not service.desk.jobs


async def test_a_lost_answer_is_uncertain_and_what_was_ordered_before_it_is_withdrawn(service: Service) -> None:
    service.desk.troubles.strike(Trouble.ANSWER_LOST, times=1)

    with pytest.raises(InferenceUncertain) as told:
        await service.public().generate(an_attempt(TWO))

    assert told.value.cost > 0
    assert len(service.desk.jobs) == 1


@pytest.mark.parametrize("trouble", [Trouble.PICTURE_GONE, Trouble.NO_PICTURE, Trouble.FAILS])
async def test_a_picture_that_does_not_come_has_failed_and_is_owned_up_to(service: Service, trouble: Trouble) -> None:
    service.desk.troubles.strike(trouble)

    with pytest.raises(InferenceFailed) as told:
        await service.public().generate(an_attempt(TWO))

    assert told.value.cost >= charged(service)


async def test_cancelling_withdraws_all_of_its_orders(service: Service) -> None:
    service.desk.troubles.strike(Trouble.NO_WORKER)
    refs = [service.desk.take("black-forest-labs-flux-1-schnell", {"input": {}}).id for _ in range(2)]

    await service.public().cancel(replace(TWO, bridge_ref=",".join(refs)))

    assert {"CANCELLED"} == {job.ended for job in service.desk.jobs.values()}


async def test_a_refused_key_switches_it_off(service: Service) -> None:
    with pytest.raises(ApiOff, match="RUNPOD_API_KEY"):
        await service.public(key=INTRUDERS_KEY).probe()
