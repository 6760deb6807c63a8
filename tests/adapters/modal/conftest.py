from collections.abc import AsyncIterator

import pytest

from tests.contract.modal_stage import ModalStage, modal_stage


@pytest.fixture
async def stage() -> AsyncIterator[ModalStage]:
    async with modal_stage() as stage:
        yield stage
