"""A ComfyUI by URL serves as a bridge that costs nothing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from orchestrator.adapters.inference.comfy_endpoint import ComfyEndpoint
from orchestrator.adapters.workflow_files import read_workflows
from orchestrator.domain.errors import ApiOff, GraphRejected, InferenceUnavailable
from orchestrator.domain.ids import ImageKey, PromptId
from orchestrator.domain.workflows import check_values
from tests.adapters.comfyui.conftest import HASTY, PATIENT
from tests.adapters.comfyui.replay import PNG, ReplayServer, serving_at_a_port
from tests.contract.inference_suite import JOB as A_JOB
from tests.contract.inference_suite import an_attempt

WORKFLOW, FROM_PICTURE = read_workflows(Path(__file__).parents[3] / "orchestrator" / "workflows")
JOB = replace(A_JOB, bridge="your ComfyUI")


@pytest.fixture
def server() -> ReplayServer:
    return ReplayServer("flux_lora_second_seed")


@pytest.fixture
async def endpoint(server: ReplayServer) -> AsyncIterator[ComfyEndpoint]:
    async with serving_at_a_port(server) as url:
        yield ComfyEndpoint(url=url, limits=PATIENT)


async def test_a_job_becomes_pictures_for_nothing(endpoint: ComfyEndpoint, server: ReplayServer) -> None:
    assert endpoint.capabilities.can_make(WORKFLOW, JOB)

    made = await endpoint.generate(an_attempt(JOB))

    assert ((server.picture,), 0) == (made.pictures, made.cost)
    assert server.bodies[0]["prompt"]["positive"]["inputs"]["text"] == "a fox"


async def test_an_attempt_that_goes_on_after_a_crash_is_not_painted_twice(
    endpoint: ComfyEndpoint, server: ReplayServer
) -> None:
    await endpoint.generate(an_attempt(JOB))

    made = await endpoint.generate(an_attempt(JOB))

    assert made.pictures == (server.picture,)
    assert server.painted == [JOB.prompt]


async def test_the_picture_to_start_from_is_uploaded(endpoint: ComfyEndpoint, server: ReplayServer) -> None:
    values = check_values(FROM_PICTURE, {"prompt": "a fox"}, seed=1)
    job = replace(JOB, workflow=FROM_PICTURE.name, values=values, source=ImageKey("abc"))

    await endpoint.generate(an_attempt(job, workflow=FROM_PICTURE, source=PNG))

    assert server.uploads == [("abc.png", PNG)]
    assert server.bodies[0]["prompt"]["picture"]["inputs"]["image"] == "abc.png"


async def test_cancelling_stops_just_that_prompt(endpoint: ComfyEndpoint, server: ReplayServer) -> None:
    server.switches.hold_at = 4
    async with asyncio.TaskGroup() as group:
        attempt = group.create_task(_unavailable(endpoint))
        await server.held.wait()
        await endpoint.cancel(replace(JOB, prompt=PromptId("another")))
        assert not attempt.done()
        await endpoint.cancel(JOB)

    assert "interrupted" in attempt.result()


async def test_out_of_memory_there_is_told_to_the_person(endpoint: ComfyEndpoint, server: ReplayServer) -> None:
    """No other machine is tried, so the one thing that helps is to ask for less."""
    failed = (
        f'{{"type": "execution_error", "data": {{"prompt_id": "{JOB.prompt}", "node_type": "KSampler", '
        '"exception_type": "torch.OutOfMemoryError", "exception_message": "Allocation on device"}}'
    )
    server.switches.noise = (failed,)

    with pytest.raises(GraphRejected, match="graphics memory"):
        await endpoint.generate(an_attempt(JOB))


async def test_a_refused_graph_keeps_its_sentence(endpoint: ComfyEndpoint) -> None:
    graph = {**WORKFLOW.graph, "unet": {"class_type": "UNETLoader", "inputs": {"unet_name": "nope.safetensors"}}}

    with pytest.raises(GraphRejected, match="is not on this machine"):
        await endpoint.generate(an_attempt(JOB, workflow=replace(WORKFLOW, graph=graph)))


async def test_nobody_there_is_unavailable() -> None:
    endpoint = ComfyEndpoint(url="http://127.0.0.1:1", limits=HASTY)

    with pytest.raises(InferenceUnavailable):
        await endpoint.generate(an_attempt(JOB))
    with pytest.raises(InferenceUnavailable):
        await endpoint.cancel(JOB)


async def test_its_token_is_sent(server: ReplayServer) -> None:
    async with serving_at_a_port(server) as url:
        await ComfyEndpoint(url=url, token="t0ken", limits=PATIENT).generate(an_attempt(JOB))
        server.switches.answers["/queue"] = web.Response(status=401)
        with pytest.raises(ApiOff) as refused:
            await ComfyEndpoint(url=url, token="t0ken", limits=PATIENT).cancel(JOB)

    assert {"Bearer t0ken"} == {headers["Authorization"] for headers in server.headers}
    assert "t0ken" not in str(refused.value)


async def _unavailable(endpoint: ComfyEndpoint) -> str:
    with pytest.raises(InferenceUnavailable) as told:
        await endpoint.generate(an_attempt(JOB))
    return str(told.value)
