"""
Every managed API against the rules of ``inference_suite``; one parameter an API.

The one in memory, ``memory``, lives in a simulated world: see ``sim/test_inference.py``.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager

import pytest

from tests.contract.comfy_endpoint_stage import comfy_endpoint_stage
from tests.contract.inference_suite import InferenceContract, InferenceInTroubleContract, InferenceStage
from tests.contract.modal_stage import modal_stage
from tests.contract.replicate_stage import replicate_stage
from tests.contract.runpod_serverless_stage import runpod_serverless_stage
from tests.contract.together_stage import together_stage

SUBJECTS: Mapping[str, Callable[[], AbstractAsyncContextManager[InferenceStage]]] = {
    "comfy_endpoint": comfy_endpoint_stage,
    "replicate": replicate_stage,
    "runpod_serverless": runpod_serverless_stage,
    "modal": modal_stage,
    "together": together_stage,
}


class TestInference(InferenceContract):
    @pytest.fixture(params=sorted(SUBJECTS))
    async def subject(self, request: pytest.FixtureRequest) -> AsyncIterator[InferenceStage]:
        async with SUBJECTS[request.param]() as stage:
            yield stage


class TestInferenceInTrouble(InferenceInTroubleContract):
    @pytest.fixture(params=sorted(SUBJECTS))
    async def subject(self, request: pytest.FixtureRequest) -> AsyncIterator[InferenceStage]:
        async with SUBJECTS[request.param]() as stage:
            yield stage
