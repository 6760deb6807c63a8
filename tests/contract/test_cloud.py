"""Every cloud adapter against the rules of ``cloud_suite``; one parameter a cloud."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager

import pytest

from tests.contract.cloud_suite import CloudInTroubleSuite, CloudSuite, Stage, TroubledStage
from tests.contract.lambda_stage import lambda_stage
from tests.contract.runpod_stage import runpod_stage
from tests.contract.sandbox_stage import sandbox_stage
from tests.contract.static_stage import static_stage
from tests.contract.vast_stage import vast_stage

STAGES: Mapping[str, Callable[[], AbstractAsyncContextManager[TroubledStage]]] = {
    "vast": vast_stage,
    "sandbox": sandbox_stage,
    "runpod": runpod_stage,
    "lambda": lambda_stage,
    "static": static_stage,
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
