"""An endpoint of one's own that runs worker-comfyui: what is ordered there, and how it can end."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.adapters.inference.registry import APIS
from orchestrator.adapters.inference.runpod_serverless.worker import IDLE_S, PER_SECOND, RunPodServerless
from orchestrator.adapters.workflow_files import read_workflows
from orchestrator.app import WORKFLOWS
from orchestrator.domain.errors import (
    ApiOff,
    InferenceError,
    InferenceFailed,
    InferenceUnavailable,
    InferenceUncertain,
)
from orchestrator.domain.ids import ImageKey
from orchestrator.domain.job import Job
from orchestrator.domain.workflows import check_values
from orchestrator.ports.inference import Access
from orchestrator.sandbox.runpod_serverless import Trouble
from orchestrator.sandbox.runpod_serverless.desk import START_S
from orchestrator.sandbox.studio import SECONDS
from tests.adapters.runpod_serverless.service import QUICK, SHORT, Service
from tests.contract.inference_suite import JOB, WORKFLOW, an_attempt, failure_of

FROM_PICTURE = read_workflows(WORKFLOWS)[1]
PNG = b"\x89PNG\r\n\x1a\n"
SHORT_QUEUE = replace(QUICK, queue=timedelta(seconds=0.05), start=timedelta(seconds=0.1))
A_COLD_RUN = (START_S + SECONDS + IDLE_S) * PER_SECOND
ENDS: Mapping[Trouble, tuple[type[InferenceError], str]] = {
    Trouble.WITHOUT_OUTPUT: (InferenceFailed, "completed without a result.* ask for fewer"),
    Trouble.NO_IMAGES: (InferenceFailed, "made no picture .success_no_images."),
    Trouble.FAILS: (InferenceFailed, "Workflow execution failed; Workflow execution error: Node Type: VAEDecode"),
    Trouble.CRASHES: (InferenceFailed, "class 'ValueError'>: bad handler$"),
    Trouble.CANCELLED: (InferenceFailed, "it was cancelled there"),
    Trouble.TIMED_OUT: (InferenceFailed, "longer than it may"),
    Trouble.EXPIRED: (InferenceUncertain, "no longer knows job"),
    Trouble.PICTURE_GONE: (InferenceFailed, "address answered 404"),
}


def a_job(**values: object) -> Job:
    return replace(JOB, values=check_values(WORKFLOW, {"prompt": "a fox", **values}, seed=1))  # type: ignore[dict-item]


async def test_the_graph_goes_there_with_its_lora_and_a_policy_that_ends_what_is_forgotten(service: Service) -> None:
    job = a_job(lora="b0throps", strength=0.7)

    assert service.worker().capabilities.can_make(WORKFLOW, job)
    await service.worker().generate(an_attempt(job))

    order = service.witness.orders[0]
    graph = order["input"]["workflow"]
    assert graph["lora"]["inputs"]["strength_model"] == 0.7
    assert graph["positive"]["inputs"]["text"] == "a fox"
    assert order["policy"] == {"ttl": 480_000, "executionTimeout": 180_000}


async def test_the_picture_to_start_from_goes_along(service: Service) -> None:
    values = check_values(FROM_PICTURE, {"prompt": "a fox"}, seed=1)
    job = replace(JOB, workflow=FROM_PICTURE.name, values=values, source=ImageKey("abc"))

    await service.worker().generate(an_attempt(job, workflow=FROM_PICTURE, source=PNG))

    given = service.witness.orders[0]["input"]
    assert given["images"] == [{"name": "abc.png", "image": base64.b64encode(PNG).decode()}]
    assert given["workflow"]["picture"]["inputs"]["image"] == "abc.png"


async def test_a_picture_too_large_for_an_order_is_not_sent(service: Service) -> None:
    attempt = an_attempt(replace(JOB, workflow=FROM_PICTURE.name), workflow=FROM_PICTURE, source=b"\0" * 7_600_000)

    error = await failure_of(service.worker().generate(attempt))

    assert "too large" in str(error)
    assert (error.cost, len(service.desk.jobs)) == (0, 0)


def test_what_would_be_too_much_to_hand_back_is_not_promised(service: Service) -> None:
    api = service.worker()

    assert api.capabilities.can_make(WORKFLOW, a_job(count=3))
    assert not api.capabilities.can_make(WORKFLOW, a_job(count=4, width=1024, height=1040))


async def test_a_cold_worker_is_paid_from_its_start_to_the_end_of_its_idle_time(service: Service) -> None:
    cold = await service.worker().generate(an_attempt())
    warm = await service.worker().generate(an_attempt())

    assert cold.cost == A_COLD_RUN
    assert warm.cost <= cold.cost


@pytest.mark.parametrize("trouble", ENDS)
async def test_each_bad_end_is_told_with_what_it_cost(service: Service, trouble: Trouble) -> None:
    service.desk.troubles.strike(trouble)
    if trouble is Trouble.PICTURE_GONE:
        service.desk.troubles.strike(Trouble.IN_A_BUCKET)
    kind, words = ENDS[trouble]

    with pytest.raises(kind, match=words) as told:
        await service.worker().generate(an_attempt())

    assert told.value.cost >= A_COLD_RUN


@pytest.mark.parametrize("oddity", [Trouble.STRANGE_WORD, Trouble.WITH_ERRORS, Trouble.IN_A_BUCKET, Trouble.OLD_WORKER])
async def test_an_odd_way_to_hand_pictures_over_is_understood(service: Service, oddity: Trouble) -> None:
    service.desk.troubles.strike(oddity)

    made = await service.worker().generate(an_attempt())

    assert made.pictures[0].startswith(PNG)


async def test_where_no_worker_comes_the_job_is_withdrawn_and_costs_nothing(service: Service) -> None:
    service.desk.troubles.strike(Trouble.NO_WORKER)

    with pytest.raises(InferenceUnavailable, match=r"no worker took it .*3 throttled.*max workers") as told:
        await service.worker(limits=SHORT_QUEUE).generate(an_attempt())

    assert told.value.cost == 0
    assert [job.ended for job in service.desk.jobs.values()] == ["CANCELLED"]


async def test_a_run_without_an_end_is_withdrawn_and_owned_up_to(service: Service) -> None:
    service.desk.troubles.strike(Trouble.ENDLESS)
    limits = replace(QUICK, whole=timedelta(seconds=0.2))

    with pytest.raises(InferenceFailed, match="cancelled") as told:
        await service.worker(limits=limits).generate(an_attempt())

    assert told.value.cost > 0
    assert [job.ended for job in service.desk.jobs.values()] == ["CANCELLED"]


async def test_a_job_that_cannot_be_seen_any_more_is_uncertain_and_not_ordered_again(service: Service) -> None:
    async def fall_silent(_: str) -> None:
        service.desk.troubles.strike(Trouble.OUT_OF_ORDER)

    limits = replace(QUICK, patience=SHORT)

    with pytest.raises(InferenceUncertain, match="does not answer") as told:
        await service.worker(limits=limits).generate(an_attempt(note_ref=fall_silent))

    assert told.value.cost > 0
    assert len(service.desk.jobs) == 1


async def test_a_hiccup_while_it_is_followed_does_no_harm(service: Service) -> None:
    async def stumble(_: str) -> None:
        service.desk.troubles.strike(Trouble.OUT_OF_ORDER, times=2)

    made = await service.worker().generate(an_attempt(note_ref=stumble))

    assert made.pictures


async def test_nobody_listening_is_unavailable_and_orders_nothing(service: Service) -> None:
    api = RunPodServerless(url="http://127.0.0.1:1", endpoint="e", key="k", session=service.session, limits=QUICK)

    with pytest.raises(InferenceUnavailable):
        await api.generate(an_attempt())
    with pytest.raises(InferenceUnavailable):
        await api.cancel(replace(JOB, bridge_ref="x"))


async def test_a_key_that_cannot_be_one_switches_it_off(service: Service) -> None:
    with pytest.raises(ApiOff, match="RUNPOD_API_KEY"):
        await service.worker(key="two words").probe()


async def test_the_registry_opens_both(service: Service) -> None:
    access = Access(url="http://127.0.0.1:1", key="k", endpoint="e")

    names = {APIS[name](access, session=service.session).name for name in ("runpod_serverless", "runpod_public")}

    assert names == {"runpod_serverless", "runpod_public"}


async def test_two_jobs_at_once_do_not_mix_their_pictures(service: Service) -> None:
    api = service.worker()
    async with asyncio.TaskGroup() as group:
        made = [group.create_task(api.generate(an_attempt(a_job(seed=seed)))) for seed in (1, 2)]

    first, second = (task.result().pictures[0] for task in made)
    assert first != second
    assert (await api.generate(an_attempt(a_job(seed=1)))).pictures[0] == first
