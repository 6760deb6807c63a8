"""Every cloud adapter against the rules of ``cloud_suite``; one parameter a cloud."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager

import pytest

from tests.adapters.runpod.world import KEY as RUNPOD_KEY
from tests.adapters.vast.scripted import KEY, recorded
from tests.contract.cloud_suite import CloudInTroubleSuite, CloudSuite, Stage, TroubledStage
from tests.contract.lambda_stage import LAMBDA_KEY, lambda_stage
from tests.contract.runpod_stage import runpod_stage
from tests.contract.sandbox_stage import SANDBOX_KEY, sandbox_stage
from tests.contract.static_stage import static_stage
from tests.contract.vast_stage import INTRUDERS_KEY, vast_stage

STAGES: Mapping[str, Callable[[], AbstractAsyncContextManager[TroubledStage]]] = {
    "vast": vast_stage,
    "sandbox": sandbox_stage,
    "runpod": runpod_stage,
    "lambda": lambda_stage,
    "static": static_stage,
}
SECRETS: Mapping[str, tuple[str, ...]] = {
    "vast": (KEY, INTRUDERS_KEY, recorded("launched")["instance_api_key"]),
    "sandbox": (SANDBOX_KEY, INTRUDERS_KEY),
    "runpod": (RUNPOD_KEY, INTRUDERS_KEY),
    "lambda": (LAMBDA_KEY, INTRUDERS_KEY),
    "static": (),
}


class TestCloud(CloudSuite):
    @pytest.fixture(params=sorted(STAGES))
    async def subject(self, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
        async with STAGES[request.param]() as stage:
            yield stage


class TestCloudInTrouble(CloudInTroubleSuite):
    @pytest.fixture(params=sorted(STAGES))
    async def subject(self, request: pytest.FixtureRequest) -> AsyncIterator[TroubledStage]:
        async with STAGES[request.param]() as stage:
            yield stage

    @pytest.fixture
    def secrets(self, request: pytest.FixtureRequest) -> tuple[str, ...]:
        return SECRETS[request.node.callspec.params["subject"]]
