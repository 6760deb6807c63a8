from collections.abc import AsyncIterator

import pytest

from tests.adapters.runpod_serverless.service import Service, serving


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    async with serving() as found:
        yield found
