from collections.abc import AsyncIterator

import pytest

from tests.contract.replicate_stage import ReplicateStage, replicate_stage


@pytest.fixture
async def stage() -> AsyncIterator[ReplicateStage]:
    async with replicate_stage() as stage:
        yield stage
