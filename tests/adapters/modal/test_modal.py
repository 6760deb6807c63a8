"""What the contract suite does not ask of the adapter for our app on Modal."""

import io
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from orchestrator.adapters.inference.exchange import Limits
from orchestrator.adapters.inference.modal.api import Modal
from orchestrator.adapters.inference.modal.wire import GPU_RATES, Machine
from orchestrator.adapters.inference.registry import APIS
from orchestrator.adapters.workflow_files import read_workflows
from orchestrator.app import WORKFLOWS
from orchestrator.domain.errors import ApiOff, GraphRejected, InferenceFailed, InferenceUncertain
from orchestrator.domain.job import Job
from orchestrator.domain.workflows import Workflow, check_values
from orchestrator.ports.inference import Access
from orchestrator.sandbox.modal import ModalTrouble
from tests.contract.inference_suite import JOB, WORKFLOW, an_attempt
from tests.contract.modal_stage import KEY, SECRET, ModalStage

SMALL = replace(JOB, values={**JOB.values, "width": 64, "height": 64})


def with_node(name: str, **inputs: object) -> Workflow:
    """The workflow with other inputs at one node of its graph."""
    node = WORKFLOW.graph[name]
    return replace(WORKFLOW, graph={**WORKFLOW.graph, name: {**node, "inputs": {**node["inputs"], **inputs}}})


def _app(handler: Callable[[web.Request], Awaitable[web.Response]]) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    return app


async def failing(stage: ModalStage, trouble: ModalTrouble, job: Job = SMALL) -> Exception:
    stage.front.troubles.strike(trouble)
    with pytest.raises(Exception) as told:  # noqa: PT011 - the caller looks at it
        await stage.api.generate(an_attempt(job))
    return told.value


async def test_an_answer_that_takes_longer_than_a_request_may_is_followed(stage: ModalStage) -> None:
    stage.front.troubles.strike(ModalTrouble.SLOW)
    stage.front.studio.speed = 100  # a boot of 0.2 s: several requests are held open one after the other

    made = await stage.api.generate(an_attempt(SMALL))

    assert len(made.pictures) == 1
    assert stage.front.orders == 1
    assert stage.front.redirects >= 2


async def test_credentials_do_not_follow_to_another_host(stage: ModalStage) -> None:
    visits: list[str] = []

    async def remember(request: web.Request) -> web.Response:
        visits.append(request.path)
        return web.Response()

    stranger = TestServer(_app(remember))
    await stranger.start_server(access_log=None)
    stage.front.elsewhere = f"127.0.0.1:{stranger.port}"
    stage.front.troubles.strike(ModalTrouble.SLOW)
    stage.front.troubles.strike(ModalTrouble.LEADS_AWAY)
    stage.front.studio.speed = 100

    with pytest.raises(InferenceUncertain):
        await stage.api.generate(an_attempt(SMALL))
    await stranger.close()

    assert stage.front.redirects >= 1
    assert visits == []


async def test_a_lost_answer_is_asked_for_again_and_paid_once(stage: ModalStage) -> None:
    stage.front.troubles.strike(ModalTrouble.ANSWER_LOST, times=1)

    made = await stage.api.generate(an_attempt(SMALL))

    assert len(made.pictures) == 1
    assert stage.front.orders == 1
    assert made.cost == pytest.approx(await stage.charged(), abs=1)


async def test_an_order_that_the_app_does_not_know_may_still_be_on_its_way(stage: ModalStage) -> None:
    with pytest.raises(InferenceUncertain) as told:
        await stage.api.generate(an_attempt(SMALL, is_new=False))

    assert told.value.cost > 0
    assert stage.front.orders == 0


async def test_an_id_that_comes_twice_is_painted_once(stage: ModalStage) -> None:
    first = await stage.api.generate(an_attempt(SMALL))
    second = await stage.api.generate(an_attempt(SMALL))

    assert first == second
    assert stage.front.calls is not None
    assert stage.front.calls.orders == 1


async def test_the_first_order_after_a_pause_has_the_start_and_the_wait_at_the_end_in_its_cost(
    stage: ModalStage,
) -> None:
    stage.front.studio.speed = 100  # the wait at the end: 0.6 s

    first = await stage.api.generate(an_attempt(SMALL))

    assert 0.8 * Machine().rate <= first.cost <= stage.api.capabilities.estimate(SMALL)


async def test_a_picture_to_start_from_goes_with_the_order(stage: ModalStage) -> None:
    workflow = next(each for each in read_workflows(WORKFLOWS) if each.takes_image)
    values = check_values(workflow, {"prompt": "a fox", "width": 64, "height": 64}, seed=1)
    source = io.BytesIO()
    Image.new("RGB", (64, 64), "orange").save(source, "PNG")

    made = await stage.api.generate(
        an_attempt(replace(SMALL, values=values), workflow=workflow, source=source.getvalue())
    )

    assert len(made.pictures) == 1
    assert stage.api.capabilities.can_make(workflow, replace(SMALL, values=values))


async def test_a_graph_that_comfyui_refuses_is_told_as_on_a_machine(stage: ModalStage) -> None:
    with pytest.raises(GraphRejected, match="at most"):
        await stage.api.generate(an_attempt(SMALL, workflow=with_node("sampler", cfg=1000.0)))


async def test_a_model_that_the_volume_lacks_switches_it_off(stage: ModalStage) -> None:
    with pytest.raises(ApiOff, match=r"other\.safetensors.*::fetch"):
        await stage.api.generate(an_attempt(SMALL, workflow=with_node("vae", vae_name="other.safetensors")))


async def test_a_lora_that_the_volume_lacks_fails_this_request_alone(stage: ModalStage) -> None:
    workflow = with_node("lora", lora_name="other.safetensors")
    workflow = replace(workflow, parameters=tuple(p for p in workflow.parameters if p.name != "lora"))

    with pytest.raises(InferenceFailed, match=r"other\.safetensors"):
        await stage.api.generate(an_attempt(SMALL, workflow=workflow))


async def test_a_card_that_is_too_small_is_told_with_what_to_do(stage: ModalStage) -> None:
    error = await failing(stage, ModalTrouble.FAILS)

    assert isinstance(error, InferenceFailed)
    assert "GLOWPLUG_MODAL_GPU" in str(error)


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (ModalTrouble.NO_MODELS, "::fetch"),
        (ModalTrouble.OPEN, "requires_proxy_auth"),
        (ModalTrouble.STOPPED, "modal deploy"),
    ],
)
async def test_a_probe_says_what_is_wrong_and_how_to_mend_it(
    stage: ModalStage, trouble: ModalTrouble, words: str
) -> None:
    stage.front.troubles.strike(trouble)

    with pytest.raises(ApiOff, match=words):
        await stage.api.probe()

    assert stage.front.orders == 0


@pytest.mark.parametrize("url", ["", "modal.run", "http://you--paint.modal.run", "https://[", "ftp://127.0.0.1"])
async def test_an_address_over_which_the_credentials_could_be_read_is_told_and_not_used(
    stage: ModalStage, url: str
) -> None:
    api = Modal(url=url, key=KEY, secret=SECRET, session=stage.session)

    with pytest.raises(ApiOff, match="MODAL_URL"):
        await api.probe()


@pytest.mark.parametrize(("key", "secret"), [("", SECRET), (KEY, "two words")])
async def test_half_a_token_is_told_and_not_sent(stage: ModalStage, key: str, secret: str) -> None:
    with pytest.raises(ApiOff, match=r"MODAL_(KEY|SECRET)"):
        await stage.open(key=key, secret=secret).generate(an_attempt(SMALL))

    assert stage.front.orders == 0


async def test_a_chain_without_an_end_is_left_in_time(stage: ModalStage) -> None:
    stage.front.troubles.strike(ModalTrouble.SLOW)
    stage.front.troubles.strike(ModalTrouble.ENDLESS)
    api = stage.open(limits=Limits(order=timedelta(seconds=0.5), ask=timedelta(seconds=0.5)))

    with pytest.raises(InferenceUncertain):
        await api.generate(an_attempt(SMALL))

    assert stage.front.orders == 1


def test_a_machine_costs_what_it_has_and_an_unknown_card_the_most() -> None:
    bare = {"cores": 0, "gib": 0}

    assert Machine(gpu="L40S", **bare).rate == 542
    assert Machine(gpu="h100:2", **bare).rate == 2 * 1097
    assert Machine(gpu="Z9", **bare).rate == max(GPU_RATES.values())
    assert Machine(gpu="L40S", cores=2, gib=24).cost(10) == 6215


async def test_it_is_opened_by_its_name(stage: ModalStage) -> None:
    access = Access(url=stage.url, key=KEY, secret=SECRET)

    api = APIS["modal"](access, session=stage.session)

    assert api.name == "modal"
    await api.probe()
