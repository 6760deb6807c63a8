from collections.abc import AsyncIterator

import pytest

from orchestrator.adapters.clouds.runpod.cloud import RunPodCloud
from tests.adapters.runpod.world import World, world


@pytest.fixture
async def runpod() -> AsyncIterator[World]:
    """Serve one account; requests and truthful answers must be what the specification allows."""
    async with world() as served:
        yield served
    assert served.faults == []


@pytest.fixture
def cloud(runpod: World) -> RunPodCloud:
    return runpod.open()
