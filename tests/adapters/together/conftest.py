from collections.abc import AsyncIterator

import pytest

from tests.contract.together_stage import TogetherStage, together_stage


@pytest.fixture
async def stage() -> AsyncIterator[TogetherStage]:
    async with together_stage() as stage:
        yield stage
