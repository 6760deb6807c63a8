"""A ComfyUI by URL, the one bridge so far, keeps the promises of the port."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator.adapters.inference.comfy_endpoint import ComfyEndpoint
from tests.adapters.comfyui.conftest import PATIENT
from tests.adapters.comfyui.replay import ReplayServer, serving_at_a_port
from tests.contract.inference_suite import InferenceContract, Subject

LIMITS = replace(PATIENT, opening=timedelta(seconds=2))
"""One rule waits that long for a server that is gone."""


class TestComfyEndpoint(InferenceContract):
    @pytest.fixture
    async def subject(self) -> AsyncIterator[Subject]:
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(serving_at_a_port(ReplayServer("flux_lora_second_seed")))
            yield Subject(api=ComfyEndpoint(url=url, limits=LIMITS), take_down=stack.aclose)
