"""Each managed API that is configured, for real: one picture."""

from dataclasses import replace

import aiohttp
import pytest

from orchestrator.adapters.inference.registry import APIS
from orchestrator.adapters.system import RandomIds, SystemClock
from orchestrator.app import bridges_of
from orchestrator.domain.money import dollars
from orchestrator.ports.inference import InferenceApi
from orchestrator.settings import Settings
from tests.contract.inference_suite import JOB, WORKFLOW, heard_attempt, is_picture

pytestmark = [pytest.mark.live, pytest.mark.timeout(900)]
PLAIN = {**JOB.values, "lora": "none", "width": 1024, "height": 1024}


@pytest.fixture(params=sorted(APIS))
async def api(request: pytest.FixtureRequest, settings: Settings, http: aiohttp.ClientSession) -> InferenceApi:
    if request.param not in settings.bridge_access():
        pytest.skip(f"{request.param} is not configured")
    every = settings.model_copy(update={"bridge": ""})
    return (await bridges_of(every, None, http))[request.param]


async def test_it_serves_us(api: InferenceApi) -> None:
    await api.probe()


async def test_it_makes_one_picture_for_what_it_said(api: InferenceApi, cap_usd: float) -> None:
    await api.probe()
    job = replace(JOB, values=PLAIN, prompt=RandomIds(SystemClock()).prompt())
    if not api.capabilities.can_make(WORKFLOW, job):
        pytest.skip("it cannot make a plain picture")
    estimate = api.capabilities.estimate(job)
    assert dollars(estimate) <= cap_usd
    attempt, heard = heard_attempt(job)

    made = await api.generate(attempt)

    assert [is_picture(each) for each in made.pictures] == [True]
    assert made.cost <= max(estimate * 4, 1)
    assert len(heard.refs) <= 1
